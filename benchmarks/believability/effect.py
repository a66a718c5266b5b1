"""What the threshold does to the masks of the default preset: foreground that counts, and what is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.believability.judged import Run, labelled
from benchmarks.believability.report import percent, table
from pipeline.pixel_metrics import PixelCounts, count
from pipeline.plan import Item
from pipeline.quality import true_frames
from pipeline.store import UNKNOWN, MaskReader


def effect_table(runs: Iterable[Run], data: Path, out: Path) -> str:
    """Masks with and without ``min_believability``, all else as in the default preset."""
    rows = []
    for run in runs:
        without = _measured(run, data, out, {"preset": "default", "min_believability": 0.0})
        shipped = _measured(run, data, out, {"preset": "default"})
        for name, (before, unknown_before) in without.items():
            after, unknown_after = shipped[name]
            rows.append([
                name.split("|")[0], f"`{name.split('|')[1]}`",
                f"{before.f_measure:.3f} / {before.iou:.3f}", f"{after.f_measure:.3f} / {after.iou:.3f}",
                percent(unknown_before), percent(unknown_after),
            ])  # fmt: skip
    head = ["sequence", "labeler", "F / IoU, fill alone", "F / IoU, shipped", "unknown", "unknown, shipped"]
    return table(head, rows)


def _measured(
    run: Run, data: Path, out: Path, masks: dict[str, object]
) -> dict[str, tuple[PixelCounts, float]]:
    found = {}
    for item in labelled(run, data, out, masks):
        labeler = MaskReader(item.mask_path).text("labeler")
        found[f"{item.sequence.name.rpartition('/')[2]}|{labeler}"] = _counts(item, run.every)
    return found


def _counts(item: Item, every: int) -> tuple[PixelCounts, float]:
    """Pixels by verdict where the mask commits itself, and the unknown share of the boxes' valid pixels."""
    masks = MaskReader(item.mask_path)
    counts, unknown, inside = PixelCounts(), 0, 0
    for frame in true_frames(item.sequence, every):
        mask = masks.read(frame.position)
        counts += count(mask, frame.foreground, frame.valid, unknown="skip")
        boxed = np.zeros(masks.size, np.bool_)
        for x0, y0, x1, y1 in masks.boxes.at(frame.position):
            boxed[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
        boxed &= frame.valid
        unknown += int(np.count_nonzero(boxed & (mask == UNKNOWN)))
        inside += int(np.count_nonzero(boxed))
    return counts, unknown / inside if inside else float("nan")
