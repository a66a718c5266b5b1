"""The detection benchmark of UA-DETRAC (Wen et al., CVIU 2020): AP at IoU 0.7, classes ignored.

Rules of its toolkit: boxes are clamped to the image, detections lying half or more in ignored regions vanish.
The toolkit's matcher is closed; the matching here is the rule of
:mod:`spotlabel.detector.evaluation.matching`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from spotlabel.detector.evaluation.average_precision import EvaluationError
from spotlabel.detector.evaluation.matching import Bool, Matches, match_sequence
from spotlabel.detector.evaluation.records import Detections, Float64, Int64, Truth

IOU = 0.7
IMAGE = (540, 960)
COVERED = 0.5

WEATHER = "sence_weather"
"""The sequence attribute (so spelled in the files) with values cloudy, night, rainy, sunny."""

TEST_SEQUENCES = tuple(
    f"MVI_{number}"
    for number in (
        *(39031, 39051, 39211, 39271, 39311, 39361, 39371, 39401, 39501, 39511, 40701, 40711, 40712, 40714),
        *(40742, 40743, 40761, 40762, 40763, 40771, 40772, 40773, 40774, 40775, 40792, 40793, 40851, 40852),
        *(40853, 40854, 40855, 40863, 40864, 40891, 40892, 40901, 40902, 40903, 40904, 40905),
    )
)
"""The sequences of the benchmark's test set."""


def clamp(boxes: Float64, image: tuple[int, int] = IMAGE) -> Float64:
    """Boxes (N, 4) as the toolkit's format check leaves them: float64 (N, 4).

    The corner moves into the image; the width is only cut at the right border, so a box that began left of
    the image is shifted, not cropped.
    """
    height, width = image
    result = boxes.astype(np.float64)
    limits = ((0, width), (1, height))
    for axis, limit in limits:
        result[:, axis] = np.clip(result[:, axis], 1, limit)
        result[:, axis + 2] = np.minimum(result[:, axis + 2], limit - result[:, axis] + 1)
    return result


def region_coverage(boxes: Float64, regions: Float64, image: tuple[int, int] = IMAGE) -> Float64:
    """Share of each box that ignored regions cover, on the toolkit's pixel grid.

    Args:
        boxes: (N, 4), left, top, width, height, 1-based.
        regions: (R, 4), the same; each covers its first to its last pixel row and column, both included.
        image: height and width.

    Returns:
        float64 (N,), at most 1.
    """
    height, width = image
    ignored = np.zeros(image, np.int64)
    for left, top, right, bottom in _round(
        np.concatenate([regions[:, :2], regions[:, :2] + regions[:, 2:]], 1)
    ):
        ignored[max(top, 1) - 1 : max(bottom, 0), max(left, 1) - 1 : max(right, 0)] = 1
    total = ignored.cumsum(axis=0).cumsum(axis=1)
    x0, y0, w, h = np.maximum(_round(boxes), 1).T
    x0, y0 = np.minimum(x0, width), np.minimum(y0, height)
    x1, y1 = np.minimum(x0 + w, width), np.minimum(y0 + h, height)
    # Sums over columns x0+1..x1 and rows y0+1..y1 (1-based), which is how the toolkit counts.
    covered = total[y1 - 1, x1 - 1] - total[y0 - 1, x1 - 1] - total[y1 - 1, x0 - 1] + total[y0 - 1, x0 - 1]
    share: Float64 = covered / (w * h)
    return share


def _round(values: Float64) -> Int64:
    # Half away from zero, as Matlab does.
    return (np.sign(values) * np.floor(np.abs(values) + 0.5)).astype(np.int64)


def _checked(
    truth: Truth, detections: Detections, degenerate: Literal["refuse", "drop"], image: tuple[int, int]
) -> Detections:
    """Clamp the boxes and apply the format check.

    Raises:
        EvaluationError: a score outside [0, 1], or a box without area and ``degenerate="refuse"``.
    """
    outside = ~((detections.score >= 0) & (detections.score <= 1))
    _refuse(truth, detections, outside, "score outside [0, 1]", "the benchmark accepts probabilities only")
    clamped = Detections(detections.frame, clamp(detections.boxes, image), detections.score)
    empty = np.minimum(clamped.boxes[:, 2], clamped.boxes[:, 3]) <= 0
    if degenerate == "refuse":
        advice = "the benchmark's toolkit stops here; degenerate='drop' leaves such boxes out"
        _refuse(truth, detections, empty, "box without width or height", advice)
    return clamped.select(~empty)


def _refuse(truth: Truth, detections: Detections, bad: Bool, problem: str, advice: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        place = f"detections of {truth.name}: frame {detections.frame[row]}"
        box, score = detections.boxes[row].tolist(), float(detections.score[row])
        count = f"{int(bad.sum())} such detections"
        raise EvaluationError(f"{place}: box {box}, score {score}: {problem}, {count} ({advice})")


def match(
    truth: Truth,
    detections: Detections,
    iou: float = IOU,
    degenerate: Literal["refuse", "drop"] = "refuse",
    image: tuple[int, int] = IMAGE,
) -> Matches:
    """Check and clamp, apply the ignored regions, then match.

    Args:
        truth: ground truth; its ignored regions stand still (``region_frame`` 0).
        detections: detections in the benchmark's coordinates, scores in [0, 1].
        iou: smallest overlap of a match.
        degenerate: what to do with boxes without area; the toolkit refuses the whole run.
        image: height and width of the frames.

    Returns:
        See :class:`spotlabel.detector.evaluation.matching.Matches`.

    Raises:
        EvaluationError: detections that the toolkit's format check refuses.
        ValueError: ignored regions of single frames, which this benchmark does not have.
    """
    if truth.region_frame.any():
        raise ValueError(f"truth of {truth.name}: UA-DETRAC's ignored regions hold for all frames")
    clamped = _checked(truth, detections, degenerate, image)
    ignored = region_coverage(clamped.boxes, truth.regions, image) >= COVERED
    return match_sequence(truth, clamped.select(~ignored), iou, in_regions=int(ignored.sum()))
