"""Every box of a labelled sequence with what the quality table says of it and its true IoU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.believability.tracks import tracked
from spotlabel.labelers.masks import resolve
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.labelers.masks.cues import Cues
from spotlabel.pipeline.datasets.cdnet_truth import EvaluatedFrame
from spotlabel.pipeline.measures.quality import true_frames
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.stages.evidence import make_evidence
from spotlabel.pipeline.stages.masks import make_masks
from spotlabel.pipeline.store import FOREGROUND, FrameState, MaskReader
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Item, evidence_need, items

MIN_VALID = 0.5
"""A box counts if the ground truth speaks of at least this share of its pixels..."""
MIN_TRUE = 20
"""... and knows at least this many px of foreground in it."""
UNTOUCHED = {"preset": "default", "weak_boxes": "keep", "min_fill": 0.0, "min_believability": 0.0}
"""Masks whose boxes are all kept: what is judged is what the threshold will choose from."""

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One dataset with one labeler for each camera kind.

    Attributes:
        reader: dataset reader; its data lie in the folder of the same name, rendered scenes need none.
        fixed: labeler for fixed cameras.
        moving: labeler for moving cameras.
        every: how many of the frames with truth are compared: every so many.
    """

    reader: str
    fixed: str
    moving: str
    every: int = 1


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
    def cues(self) -> Cues:
        """The cues among the columns."""
        names = ("fill", "contact", "agreement", "overlap", "own_fill", "size")
        return Cues(**{name: self.quality[name] for name in names})


def recipe_for(run: Run, data: Path, out: Path, masks: dict[str, object]) -> Recipe:
    """The recipe of a run; evidence is kept below ``out``."""
    tree = {
        "data": str(data / run.reader),
        "out": str(out / run.reader / run.fixed),
        "dataset": {"reader": run.reader},
        "labeler": {"fixed": run.fixed, "moving": run.moving},
        "masks": masks,
    }
    return build_recipe(tree, where=f"{run.reader}, {run.fixed}/{run.moving}")


def labelled(run: Run, data: Path, out: Path, masks: dict[str, object]) -> Iterator[Item]:
    """Sequences of a run with their masks made; evidence is made only where it is not there."""
    recipe = recipe_for(run, data, out, masks)
    for item in items(recipe):
        own = item.sequence.load()
        if evidence_need(recipe, item).state != State.FRESH:
            make_evidence(recipe, item, own, _nothing)
        item.cache.save()
        make_masks(recipe, item, tracked(own), _nothing)
        yield item


def judge(run: Run, data: Path, out: Path) -> list[Judged]:
    """Label the sequences of a run and measure each of their boxes."""
    return [_judged(item, run.every) for item in labelled(run, data, out, UNTOUCHED)]


def _judged(item: Item, every: int) -> Judged:
    masks = MaskReader(item.mask_path)
    settings = resolve("default", {})
    ious = np.full(len(masks.boxes.xyxy), np.nan)
    for frame in true_frames(item.sequence, every):
        if masks.state[frame.position] == FrameState.OK:
            rects = pixel_rects(masks.boxes.at(frame.position), masks.size, settings)
            ious[masks.boxes.rows(frame.position)] = box_ious(masks.read(frame.position), frame, rects)
    counts = ~np.isnan(ious)
    columns = {name: column[counts] for name, column in masks.quality.items()}
    return Judged(item.sequence.name.rpartition("/")[2], masks.text("labeler"), ious[counts], columns)


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
