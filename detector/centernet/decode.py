"""From network outputs to boxes (CenterNet, Zhou et al., 2019; soft-NMS, Bodla et al., ICCV 2017)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from spotlabel.detector.centernet.tensors import at_least_single, gather_cells
from spotlabel.detector.geometry import Matrix, inverse, transform_boxes

Float64 = npt.NDArray[np.float64]

MAX_DETECTIONS = 100


def peaks(scores: Tensor) -> Tensor:
    """Scores [B, classes, h, w] with everything set to 0 that is not the largest of its 3x3 neighbourhood.

    Cells of a plateau are all kept.
    """
    return scores * (functional.max_pool2d(scores, 3, stride=1, padding=1) == scores)


def decode(scores: Tensor, wh: Tensor, reg: Tensor | None = None, count: int = MAX_DETECTIONS) -> Tensor:
    """The ``count`` highest peaks of each image as boxes on the grid, best first.

    Args:
        scores: [B, classes, h, w] in [0, 1] (the sigmoid of the heatmap).
        wh: [B, 2, h, w], width and height in cells.
        reg: [B, 2, h, w], offset of the centre in its cell; None takes the middle of the cell.
        count: boxes per image; fewer if the grid has fewer cells.

    Returns:
        [B, count, 6]: x0, y0, x1, y1 in cells, score, class.
    """
    _, classes, height, width = scores.shape
    flat = peaks(at_least_single(scores)).flatten(1)  # [B, classes*h*w]
    best, place = flat.topk(min(count, classes * height * width))  # [B, count]
    label, cell = place // (height * width), place % (height * width)
    corner = torch.stack([cell % width, cell // width], dim=2)  # [B, count, 2]: x, y
    offset = 0.5 if reg is None else at_least_single(gather_cells(reg, cell))
    centre = corner + offset  # [B, count, 2]
    half = at_least_single(gather_cells(wh, cell)) / 2
    return torch.cat([centre - half, centre + half, best.unsqueeze(2), label.unsqueeze(2)], dim=2)


def decode_outputs(outputs: Mapping[str, Tensor], count: int = MAX_DETECTIONS) -> Tensor:
    """:func:`decode` of the outputs ``hm`` (logits), ``wh`` and ``reg`` of one stack: [B, count, 6]."""
    return decode(at_least_single(outputs["hm"]).sigmoid(), outputs["wh"], outputs["reg"], count)


def flip_average(
    plain: Mapping[str, Tensor], mirrored: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Join the outputs of an image and of its mirror image.

    Args:
        plain: outputs of one stack on the image: ``hm`` [B, classes, h, w], ``wh`` and ``reg`` [B, 2, h, w].
        mirrored: outputs on the image flipped left to right, same shapes.

    Returns:
        Scores [B, classes, h, w] and ``wh`` as means of both, ``reg`` of the unflipped image (offsets to
        the right do not average with offsets to the left).
    """
    scores = (at_least_single(plain["hm"]).sigmoid() + at_least_single(mirrored["hm"]).sigmoid().flip(3)) / 2
    sizes = (at_least_single(plain["wh"]) + at_least_single(mirrored["wh"]).flip(3)) / 2
    return scores, sizes, plain["reg"]


def to_image(detections: Float64 | npt.NDArray[np.float32], matrix: Matrix) -> Float64:
    """Detections (K, 6) on the grid, mapped back to the image.

    Args:
        detections: x0, y0, x1, y1, score, class.
        matrix: (2, 3), the map from image to grid.

    Returns:
        float64 (K, 6).
    """
    result = np.asarray(detections, np.float64).copy()
    result[:, :4] = transform_boxes(result[:, :4], inverse(matrix))
    return result


def soft_nms(
    detections: Float64, sigma: float = 0.5, floor: float = 0.001, keep: int = MAX_DETECTIONS
) -> Float64:
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
