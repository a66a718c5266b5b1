"""From comparisons to figures: one summary a video, one pooled, and the boxes that changed most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spotlabel.pipeline.compare.changes import Changes
from spotlabel.pipeline.compare.objects import object_numbers
from spotlabel.pipeline.compare.stores import Comparison, Index

FAR_APART = 0.5
"""A box whose IoU is below this counts as ``below_half``."""

BOX_COLUMNS = (
    "sequence", "frame", "track", "class", "x0", "y0", "x1", "y1", "box_a", "box_b", "pixels", "iou",
    "difference", "believed_a", "believed_b", "foreground_a", "foreground_b", "unknown_a", "unknown_b",
    "gained", "lost", "to_unknown", "from_unknown",
)  # fmt: skip
"""Columns of :func:`box_rows`; pixel counts from ``foreground_a`` on."""

FRAME_COLUMNS = ("sequence", "frame", "iou", "difference", *BOX_COLUMNS[15:])
"""Columns of :func:`frame_rows`."""


@dataclass(frozen=True)
class Figures:
    """What changed in one video, or in all together.

    Attributes:
        sequence: its name.
        frames: frames that are in both versions.
        boxes: boxes that are in both versions.
        compared: those of them that have foreground to compare; the IoU figures are over these.
        mean_iou: mean of their IoU; None if there are none.
        median_iou: likewise the median.
        below_half: share of them whose IoU is below 0.5; None if there are none.
        unknown_a: share of the pixels of all boxes that is unknown in A (where boxes overlap, a pixel counts
            for each); None if there are no pixels.
        unknown_b: likewise in B.
        foreground_a: likewise foreground in A.
        foreground_b: likewise foreground in B.
        believed_only_a: boxes believed in A and not in B.
        believed_only_b: boxes believed in B and not in A.
        gained: pixels of whole frames that are background in A and foreground in B.
        lost: foreground in A and background in B.
        to_unknown: known in A and unknown in B.
        from_unknown: unknown in A and known in B.
        lone_frames: frames only A has, and only B.
        lone_boxes: boxes only A has, and only B.
    """

    sequence: str
    frames: int
    boxes: int
    compared: int
    mean_iou: float | None
    median_iou: float | None
    below_half: float | None
    unknown_a: float | None
    unknown_b: float | None
    foreground_a: float | None
    foreground_b: float | None
    believed_only_a: int
    believed_only_b: int
    gained: int
    lost: int
    to_unknown: int
    from_unknown: int
    lone_frames: tuple[int, int]
    lone_boxes: tuple[int, int]

    def as_data(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


def figures(name: str, parts: Sequence[Comparison]) -> Figures:
    """Figures of one video, or pooled over the boxes of several."""
    boxes, frames = (Changes.joined(getattr(p, which) for p in parts) for which in ("boxes", "frames"))
    ious = boxes.iou[~np.isnan(boxes.iou)]
    pixels = int(boxes.pixels.sum())
    only_a = [int((p.believed_a & ~p.believed_b).sum()) for p in parts]
    only_b = [int((p.believed_b & ~p.believed_a).sum()) for p in parts]

    def share(counts: Index) -> float | None:
        return int(counts.sum()) / pixels if pixels else None

    return Figures(
        sequence=name,
        frames=len(frames),
        boxes=len(boxes),
        compared=len(ious),
        mean_iou=float(ious.mean()) if len(ious) else None,
        median_iou=float(np.median(ious)) if len(ious) else None,
        below_half=float((ious < FAR_APART).mean()) if len(ious) else None,
        unknown_a=share(boxes.unknown_a),
        unknown_b=share(boxes.unknown_b),
        foreground_a=share(boxes.foreground_a),
        foreground_b=share(boxes.foreground_b),
        believed_only_a=sum(only_a),
        believed_only_b=sum(only_b),
        gained=int(frames.gained.sum()),
        lost=int(frames.lost.sum()),
        to_unknown=int(frames.to_unknown.sum()),
        from_unknown=int(frames.from_unknown.sum()),
        lone_frames=(sum(p.lone_frames[0] for p in parts), sum(p.lone_frames[1] for p in parts)),
        lone_boxes=(sum(p.lone_boxes[0] for p in parts), sum(p.lone_boxes[1] for p in parts)),
    )


def most_changed(parts: Sequence[Comparison], top: int) -> list[tuple[Comparison, int]]:
    """The boxes that differ most (:attr:`Changes.difference`), most first.

    An object (:func:`spotlabel.pipeline.compare.objects.object_numbers`) stands there once, with the frame
    in which it differs most: otherwise one parked car would fill the list. Boxes in which nothing changed
    are left out; among equals the first stays first.

    Args:
        parts: the comparisons.
        top: how many at most.

    Returns:
        Comparison and position of the box in it.
    """
    degree = [part.boxes.difference for part in parts]
    objects = [object_numbers(part.frame_of, part.xyxy, part.track_id) for part in parts]
    part_of = np.repeat(np.arange(len(parts)), [len(d) for d in degree])
    box_of = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(d)) for d in degree)])
    values = np.concatenate([np.zeros(0), *degree])
    chosen: list[tuple[Comparison, int]] = []
    seen: set[tuple[int, int]] = set()
    for rank in np.argsort(-values, kind="stable"):
        if len(chosen) == top or values[rank] == 0:
            break
        part, box = int(part_of[rank]), int(box_of[rank])
        key = part, int(objects[part][box])
        if key not in seen:
            seen.add(key)
            chosen.append((parts[part], box))
    return chosen


def box_rows(part: Comparison) -> Iterator[tuple[Any, ...]]:
    """One row per box with the columns :data:`BOX_COLUMNS`; no IoU is an empty cell."""
    changes, iou, difference = part.boxes, part.boxes.iou, part.boxes.difference
    pixels, counts = changes.pixels, _pixel_columns(changes)
    for i in range(len(changes)):
        track = int(part.track_id[i])
        corners = (f"{value:g}" for value in part.xyxy[i].tolist())
        yield (
            part.sequence, int(part.numbers[part.frame_of[i]]), "" if track < 0 else track,
            part.class_name[i], *corners, int(part.box_a[i]), int(part.box_b[i]), int(pixels[i]),
            _ratio_text(iou[i]), _ratio_text(difference[i]), int(part.believed_a[i]),
            int(part.believed_b[i]), *counts[i].tolist(),
        )  # fmt: skip


def frame_rows(part: Comparison) -> Iterator[tuple[Any, ...]]:
    """One row per frame with the columns :data:`FRAME_COLUMNS`; no IoU is an empty cell."""
    changes, counts = part.frames, _pixel_columns(part.frames)
    for i, (iou, difference) in enumerate(zip(changes.iou, changes.difference, strict=True)):
        ratios = (_ratio_text(iou), _ratio_text(difference))
        yield (part.sequence, int(part.numbers[i]), *ratios, *counts[i].tolist())


def _pixel_columns(changes: Changes) -> Index:
    """The pixel counts of :data:`BOX_COLUMNS`, int64 (N, 8)."""
    return np.column_stack([getattr(changes, name) for name in BOX_COLUMNS[15:]])


def _ratio_text(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4f}"
