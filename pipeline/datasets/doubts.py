"""Well-formed boxes that cannot be meant: fractions for pixels, corners for sizes, areas of another box."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.datasets.native import CORNERS, NativeBoxes, NativeRects
from spotlabel.pipeline.errors import DatasetError

logger = logging.getLogger("spotlabel")

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

IMPLAUSIBLE = {"implausible": True}
"""``extra`` of a warning that the outcome cannot be meant; see :mod:`spotlabel.pipeline.running.job`."""

UNIT = (-0.5, 1.05)
"""Fractions of an image lie between these: 0 to 1, and a little more for boxes that leave it."""
FEWEST_FRACTIONS = 3
"""Fewer boxes may be specks; they are told after the run."""
FEW = 5
"""Of fewer boxes nothing is said of sizes and areas."""
BEYOND = 0.05
"""Share of the image by which a box leaves it that no annotator means."""
LEAST_BEYOND = 0.25
AREA_TOLERANCE = 0.05
MOST = 0.8


def doubt_boxes(boxes: NativeBoxes, size: tuple[int, int]) -> None:
    """Refuse boxes in fractions of the image; warn of corners that stand where sizes should, and of areas.

    Args:
        boxes: in native coordinates, finite, with sides above 0.
        size: height and width of the images.

    Raises:
        DatasetError: all boxes are fractions.
    """
    if not len(boxes.rects):
        return
    _refuse_fractions(boxes.rects, size)
    ltwh = boxes.rects.ltwh()
    found = _areas(ltwh, boxes.area) if boxes.area is not None else ""
    if not found and boxes.rects.fields != CORNERS:
        found = _corners_as_sizes(ltwh, size)
    if found:
        logger.warning("%s: %s", boxes.rects.path, found, extra=IMPLAUSIBLE)


def _refuse_fractions(rects: NativeRects, size: tuple[int, int]) -> None:
    """Refuse boxes none of which is larger than a pixel, with coordinates that are no whole numbers."""
    ltwh = rects.ltwh()
    unit = (ltwh >= UNIT[0]) & (ltwh <= UNIT[1])
    if len(ltwh) >= FEWEST_FRACTIONS and unit.all() and (ltwh != np.rint(ltwh)).any() and min(size) > 2:
        problem = f"all {len(rects)} boxes lie within 0 to 1, expected pixels: fractions of the image?"
        advice = f"multiply x and widths by {size[1]}, y and heights by {size[0]}"
        raise DatasetError.at(rects.path, rects.where(0), problem, advice)


def _corners_as_sizes(ltwh: Float64, size: tuple[int, int]) -> str:
    """What to say if width and height are right and bottom; empty if they are not.

    Then all of them are larger than left and top, and boxes off the upper left of the image leave it far.
    """
    edge = np.array(size[::-1], np.float64)
    far = (ltwh[:, :2] + ltwh[:, 2:] > edge * (1 + BEYOND)).any(axis=1)
    inside = (ltwh[:, 2:] <= edge * (1 + BEYOND)).all()
    if len(ltwh) < FEW or not (ltwh[:, 2:] > ltwh[:, :2]).all() or not inside or far.mean() < LEAST_BEYOND:
        return ""
    return (
        f"width and height are larger than left and top in all {len(ltwh)} boxes, and {int(far.sum())} boxes "
        "leave the image: are they the right and lower edge? Expected left, top, width, height"
    )


def _areas(ltwh: Float64, area: Float64) -> str:
    """What to say if the areas given with most boxes are not theirs; empty if they are, or none is given.

    The area of an outline is at most that of its box; outlines that are smaller say nothing.

    Args:
        ltwh: (N, 4).
        area: (N,), NaN or 0 where none is given.
    """
    known = area > 0
    if np.count_nonzero(known) < FEW:
        return ""
    ltwh, area = ltwh[known], area[known]
    sides = ltwh[:, 2:]
    other = (sides - ltwh[:, :2]).clip(0).prod(axis=1)
    own = sides.prod(axis=1)
    as_corners = _near(area, other) & ~_near(area, own)
    if as_corners.mean() >= MOST:
        return (
            f"the areas of {int(as_corners.sum())} boxes are those of boxes from (x, y) to (width, height): "
            "corners given as sizes? Expected bbox as x, y, width, height"
        )
    larger = area > own * (1 + AREA_TOLERANCE)
    if larger.mean() >= MOST:
        return (
            f"the areas given with {int(larger.sum())} of {len(area)} boxes are larger than the boxes: "
            "are they of images of another size?"
        )
    return ""


def _near(first: Float64, second: Float64) -> Bool:
    near: Bool = np.abs(first - second) <= AREA_TOLERANCE * first + 1
    return near
