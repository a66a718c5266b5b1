"""Whether the outcome of a video can be meant: one line for everything that looks like a mistake.

Masks on the wrong pixels look like masks. What betrays them is that hardly anything of a video is as it
should be: no box has foreground, every other frame has no box, half the boxes leave the image. Each rule here
fires far from what right data give, so that a line is worth reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxFlag, BoxTable
from spotlabel.pipeline.measures.fit import Fit

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

FEW = 5
"""Fewer boxes than this say nothing of a share."""
FEWEST_ROWS = 3
"""Frames with boxes from which a stride is read."""
MIN_SIDE = 2.0
"""Boxes with a shorter side (px) have no inside."""
HALF = 0.5
MOST_LEFT_OUT = 0.25
LEAST_BELIEVED = 0.1
JUMPS = 0.8
MANY_FRAMES, LARGE_PART = 10, 0.2
"""Frames without boxes at an end that are too many for a pause: this number, and this share of the video."""
BORDER = 0.05
"""Nearer to the border than this share of the image, objects come and go."""


@dataclass(frozen=True)
class Result:
    """What there is to say of one video's masks, in columns.

    Attributes:
        boxes: boxes of the T frames.
        ok: bool (T,), the frame's mask is known.
        warm_up: bool (T,), it is not because the labeler did not know the scene.
        ask: it is a question whether frames without boxes were looked at: people drew boxes and did not say.
        selected: bool (N,), the box is of a class that makes foreground.
        fill: float32 (N,), share of the box that is foreground.
        believed: bool (N,).
        dropped: boxes that were left out.
        has_unknown: some of the mask is unknown though there is no box.
        fit: whether evidence lies where the boxes are.
        size: height and width of the frames, px.
        fixed: the camera is said to stand still.
        first_frame: what the boxes call the first image; None where no option says so.
    """

    boxes: BoxTable
    ok: Bool
    warm_up: Bool
    ask: bool
    selected: Bool
    fill: npt.NDArray[np.float32]
    believed: Bool
    dropped: int
    has_unknown: bool
    fit: Fit
    size: tuple[int, int]
    fixed: bool = True
    first_frame: int | None = None


def findings(result: Result) -> list[str]:
    """One line for everything that cannot be meant; empty for most videos."""
    return [*_of_frames(result), *_of_boxes(result), *_of_rows(result), *_of_masks(result), *_of_fit(result)]


def _of_frames(result: Result) -> Iterator[str]:
    frames = len(result.ok)
    if result.warm_up.any() and not result.ok.any():
        yield f"all {int(result.warm_up.sum())} frames are warm-up: their masks are unknown, none is usable"
    elif frames and not result.ok.any():
        yield f"none of {frames} frames has a mask that is known"


def _of_boxes(result: Result) -> Iterator[str]:
    xyxy, dropped = result.boxes.xyxy, result.dropped
    count = len(xyxy)
    if not count:
        rest = " (crowd or ignored objects are there, and unknown)" if result.has_unknown else ""
        lost = f", {dropped} were left out" if dropped else ""
        yield f"no box in any of {len(result.ok)} frames{lost}: all that is known is background{rest}"
        return
    tiny = int(np.count_nonzero((xyxy[:, 2:] - xyxy[:, :2]).min(axis=1) < MIN_SIDE))
    if tiny >= HALF * count:
        yield f"{tiny} of {count} boxes are under {MIN_SIDE:g} px: are they in pixels?"
    if dropped >= FEW and dropped >= MOST_LEFT_OUT * (count + dropped):
        yield f"{dropped} of {count + dropped} boxes are left out, nothing of them is in an image"
    cut = int(np.count_nonzero(result.boxes.flags & BoxFlag.CLIPPED))
    if count >= FEW and cut >= HALF * count:
        yield f"{cut} of {count} boxes reach beyond the image: are they of images of this size?"


def _of_rows(result: Result) -> Iterator[str]:
    """Boxes that come in some frames only, though all of them count as annotated."""
    if not result.ask:
        return
    filled = np.flatnonzero(np.diff(result.boxes.offsets))
    if (step := stride(filled)) > 1:
        yield (
            f"only every {ordinal(step)} frame has boxes, and the others count as free of objects: "
            f"if nobody looked at them, set dataset.annotated=every-{step}"
        )
    elif len(filled) >= FEWEST_ROWS and (np.diff(filled) > 1).mean() >= JUMPS:
        yield (
            f"{len(filled)} frames have boxes and their neighbours have none, which count as free of "
            "objects: if nobody looked at them, set dataset.annotated=listed"
        )
    elif bare := cut_off(result.boxes, result.size):
        yield (
            f"objects in mid-image have boxes up to a frame and none in all {bare} frames beyond, which "
            "count as free of objects: if nobody looked at them, set dataset.annotated=listed"
        )
    elif (step := track_stride(result.boxes)) > 1:
        yield (
            f"tracks have a box in about every {ordinal(step)} frame only, and between these their objects "
            "count as background: export the boxes of all frames, interpolated"
        )


def cut_off(boxes: BoxTable, size: tuple[int, int]) -> int:
    """Frames before the first or after the last boxes, if objects do not come or go there but are cut off.

    Of all objects of that frame, two at least, none is near the image's border, and the frames without boxes
    are many. Traffic leaves by the border, or one by one.

    Args:
        boxes: of a whole video.
        size: height and width, px.
    """
    filled = np.flatnonzero(np.diff(boxes.offsets))
    if not len(filled):
        return 0
    edge = np.array([size[1], size[0]])
    enough = max(MANY_FRAMES, LARGE_PART * len(boxes))
    first, last = int(filled[0]), int(filled[-1])
    bare = 0
    for index, count in ((first, first), (last, len(boxes) - 1 - last)):
        xyxy = boxes.at(index)
        inside = (xyxy[:, :2] > BORDER * edge) & (xyxy[:, 2:] < (1 - BORDER) * edge)
        if len(xyxy) > 1 and inside.all() and count >= enough:
            bare += count
    return bare


def ordinal(number: int) -> str:
    """``2nd``, ``3rd``, ``11th`` ..."""
    last = number % 10 if number % 100 not in (11, 12, 13) else 0
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def stride(filled: Int64) -> int:
    """Regular step from one frame with boxes to the next; 1 if there is none.

    Args:
        filled: int64 (K,), positions of frames with boxes, rising. Three at one distance from each other, or
            more at multiples of one, are regular.
    """
    steps = np.diff(filled)
    if len(filled) < FEWEST_ROWS or (len(filled) == FEWEST_ROWS and steps[0] != steps[1]):
        return 1
    return int(np.gcd.reduce(steps))


def track_stride(boxes: BoxTable) -> int:
    """Median step from one box of a track to its next, if hardly any two are in frames in a row; else 1."""
    frame = np.repeat(np.arange(len(boxes)), np.diff(boxes.offsets))
    order = np.lexsort((frame, boxes.track_id))
    track, at = boxes.track_id[order], frame[order]
    steps = np.diff(at)[(track[1:] == track[:-1]) & (track[1:] >= 0)]
    if len(steps) < FEW or (steps > 1).mean() < JUMPS:
        return 1
    return int(np.median(steps))


def _of_masks(result: Result) -> Iterator[str]:
    ok = np.repeat(result.ok, np.diff(result.boxes.offsets))
    judged = ok & result.selected
    count = int(judged.sum())
    if not count:
        if len(ok) and result.ok.any():
            where = "of the chosen classes (masks.classes) " if not result.selected.all() else ""
            yield f"none of {len(ok)} boxes {where}lies in a frame whose mask is known: nothing is foreground"
        return
    believed = int(result.believed[judged].sum())
    if count >= FEWEST_ROWS and not (result.fill[judged] > 0).any():
        yield f"no foreground in any of {count} boxes"
    elif count >= FEW and believed < LEAST_BELIEVED * count:
        yield f"{believed} of {count} boxes are believed, the others are unknown or background"


def _of_fit(result: Result) -> Iterator[str]:
    fit = result.fit
    if place := fit.place():
        yield f"foreground would fill the boxes if these were {place}: are they of these images?"
    elif shift := fit.shift():
        when = "before" if shift < 0 else "after"
        better = f"foreground fits the boxes of the frame {when} clearly better: counted from 0, or from 1?"
        called = result.first_frame
        yield (
            better
            if called is None
            else f"{better} (dataset.first_frame={called + shift} would put that right)"
        )
    if result.fixed and fit.outside() > HALF:
        yield (
            f"the evidence calls {fit.outside():.0%} of what lies outside the boxes foreground: "
            "does the camera move (dataset.camera=moving), or the light change?"
        )
