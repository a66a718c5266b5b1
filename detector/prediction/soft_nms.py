"""Soft-NMS (Bodla et al., ICCV 2017): boxes that overlap a better one get lower scores.

The compiled code that CenterNet comes with differs in two points, not followed on purpose: it adds 1 to
widths and heights, as if sides were whole pixels, which changes the overlap of small boxes by most; and
where it drops a box it can leave stale copies of others at the end of its list.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def soft_nms(detections: Float64, sigma: float = 0.5, floor: float = 0.001, keep: int = 100) -> Float64:
    """Join the detections of several scales: per class, Gaussian soft-NMS; over classes, the best ``keep``.

    Args:
        detections: (N, 6), x0, y0, x1, y1, score, class, in any order.
        sigma: a box that overlaps a better one by IoU o has its score multiplied by exp(-o^2/sigma).
        floor: boxes whose score falls below are dropped.
        keep: most boxes to return.

    Returns:
        (M, 6) with the lowered scores, best first.
    """
    labels = np.unique(detections[:, 5])
    kept = [_soft_nms_class(detections[detections[:, 5] == label], sigma, floor) for label in labels]
    joined = np.concatenate([*kept, np.zeros((0, 6))])
    return joined[np.argsort(-joined[:, 4], kind="stable")[:keep]]


def _soft_nms_class(detections: Float64, sigma: float, floor: float) -> Float64:
    rest = detections[detections[:, 4] >= floor].copy()
    done: list[Float64] = []
    while len(rest):
        first = int(rest[:, 4].argmax())
        best, rest = rest[first], np.delete(rest, first, axis=0)
        done.append(best)
        rest[:, 4] *= np.exp(-(_iou(best[:4], rest[:, :4]) ** 2) / sigma)
        rest = rest[rest[:, 4] >= floor]
    return np.array(done).reshape(-1, 6)


def _iou(box: Float64, others: Float64) -> Float64:
    """IoU of one box (4,) with others (N, 4); 0 where the union is empty."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    inter: Float64 = np.maximum(sides, 0).prod(axis=1)
    areas: Float64 = np.maximum(others[:, 2:] - others[:, :2], 0).prod(axis=1)
    union = np.maximum(box[2:] - box[:2], 0).prod() + areas - inter
    return np.where(union > 0, inter / np.maximum(union, np.finfo(np.float64).tiny), 0.0)
