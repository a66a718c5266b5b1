"""The frames of a video that tell most about its masks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.store import FrameState, MaskReader

COUNT = 12
WORDS = {
    "doubt": "a box of least believability",
    "unknown": "most of it in boxes that are not believed",
    "change": "a mask that changes most along its track",
    "even": "evenly spread",
}
"""Why a frame was chosen."""

Column = npt.NDArray[np.float64]


def telling_frames(masks: MaskReader | None, boxes: BoxTable, count: int = COUNT) -> list[tuple[int, str]]:
    """Positions of frames with why each was chosen, in order.

    By turns: the frame that holds the box of least believability; of which most is boxes that are not
    believed; of the box whose mask is least like those of its track in the frames before and after; all at
    least half an even step apart. The rest, and all of a video without masks, are spread
    evenly over the frames with boxes. The same stores give the same frames.

    Args:
        masks: of the video; None if there are none, or others than those of these boxes.
        boxes: of the video.
        count: frames in all, if there are as many.
    """
    chosen: dict[int, str] = {}
    apart = max(1, len(boxes) // (2 * count))
    orders = {} if masks is None else _orders(masks)
    for _ in range(count):
        for why, order in orders.items():
            if len(chosen) < count:
                _take(order, chosen, why, apart)
    with_boxes = np.flatnonzero(np.diff(boxes.offsets))
    places = with_boxes if len(with_boxes) else np.arange(len(boxes))
    even = (
        places[((np.arange(count) + 0.5) * len(places) / count).astype(np.int64)] if len(places) else places
    )
    for at in even.tolist():
        if len(chosen) < count:
            chosen.setdefault(at, "even")
    return sorted(chosen.items())


def _take(order: list[int], chosen: dict[int, str], why: str, apart: int) -> None:
    """Choose the first frame of an order that is not near one taken."""
    for at in order:
        if all(abs(at - one) >= apart for one in chosen):
            chosen[at] = why
            return


def _orders(masks: MaskReader) -> dict[str, list[int]]:
    """Frames by what they tell, most telling first; frames that tell nothing are left out."""
    boxes, quality = masks.boxes, masks.quality
    nothing = np.full(len(boxes.xyxy), np.nan)
    score = quality.get("believability", nothing).astype(np.float64)
    alike = quality.get("temporal", nothing).astype(np.float64)
    frame = np.repeat(np.arange(len(boxes)), np.diff(boxes.offsets))
    known = np.isin(masks.state, [FrameState.OK])[frame]
    sides = np.maximum(boxes.xyxy[:, 2:] - boxes.xyxy[:, :2], 0).astype(np.float64)
    left_out = np.where(known & ~masks.believed, sides[:, 0] * sides[:, 1], 0)
    area = np.bincount(frame, left_out, minlength=len(boxes))
    return {
        "doubt": _rising(_least(score, known, frame, len(boxes))),
        "unknown": _rising(np.where(area > 0, -area, np.inf)),
        "change": _rising(_least(alike, known, frame, len(boxes))),
    }


def _least(values: Column, known: npt.NDArray[np.bool_], frame: npt.NDArray[np.int64], frames: int) -> Column:
    """The least value of each frame's boxes, infinite where there is none."""
    least = np.full(frames, np.inf)
    some = known & np.isfinite(values)
    np.minimum.at(least, frame[some], values[some])
    return least


def _rising(values: Column) -> list[int]:
    order = np.argsort(values, kind="stable")
    return [int(at) for at in order if np.isfinite(values[at])]
