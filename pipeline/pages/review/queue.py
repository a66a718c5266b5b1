"""Which boxes a person is asked about, and in which order: doubtful ones, of all videos and tracks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.manual import Correction, Corrections, Key, has_twin
from spotlabel.pipeline.store import FrameState, MaskReader

COUNT = 200
NEAR = 0.25
"""How far from the threshold of believability a box is not doubtful any more."""
OUTCOMES = (0.03, 0.97)
"""A believed mask of less or more of its box can hardly be meant."""
WORDS = {
    "threshold": "its believability is near the threshold",
    "jump": "its mask differs from those of its track in the frames around",
    "labelers": "labelers do not agree about it",
    "network": "the network and the other labeler do not agree about it",
    "outcome": "its mask is next to nothing, or the whole box",
    "proposed": "it was drawn by lot, for the audit",
}
"""Why a box is asked about."""

Column = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """A box of the queue.

    Attributes:
        video: its place in the recipe's list.
        frame: number of its frame.
        row: of the box in the video's table.
        key: of its correction.
        why: a key of :data:`WORDS`.
        doubt: from 0 to 1.
        box: ``x0, y0, x1, y1``.
    """

    video: int
    frame: int
    row: int
    key: Key
    why: str
    doubt: float
    box: tuple[float, ...]


def doubtful(video: int, masks: MaskReader, apart: Column | None = None) -> list[Asked]:
    """Boxes of a video of which something is doubtful, most doubtful first; the same for the same store.

    Args:
        video: its place in the recipe's list.
        masks: its store. Boxes of frames of which all is unknown, and of classes that hold no foreground,
            are left out, those whose corrections are in the masks already, and those that no correction can
            tell from another of their frame.
        apart: float64 (N,), how little labelers agree about each box, 0 to 1, NaN where nobody looked.
    """
    boxes, quality = masks.boxes, masks.quality
    settings: dict[str, Any] = dict(masks.structure("settings"))
    frame = np.repeat(np.arange(len(boxes)), np.diff(boxes.offsets))
    asked = (masks.state == FrameState.OK)[frame]
    if settings.get("classes") is not None:
        chosen = np.array([name in settings["classes"] for name in masks.class_names], np.bool_)
        asked &= chosen[boxes.class_id]
    doubts = _doubts(quality, masks.believed, float(settings["min_believability"]))
    doubts["labelers"] = np.nan_to_num(np.zeros(len(frame)) if apart is None else apart)
    doubts = {name: np.where(masks.manual > 0, 0.0, values) for name, values in doubts.items()}
    reasons, rows = list(doubts), np.flatnonzero(asked)
    table = np.stack([doubts[name] for name in reasons])
    most, reason = table.max(axis=0), table.argmax(axis=0)
    rows = rows[np.lexsort((rows, -most[rows]))]
    return [
        _asked(video, masks, (row, int(frame[row])), reasons[reason[row]], float(most[row]))
        for row in rows.tolist()
        if most[row] > 0 and _nameable(masks, row, int(frame[row]))
    ]


def _doubts(
    quality: Mapping[str, npt.NDArray[Any]],
    believed: npt.NDArray[np.bool_],
    threshold: float,
) -> dict[str, Column]:
    """From 0 to 1 for each reason and box, by what its store tells."""
    nothing = np.full(len(believed), np.nan)
    score = quality.get("believability", nothing).astype(np.float64)
    alike = quality.get("temporal", nothing).astype(np.float64)
    fill = quality["fill"].astype(np.float64)
    found = {
        "threshold": np.clip(1 - np.abs(score - threshold) / NEAR, 0, 1),
        "jump": np.where(fill >= OUTCOMES[0], np.clip(1 - alike, 0, 1), 0),  # else there is hardly a mask
        "network": np.clip(1 - quality.get("network_iou", nothing).astype(np.float64), 0, 1),
        "outcome": np.where(believed & ((fill < OUTCOMES[0]) | (fill > OUTCOMES[1])), 0.9, 0),
    }
    return {name: np.nan_to_num(values) for name, values in found.items()}


def _nameable(masks: MaskReader, row: int, index: int) -> bool:
    """Whether a correction can tell a box from the others of its frame."""
    boxes = masks.boxes
    return bool(boxes.track_id[row] >= 0) or not has_twin(boxes, index, row - boxes.rows(index).start)


def _asked(video: int, masks: MaskReader, box: tuple[int, int], why: str, doubt: float) -> Asked:
    row, index = box
    boxes, number = masks.boxes, int(masks.numbers[index])
    track = int(boxes.track_id[row])
    edges = tuple(boxes.xyxy[row].tolist())
    return Asked(video, number, row, (number, track, () if track >= 0 else edges), why, doubt, edges)


def stratified(videos: Iterable[list[Asked]], count: int) -> list[Asked]:
    """The first boxes of all videos by turns, within a video of all tracks by turns.

    A track's boxes are much alike: its second one comes when every track of its video has had its first.

    Args:
        videos: boxes of each video, most doubtful first.
        count: boxes in all, if there are as many.
    """
    turns = [_by_tracks(boxes) for boxes in videos]
    order: list[Asked] = []
    for turn in range(max(map(len, turns), default=0)):
        here = [boxes[turn] for boxes in turns if turn < len(boxes)]
        order += sorted(here, key=lambda box: (-box.doubt, box.video))
        if len(order) >= count:
            break
    return order[:count]


def _by_tracks(boxes: list[Asked]) -> list[Asked]:
    seen: dict[Any, int] = defaultdict(int)
    ranked = []
    for place, box in enumerate(boxes):
        track = box.key[1] if box.key[1] >= 0 else box.key
        ranked.append((seen[track], place))
        seen[track] += 1
    return [boxes[place] for _, place in sorted(ranked)]


def from_list(boxes: Iterable[tuple[str, Key]], videos: Mapping[str, Mapping[Key, Asked]]) -> list[Asked]:
    """Boxes that were named elsewhere, in that order; those that are no longer there are left out.

    Args:
        boxes: name of the video and key of each.
        videos: boxes by name of the video, of :func:`boxes_by_key`.
    """
    return [videos[name][key] for name, key in boxes if key in videos.get(name, {})]


def boxes_by_key(video: int, masks: MaskReader) -> dict[Key, Asked]:
    """All boxes of a video that corrections can tell apart, as a list that names them asks about them.

    Args:
        video: its place in the recipe's list.
        masks: its store.
    """
    frame = np.repeat(np.arange(len(masks.boxes)), np.diff(masks.boxes.offsets)).tolist()
    there = [place for place in enumerate(frame) if _nameable(masks, *place)]
    asked = [_asked(video, masks, place, "proposed", 0.0) for place in there]
    return {box.key: box for box in asked}


def said_of(corrections: Corrections, asked: Asked) -> Correction | None:
    """What was decided of a box; what was decided before it moved does not apply to it."""
    found = corrections.get(asked.key)
    return found if found is not None and tuple(found.box.tolist()) == asked.box else None
