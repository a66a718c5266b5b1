"""Which corrections are of boxes that are still there: those that are not are told, and never guessed at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.manual.corrections import Correction, Corrections


class Why(StrEnum):
    """Why a correction does not apply."""

    NO_FRAME = "no such frame"
    GONE = "box gone"
    ALIKE = "several boxes with these edges and no track"
    MOVED = "box moved"
    UNUSABLE = "frame unreadable or not annotated"
    CLASS = "class is none of masks.classes"


@dataclass(frozen=True)
class Fitted:
    """Corrections beside the boxes of now.

    Attributes:
        applied: by row of the box in the table.
        left: those that do not apply, and why; in their order.
    """

    applied: dict[int, Correction]
    left: list[tuple[Correction, Why]]

    @property
    def lacking(self) -> str:
        """How many do not apply, by reason, in words; empty if all do."""
        counts = Counter(why for _, why in self.left)
        return ", ".join(f"{why}: {counts[why]}" for why in Why if why in counts)


def fit(
    corrections: Corrections,
    numbers: npt.NDArray[np.int64],
    boxes: BoxTable,
    usable: npt.NDArray[np.bool_],
    selected: npt.NDArray[np.bool_],
) -> Fitted:
    """Find the box of each correction.

    It is the one of the same frame and track, or, without a track, of the same frame and edges. Its edges
    must be what they were, and without a track no other box of the frame may have the same.

    Args:
        corrections: of a video.
        numbers: int64 (T,), numbers of its frames, rising.
        boxes: of these T frames, N in all.
        usable: bool (T,), frames that have pixels and were annotated.
        selected: bool (N,), boxes of classes that may hold foreground.
    """
    applied: dict[int, Correction] = {}
    left: list[tuple[Correction, Why]] = []
    place = {int(number): index for index, number in enumerate(numbers.tolist())}
    for correction in corrections.values():
        index = place.get(correction.frame)
        row = None if index is None else _row_of(correction, boxes, index)
        if index is None:
            left.append((correction, Why.NO_FRAME))
        elif row is None:
            left.append((correction, Why.GONE))
        elif not np.array_equal(boxes.xyxy[row], correction.box):
            left.append((correction, Why.MOVED))
        elif correction.track < 0 and has_twin(boxes, index, row - boxes.rows(index).start):
            left.append((correction, Why.ALIKE))
        elif not usable[index]:
            left.append((correction, Why.UNUSABLE))
        elif not selected[row]:
            left.append((correction, Why.CLASS))
        else:
            applied[row] = correction
    return Fitted(applied, left)


def has_twin(boxes: BoxTable, index: int, row: int) -> bool:
    """Whether another box of a frame has the same edges and no track either: no correction tells them apart.

    Args:
        boxes: of a video.
        index: position of the frame.
        row: of a box in the frame; one with a track has no twin.
    """
    rows = boxes.rows(index)
    tracks, edges = boxes.track_id[rows], boxes.xyxy[rows]
    alike = (tracks < 0) & (edges == edges[row]).all(axis=1)
    return bool(tracks[row] < 0 and np.count_nonzero(alike) > 1)


def _row_of(correction: Correction, boxes: BoxTable, index: int) -> int | None:
    """Row in the table of the box that was corrected; of several of a track the one that did not move."""
    rows = boxes.rows(index)
    alike = boxes.track_id[rows] == correction.track
    still = alike & (boxes.xyxy[rows] == correction.box).all(axis=1)
    if correction.track < 0 or still.any():
        alike = still
    return rows.start + int(np.argmax(alike)) if alike.any() else None
