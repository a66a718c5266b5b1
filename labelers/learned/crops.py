"""The crop around a box, and the way back from the network's output to the box's pixels.

Everything here is exact: indices, sums of integers, OpenCV's bit-exact interpolation. So a crop is the same
on every processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.learned.agreement import CUT
from spotlabel.labelers.masks import MaskSettings
from spotlabel.labelers.masks.boxes import pixel_rects

Image = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.intp]
Pixels = tuple[slice, slice]
UNKNOWN = 128
"""In a fourth channel, what another labeler says: not known. 0 is background, 255 foreground."""
_COVER = MaskSettings()


class Beyond(Enum):
    """How far beyond the image's border the crop of a box that it cuts goes."""

    NOTHING = "nothing"
    MARGIN = "margin"
    BOX = "box"


@dataclass(frozen=True)
class Place:
    """Where a box's crop lies.

    Attributes:
        rows: row of the image behind each row of the crop; they turn back where the image is mirrored, and
            are below 0 or beyond the last where the crop leaves the image.
        columns: likewise.
        inside: the box within the crop, never empty.
    """

    rows: Indices
    columns: Indices
    inside: Pixels


def places(boxes: npt.NDArray[np.float32], shape: tuple[int, int], margin: float) -> list[list[Place]]:
    """Where the crops of some boxes lie: one of most boxes, none of a box without pixels inside the image.

    A crop is the box with a margin around it, and ends where the image ends. A box that the image's border
    cuts shows a part of its object, which looks like anything; it has further crops, in which the image is
    continued by its mirror image: for the margin alone, and as far as the whole box, so that what is seen is
    as a whole object would be.

    Args:
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.
        shape: height and width of the image.
        margin: share of a box's side.
    """
    return [_places(box, shape, margin) for box in box_pixels(boxes, shape)]


def framed(boxes: npt.NDArray[np.float32], shape: tuple[int, int], margin: float) -> list[list[Place]]:
    """The same without mirror images: one crop of each box with pixels, which may reach beyond the image.

    Args:
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.
        shape: height and width of the image.
        margin: share of a box's side.
    """
    return [_framed(box, margin) for box in box_pixels(boxes, shape)]


def _framed(box: Pixels, margin: float) -> list[Place]:
    if any(part.stop <= part.start for part in box):
        return []
    around = [int(np.rint(margin * (part.stop - part.start))) for part in box]
    rows, columns = (
        np.arange(part.start - more, part.stop + more) for part, more in zip(box, around, strict=True)
    )
    inside = [slice(more, len(index) - more) for more, index in zip(around, (rows, columns), strict=True)]
    return [Place(rows, columns, (inside[0], inside[1]))]


def box_pixels(boxes: npt.NDArray[np.float32], shape: tuple[int, int]) -> list[Pixels]:
    """Rows and columns of the pixels that boxes touch, inside the image; empty where there are none."""
    rects = pixel_rects(boxes, shape, _COVER).tolist()
    return [np.s_[y0 : max(y0, y1), x0 : max(x0, x1)] for x0, y0, x1, y1 in rects]


def _places(box: Pixels, shape: tuple[int, int], margin: float) -> list[Place]:
    (y0, y1), (x0, x1) = ((part.start, part.stop) for part in box)
    if y1 <= y0 or x1 <= x0:
        return []
    cut = y0 <= CUT or x0 <= CUT or y1 >= shape[0] - CUT or x1 >= shape[1] - CUT
    found = []
    for beyond in Beyond if cut else [Beyond.NOTHING]:
        rows, top = _indices(y0, y1, shape[0], margin, beyond)
        columns, left = _indices(x0, x1, shape[1], margin, beyond)
        found.append(Place(rows, columns, np.s_[top : top + y1 - y0, left : left + x1 - x0]))
    return found


def _indices(low: int, high: int, length: int, margin: float, beyond: Beyond) -> tuple[Indices, int]:
    """Pixels of the crop along one axis, and where among them the box begins."""
    around = int(np.rint(margin * (high - low)))
    first, last = max(low - around, 0), min(high + around, length)
    before, after = low <= CUT, high >= length - CUT
    if beyond == Beyond.MARGIN or (before and after and beyond == Beyond.BOX):
        first, last = low - around if before else first, high + around if after else last
    elif beyond == Beyond.BOX:
        first, last = -last if before else first, 2 * length - first if after else last
    index = np.arange(first, last)
    index = np.where(index < 0, -1 - index, index)
    index = np.where(index >= length, 2 * length - 1 - index, index)
    return np.clip(index, 0, length - 1), low - first


def cropped(image: Image, place: Place, size: int) -> Image:
    """A crop stretched to ``size`` x ``size``: uint8 (size, size, channels).

    Args:
        image: uint8 (H, W, channels), up to four: outside the image three are 0, the fourth :data:`UNKNOWN`.
        place: of the crop.
        size: px.
    """
    crop = _taken(image, place)
    crop = _reduced(crop, crop.shape[0] // size, crop.shape[1] // size)
    stretched: Image = cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR_EXACT)
    return stretched.reshape(size, size, -1)


def _taken(image: Image, place: Place) -> Image:
    """The pixels of a crop; one inside the image is a part of it, which costs no time."""
    (height, width), (rows, columns) = image.shape[:2], (place.rows, place.columns)
    ends = (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)
    if len(rows) != ends[1] - ends[0] or len(columns) != ends[3] - ends[2]:  # mirrored
        return image[rows[:, None], columns]
    top, bottom, left, right = max(ends[0], 0), min(ends[1], height), max(ends[2], 0), min(ends[3], width)
    part = image[top:bottom, left:right]
    beyond = (top - ends[0], ends[1] - bottom, left - ends[2], ends[3] - right)
    if not any(beyond):
        return part
    above, below, before, after = map(int, beyond)
    fill = (0, 0, 0, UNKNOWN)
    bordered: Image = cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_CONSTANT, value=fill)
    return bordered.reshape(len(rows), len(columns), -1)


def pasted(probability: Image, place: Place) -> Image:
    """A network's output at the resolution of the image, cut to the box: uint8 (h, w).

    Args:
        probability: uint8 (size, size), 0 to 255.
        place: of the crop.
    """
    size = (len(place.columns), len(place.rows))
    full: Image = cv2.resize(probability, size, interpolation=cv2.INTER_LINEAR_EXACT)
    return full[place.inside]


def _reduced(crop: Image, down: int, across: int) -> Image:
    """Means of whole blocks, so that interpolation skips no pixel; rows and columns left over are dropped."""
    if max(down, across) < 2:
        return crop
    down, across = max(down, 1), max(across, 1)
    height, width = crop.shape[0] // down * down, crop.shape[1] // across * across
    # Rows first: these sums run over memory as it lies.
    rows = crop[:height, :width].reshape(height // down, down, -1).sum(axis=1, dtype=np.uint32)
    total = rows.reshape(height // down, width // across, across, -1).sum(axis=2, dtype=np.uint32)
    count = np.uint32(down * across)
    means: Image = ((total + count // 2) // count).astype(np.uint8)
    return means
