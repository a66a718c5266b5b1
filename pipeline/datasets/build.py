"""From native rectangles to checked tables: the one place where annotated boxes are refused or dropped."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxFlag, BoxTable, RegionTable, clip_boxes
from spotlabel.pipeline.datasets.base import ReaderOptions
from spotlabel.pipeline.datasets.doubts import IMPLAUSIBLE, doubt_boxes
from spotlabel.pipeline.datasets.mend import check_tracks, regions_with_area, without_empty
from spotlabel.pipeline.datasets.native import NativeBoxes, NativeRects
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import Annotations, FrameSource

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

MAX_COORDINATE = 1e6
"""Native coordinates beyond this many pixels are refused."""
MAX_IMAGES_WIDE = 10
"""Rectangles larger than this many image sides are refused."""

logger = logging.getLogger("spotlabel")


@dataclass(frozen=True)
class Canvas:
    """What rectangles are fitted to.

    Attributes:
        size: height and width of the images, in pixels.
        numbers: int64 (T,), frame numbers, strictly rising.
        origin: native coordinate of the left and top image edge.
        beyond: what to do with boxes of frame numbers that have no image.
        bad_boxes: what to do with boxes of width or height 0.
        repeated_tracks: what to do with a track that is in a frame more than once.
        numbered: the reader has an option ``first_frame``.
    """

    size: tuple[int, int]
    numbers: Int64
    origin: float
    beyond: Literal["refuse", "drop"]
    bad_boxes: Literal["drop", "fail"] = "fail"
    repeated_tracks: Literal["untrack", "fail"] = "fail"
    numbered: bool = False

    @classmethod
    def of(
        cls,
        frames: FrameSource,
        origin: float,
        options: ReaderOptions,
        *,
        first_frame: int | None = None,
        numbered: bool = False,
    ) -> Canvas:
        """The canvas of a frame source; reads the first frame for its size.

        Args:
            frames: the images.
            origin: native coordinate of the left and top image edge.
            options: what to do with boxes that cannot stay as they are.
            first_frame: what the boxes file calls the first image; None if it is the image's own number.
            numbered: the reader has an option ``first_frame``.
        """
        numbers = frames.numbers
        if first_frame is not None:
            numbers = numbers + (first_frame - int(numbers[0]))
        rules = (options.beyond, options.bad_boxes, options.repeated_tracks)
        return cls(frames.size, numbers, origin, *rules, numbered)


@dataclass(frozen=True)
class _Fitted:
    """Rectangles inside the image: M of the N that came in."""

    rows: Int64  # (M,) which of the N
    xyxy: npt.NDArray[np.float32]  # (M, 4)
    clipped: Bool  # (M,)


def build_annotations(
    boxes: NativeBoxes,
    canvas: Canvas,
    *,
    static: Seq[NativeRects] = (),
    per_frame: NativeRects | None = None,
    named: Iterable[int] | None = None,
) -> Annotations:
    """Check native boxes and ignore regions and fit them to the image.

    Boxes that reach beyond the image are cut at its border, flagged and counted; boxes with no area left
    inside are dropped and counted; so are, if the canvas says so, those of
    :mod:`spotlabel.pipeline.datasets.mend` and boxes of frames without an image. Rows are
    ordered by frame, then as in the file.

    Args:
        boxes: boxes in native coordinates.
        canvas: image size, frame numbers and the native origin.
        static: lists of ignore regions of every frame, in the same native coordinates.
        per_frame: ignore regions with their frame numbers.
        named: numbers of the frames that the file names, with or without boxes; None if its format names
            only those with boxes.

    Returns:
        Boxes and regions in pixel edges, 0-based, half-open.

    Raises:
        DatasetError: names file, line or element, and field of the first rectangle that has a coordinate
            that is not finite, a side < 0, an absurd size, or (as the canvas says) a side of 0, a track id
            twice in one frame, a frame number without an image.
    """
    given = len(boxes.rects)
    if canvas.bad_boxes == "drop":
        boxes = without_empty(boxes)
    boxes = check_tracks(boxes, canvas.repeated_tracks)
    fitted = _fit(boxes.rects, canvas)
    doubt_boxes(boxes, canvas.size)
    positions, has_image = _positions(boxes.rects, canvas)
    keep = has_image[fitted.rows]
    rows, xyxy, clipped = fitted.rows[keep], fitted.xyxy[keep], fitted.clipped[keep]
    order = np.argsort(positions[rows], kind="stable")
    flags = boxes.flags[rows] | np.where(clipped, np.uint8(BoxFlag.CLIPPED), np.uint8(0))
    table = BoxTable(
        _offsets(positions[rows], len(canvas.numbers)),
        xyxy[order],
        boxes.class_id[rows][order],
        boxes.track_id[rows][order],
        flags[order].astype(np.uint8),
    )
    regions = _regions(canvas, static, per_frame)
    dropped = given - len(rows)
    return Annotations(
        table,
        regions,
        boxes.class_names,
        canvas.origin,
        int(clipped.sum()),
        dropped,
        listed=_listed(canvas, boxes.rects, per_frame, named),
    )


def _listed(
    canvas: Canvas, boxes: NativeRects, regions: NativeRects | None, named: Iterable[int] | None
) -> Bool:
    """Frames that the file speaks of, bool (T,)."""
    own = [boxes.frame] if regions is None else [boxes.frame, regions.frame]
    also = [] if named is None else [np.fromiter(named, np.int64)]
    return np.isin(canvas.numbers, np.concatenate([*own, *also]))


def _regions(canvas: Canvas, static: Seq[NativeRects], per_frame: NativeRects | None) -> RegionTable:
    """Static regions first in every frame, then the frame's own."""
    count = len(canvas.numbers)
    positions: list[Int64] = [np.zeros(0, np.int64)]
    parts: list[npt.NDArray[np.float32]] = [np.zeros((0, 4), np.float32)]
    if canvas.bad_boxes == "drop":
        static = [regions_with_area(rects) for rects in static]
        per_frame = None if per_frame is None else regions_with_area(per_frame)
    for rects in static:
        fixed = _fit(rects, canvas)
        _tell_outside(rects, fixed)
        positions.append(np.repeat(np.arange(count), len(fixed.xyxy)))
        parts.append(np.tile(fixed.xyxy, (count, 1)))
    if per_frame is not None:
        own = _fit(per_frame, canvas)
        _tell_outside(per_frame, own)
        at, has_image = _positions(per_frame, canvas)
        keep = has_image[own.rows]
        positions.append(at[own.rows[keep]])
        parts.append(own.xyxy[keep])
    position = np.concatenate(positions)
    order = np.argsort(position, kind="stable")
    return RegionTable(_offsets(position, count), np.concatenate(parts)[order])


def _tell_outside(rects: NativeRects, fitted: _Fitted) -> None:
    if outside := len(rects) - len(fitted.rows):
        logger.warning("%s: %d ignore regions lie outside the image and are left out", rects.path, outside)


def _fit(rects: NativeRects, canvas: Canvas) -> _Fitted:
    _refuse_bad_geometry(rects, canvas)
    ours = rects.xyxy - canvas.origin
    inside = clip_boxes(ours, canvas.size)
    xyxy = inside.astype(np.float32)
    has_area = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    clipped = (inside != ours).any(axis=1)
    return _Fitted(np.flatnonzero(has_area), xyxy[has_area], clipped[has_area])


def _refuse_bad_geometry(rects: NativeRects, canvas: Canvas) -> None:
    with np.errstate(invalid="ignore"):
        ltwh = rects.ltwh()
        sides = ltwh[:, 2:]
        limit = MAX_IMAGES_WIDE * np.array(canvas.size[::-1], np.float64)
        _refuse(rects, ltwh, ~np.isfinite(ltwh), "expected a finite number")
        _refuse(rects, ltwh, _in_sides(sides <= 0), "expected more than 0")
        advice = f"expected at most {MAX_COORDINATE:g}"
        _refuse(rects, ltwh, np.abs(ltwh) > MAX_COORDINATE, advice)
        advice = f"more than {MAX_IMAGES_WIDE} times the image of {canvas.size[1]} x {canvas.size[0]} pixels"
        _refuse(rects, ltwh, _in_sides(sides > limit), advice)


def _in_sides(wrong: Bool) -> Bool:
    """Errors of width and height, bool (N, 2), as errors of all four columns, bool (N, 4)."""
    return np.concatenate([np.zeros_like(wrong), wrong], axis=1)


def _refuse(rects: NativeRects, ltwh: npt.NDArray[np.float64], wrong: Bool, expected: str) -> None:
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        problem = f"{rects.fields[column]} is {ltwh[row, column]:g}, {expected}"
        raise DatasetError.at(rects.path, rects.where(row), problem)


def _positions(rects: NativeRects, canvas: Canvas) -> tuple[Int64, Bool]:
    """Position of every rectangle's frame, int64 (N,), and whether it has an image, bool (N,)."""
    numbers = canvas.numbers
    positions = np.minimum(np.searchsorted(numbers, rects.frame), len(numbers) - 1)
    has_image = numbers[positions] == rects.frame
    if has_image.all():
        return positions, has_image
    advice = _other_numbering(rects.frame, canvas)
    if canvas.beyond == "refuse":
        row = int(np.flatnonzero(~has_image)[0])
        span = f"{numbers[0]} to {numbers[-1]}"
        if len(numbers) > 1 and numbers[1] - numbers[0] > 1:
            span += f" in steps of {numbers[1] - numbers[0]}"
        problem = f"frame {rects.frame[row]} has no image, the images are {span}"
        advice = advice or "add the images, or set dataset.beyond=drop to leave such boxes out"
        raise DatasetError.at(rects.path, rects.where(row), problem, advice)
    if advice:
        outside = int(np.count_nonzero(~has_image))
        logger.warning(
            "%s: %d boxes of frames without an image are left out, but %s", rects.path, outside, advice,
            extra=IMPLAUSIBLE,
        )  # fmt: skip
    return positions, has_image


def _other_numbering(frame: Int64, canvas: Canvas) -> str:
    """What to do if all boxes have an image once their frame numbers are shifted; empty if they have not.

    A shift by one is an old acquaintance (counting from 0 or from 1). A larger one is believed only if boxes
    then stand in the first and in the last image.
    """
    numbers, first, last = canvas.numbers, int(frame.min()), int(frame.max())
    shifts = [-1, 1]
    if last - first == numbers[-1] - numbers[0]:
        shifts.append(int(numbers[0]) - first)
    for shift in shifts:
        if np.isin(frame + shift, numbers).all():
            called = int(numbers[0]) - shift
            by = f"{abs(shift)} frame{'s' if abs(shift) > 1 else ''} {'earlier' if shift < 0 else 'later'}"
            told = f"all boxes fit {by}, as if the file called the first image {called}"
            how = (
                f"set dataset.first_frame={called}" if canvas.numbered else "renumber the images or the boxes"
            )
            return f"{told}: {how}"
    return ""


def _offsets(positions: Int64, count: int) -> Int64:
    per_frame = np.bincount(positions, minlength=count)
    return np.concatenate([[0], np.cumsum(per_frame)]).astype(np.int64)
