"""How good a detector is on held-out videos: AP by the benchmarks' rule, IoU of attention with the masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spotlabel.detector.contract import Attention
from spotlabel.detector.data.labelled import RawFrame
from spotlabel.detector.data.samples import FOREGROUND, UNKNOWN
from spotlabel.detector.evaluation.average_precision import evaluate
from spotlabel.detector.evaluation.matching import Matches, match_sequence
from spotlabel.detector.evaluation.records import Detections, Truth
from spotlabel.detector.evaluation.traffic.detrac import COVERED
from spotlabel.detector.prediction.predictor import Prediction, Predictor

Bool = npt.NDArray[np.bool_]
OVERLAPS = (0.5, 0.7)


@dataclass
class Tally:
    """What was counted on some frames; tallies of different frames add up.

    Attributes:
        matches: per overlap and frame, what became of the detections.
        both: per attention map that learns the masks, pixels that are foreground in it and in the mask.
        either: likewise, pixels that are foreground in at least one of them.
        frames: number of frames.
    """

    matches: dict[float, list[Matches]] = field(default_factory=lambda: {iou: [] for iou in OVERLAPS})
    both: Counter[str] = field(default_factory=Counter)
    either: Counter[str] = field(default_factory=Counter)
    frames: int = 0

    def add(self, other: Tally) -> None:
        """Take in another tally."""
        for iou, matches in other.matches.items():
            self.matches[iou] += matches
        self.both += other.both
        self.either += other.either
        self.frames += other.frames

    def figures(self) -> dict[str, float]:
        """``ap50``, ``ap70`` and ``<map>_iou`` of maps that learn the masks; in [0, 1]."""
        found = {f"ap{round(100 * iou)}": evaluate(matches).ap for iou, matches in self.matches.items()}
        agreement = {
            f"{name}_iou": self.both[name] / pixels for name, pixels in self.either.items() if pixels
        }
        return {**found, **agreement}


def tally(predictor: Predictor, groups: Iterable[list[RawFrame]]) -> Tally:
    """Look at frames and count.

    Classes are ignored, as the traffic benchmarks do. Detections that lie at least half in unknown pixels
    outside all boxes (ignore regions) are left out; unknown pixels do not count for attention maps.

    Args:
        predictor: the detector.
        groups: held-out frames, those that go through the network together.

    Raises:
        SpotlabelError: a frame cannot be read.
    """
    counted = Tally()
    for group in groups:
        for raw, found in zip(group, predictor.predict([raw.image for raw in group]), strict=True):
            counted.add(_tally_frame(raw, found, predictor.attentions))
    return counted


def _tally_frame(raw: RawFrame, found: Prediction, attentions: Mapping[str, Attention]) -> Tally:
    one = found.at_least(0.0)
    regions = raw.unlabelled()
    kept = _covered(one.boxes, regions) < COVERED
    detections = Detections(np.ones(int(kept.sum()), np.int64), _sides(one.boxes[kept]), one.score[kept])
    truth = Truth("", 1, np.ones(len(raw.boxes), np.int64), _sides(raw.boxes.astype(np.float64)))
    counted = Tally({iou: [match_sequence(truth, detections, iou)] for iou in OVERLAPS}, frames=1)
    known = raw.mask != UNKNOWN
    wanted = raw.mask == FOREGROUND
    for name, values in found.attention.items():
        if attentions[name].foreground:
            said = (values > (0 if attentions[name].logits else 0.5)) & known
            counted.both[name] = int((wanted & said).sum())
            counted.either[name] = int((wanted | said).sum())
    return counted


def _covered(boxes: npt.NDArray[np.float64], region: Bool) -> npt.NDArray[np.float64]:
    """Share of each box that lies in a region; pixels outside the image are in none."""
    sums = np.zeros((region.shape[0] + 1, region.shape[1] + 1))
    sums[1:, 1:] = region.cumsum(0).cumsum(1)
    corners = np.rint(boxes).astype(int)
    x0, x1 = (np.clip(corners[:, k], 0, region.shape[1]) for k in (0, 2))
    y0, y1 = (np.clip(corners[:, k], 0, region.shape[0]) for k in (1, 3))
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    area = np.maximum((corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]), 1)
    return np.asarray(inside / area, np.float64)


def _sides(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Corners (N, 4) as left, top, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
