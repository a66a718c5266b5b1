"""Boxes of labelled sequences with what the quality table would say of them and their true IoU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.believability.tracks import tracked
from benchmarks.quality.measured import recipe_for
from benchmarks.quality.tables import Data, Method
from spotlabel.labelers.masks import FrameMask, resolve
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.pipeline.datasets.cdnet_truth import EvaluatedFrame
from spotlabel.pipeline.measures.quality import true_frame
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.evidence import make_evidence
from spotlabel.pipeline.stages.frame_masks import MaskSource
from spotlabel.pipeline.stages.masks import quality_columns
from spotlabel.pipeline.store import FOREGROUND, EvidenceReader, FrameState
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Item, evidence_need, items

MIN_VALID = 0.5
"""A box counts if the ground truth speaks of at least this share of its pixels..."""
MIN_TRUE = 20
"""... and knows at least this many px of foreground in it."""
MOST_FRAMES = 60
"""Of a sequence, spread evenly over those with boxes."""
UNTOUCHED = resolve("default", {"weak_boxes": "keep", "min_fill": 0.0, "min_believability": 0.0})
"""Masks whose boxes are all kept: what is judged is what the threshold will choose from."""

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """Boxes of one sequence, labelled by one labeler.

    Attributes:
        sequence: last part of its name.
        labeler: the labeler's name.
        iou: float64 (N,), IoU of mask and truth inside the box.
        quality: columns of the quality table, each (N,).
    """

    sequence: str
    labeler: str
    iou: Float
    quality: dict[str, npt.NDArray[np.float32]]

    @property
    def asked(self) -> bool:
        """Whether the labeler has a network that was asked too."""
        return "network_iou" in self.quality


def judge(data: Path, out: Path, dataset: Data, labeler: str, *, made_only: bool) -> Iterator[Judged]:
    """Measure boxes of all sequences of a dataset; evidence is made where it is not there.

    Args:
        data: folder of all datasets.
        out: where ``make quality`` keeps its labels.
        dataset: which sequences.
        labeler: name of the labeler.
        made_only: leave out sequences whose evidence would have to be made.
    """
    recipe = recipe_for(data, out, dataset, Method(labeler, labeler))
    for item in items(recipe):
        if evidence_need(recipe, item).state != State.FRESH:
            if made_only:
                continue
            make_evidence(recipe, item, item.sequence.load(), _nothing)
            item.cache.save()
        found = _judged(recipe, item)
        if len(found.iou):
            yield found


def _judged(recipe: Recipe, item: Item) -> Judged:
    annotations = tracked(item.sequence.load())
    source = MaskSource(EvidenceReader(item.evidence_path), annotations, UNTOUCHED)
    ious: list[Float] = [np.zeros(0)]
    rows: list[dict[str, npt.NDArray[np.float32]]] = []
    for position in _positions(source):
        frame, made = true_frame(item.sequence, annotations.regions, position), source.one(position)
        if frame is None or made is None:
            continue
        shape = (made.mask.mask.shape[0], made.mask.mask.shape[1])
        rects = pixel_rects(annotations.boxes.at(position), shape, UNTOUCHED)
        here = box_ious(made.mask.mask, frame, rects)
        told = ~np.isnan(here)
        ious.append(here[told])
        rows.append({name: column[told] for name, column in _columns(made.mask).items()})
    quality = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]} if rows else {}
    return Judged(item.sequence.name.rpartition("/")[2], item.labeler.name, np.concatenate(ious), quality)


def _positions(source: MaskSource) -> list[int]:
    """Frames that are looked at."""
    counts = np.diff(source.annotations.boxes.offsets)
    useful = [index for index in np.flatnonzero(counts).tolist() if source.state(index) == FrameState.OK]
    chosen = np.linspace(0, len(useful) - 1, min(len(useful), MOST_FRAMES)).round().astype(int)
    return [useful[place] for place in chosen.tolist()]


def _columns(made: FrameMask) -> dict[str, npt.NDArray[np.float32]]:
    return {"fill": made.fill, **quality_columns(made)}


def box_ious(mask: npt.NDArray[np.uint8], frame: EvaluatedFrame, rects: npt.NDArray[np.int64]) -> Float:
    """IoU of mask and truth inside each box, over its valid pixels; NaN where the truth says too little.

    Args:
        mask: uint8 (H, W).
        frame: the truth.
        rects: int64 (N, 4).
    """
    ious = np.full(len(rects), np.nan)
    for box, (x0, y0, x1, y1) in enumerate(rects.tolist()):
        place = np.s_[y0:y1, x0:x1]
        valid = frame.valid[place]
        truth, found = frame.foreground[place] & valid, (mask[place] == FOREGROUND) & valid
        if valid.size and valid.mean() >= MIN_VALID and np.count_nonzero(truth) >= MIN_TRUE:
            ious[box] = np.count_nonzero(truth & found) / np.count_nonzero(truth | found)
    return ious


def _nothing(done: int, total: int) -> None:
    """Progress nobody looks at."""
