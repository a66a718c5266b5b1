"""What the threshold does to the masks of the default preset: foreground that counts, and what is unknown."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.believability.judged import Run, labelled
from benchmarks.believability.report import percent, table
from spotlabel.labelers.masks.boxes import inside_rects, touched_rects
from spotlabel.pipeline.measures.pixels import PixelCounts, count
from spotlabel.pipeline.measures.quality import true_frames
from spotlabel.pipeline.store import UNKNOWN, MaskReader
from spotlabel.pipeline.upkeep.plan import Item

EVERY = 4
"""How many of the frames are compared: every so many."""


def effect_table(runs: Iterable[Run], data: Path, out: Path) -> str:
    """Masks with and without ``min_believability``, all else as in the default preset."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for run in runs:
            without = {
                item.sequence.name: shutil.copy(item.mask_path, folder)
                for item in labelled(run, data, out, {"preset": "default", "min_believability": 0.0})
            }
            for item in labelled(run, data, out, {"preset": "default"}):
                rows.append(_row(item, Path(without[item.sequence.name])))
    head = ["sequence", "labeler", "F / IoU, fill alone", "F / IoU, shipped", "unknown", "unknown, shipped"]
    return table(head, rows)


def _row(item: Item, without: Path) -> list[str]:
    stores = (MaskReader(without), MaskReader(item.mask_path))
    before, after = _measured(item, stores)
    return [
        item.sequence.name, f"`{stores[1].text('labeler')}`",
        f"{before[0].f_measure:.3f} / {before[0].iou:.3f}", f"{after[0].f_measure:.3f} / {after[0].iou:.3f}",
        percent(before[1]), percent(after[1]),
    ]  # fmt: skip


def _measured(item: Item, stores: tuple[MaskReader, ...]) -> list[tuple[PixelCounts, float]]:
    """For each store: pixels by verdict where it commits itself, and the unknown share of the boxes."""
    counts, unknown, inside = [PixelCounts() for _ in stores], [0 for _ in stores], 0
    for frame in true_frames(item.sequence, EVERY):
        boxed = inside_rects(
            stores[0].size, touched_rects(stores[0].boxes.at(frame.position), stores[0].size)
        )
        boxed &= frame.valid
        inside += int(np.count_nonzero(boxed))
        for index, masks in enumerate(stores):
            mask = masks.read(frame.position)
            counts[index] += count(mask, frame.foreground, frame.valid, unknown="skip")
            unknown[index] += int(np.count_nonzero(mask[boxed != 0] == UNKNOWN))
    return [(found, share / inside) for found, share in zip(counts, unknown, strict=True)]
