"""Shadow that its box holds: it sticks out from the object on the side away from the light.

The columns there hold nothing but shadow. The foot of the rest is shadow as well, about as high as what
sticks out, wherever it is as dark.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

LEFT, RIGHT = 2, 3
"""Sides to which shadows fall; also values of :mod:`spotlabel.labelers.boxbg.shadows.verdict`."""
_LOW = np.float32(0.35)
"""What sticks out lies within this lowest share of its box."""
_SHADED = np.float32(0.97)
"""All that sticks out is darker than this, relative to the background."""
_DARK = np.float32(0.6)
"""A quarter of what sticks out is darker than this."""
_QUARTER = 4
_FEWEST = 2
"""Columns that stick out at least."""
_TOP = np.float32(0.4)
"""The foot is marked from this far down the height of what sticks out: dark pixels above are the object's."""
_LIKE = np.float32(1.3)
"""What is brighter by this factor than the darkest quarter, of the foot or of what sticks out, is object, or
the soft rim."""


class _Reach(NamedTuple):
    """What sticks out on the left: columns ``first`` to ``end`` (0: nothing), rows ``top`` to ``foot``."""

    first: int
    end: int
    top: int
    foot: int


def sticks_out(light: Float, found: Bool, side: int) -> bool:
    """Whether something dark sticks out of a box's foreground to a side, low down.

    Args:
        light: float32 (h, w), brightness over the background's.
        found: bool (h, w), foreground.
        side: :data:`LEFT` or :data:`RIGHT`.
    """
    return _reach(_turned(light, side), _turned(found, side)).end > 0


def held_shadow(light: Float, found: Bool, side: int, grounded: bool) -> Bool:
    """Which pixels of a box's foreground are shadow.

    Args:
        light: float32 (h, w), brightness over the background's.
        found: bool (h, w), foreground.
        side: :data:`LEFT` or :data:`RIGHT`, to which shadows fall.
        grounded: the foot of the object is in the image.

    Returns:
        bool (h, w).
    """
    shade = np.zeros(found.shape, np.bool_)
    light, found = _turned(light, side), _turned(found, side)
    reach = _reach(light, found)
    if reach.end > 0:
        shade[:, reach.first : reach.end] = found[:, reach.first : reach.end]
        if grounded:
            _add_foot(light, found, reach, shade)
    return shade if side == LEFT else shade[:, ::-1]


def _turned(plane: np.ndarray, side: int) -> np.ndarray:
    """A box with the side in question on the left."""
    return np.ascontiguousarray(plane if side == LEFT else plane[:, ::-1])


@compiled
def _reach(light: Float, found: Bool) -> _Reach:
    height, width = light.shape
    highest = np.int64((np.float32(1) - _LOW) * height)
    first, end, top, foot, pixels, dark = -1, 0, height, 0, 0, 0
    for x in range(width):
        count = shaded = deep = 0
        upper, lower = height, 0
        for y in range(height):
            if found[y, x]:
                count += 1
                shaded += light[y, x] < _SHADED
                deep += light[y, x] < _DARK
                upper, lower = min(upper, y), y + 1
        if count == 0:  # what was found so far is not connected with the object
            first, end, top, foot, pixels, dark = -1, 0, height, 0, 0, 0
            continue
        if shaded < count or count > _LOW * height or upper < highest:
            break
        first, end = (x, x + 1) if first < 0 else (first, x + 1)
        top, foot = min(top, upper), max(foot, lower)
        pixels += count
        dark += deep
    if end - first < _FEWEST or _QUARTER * dark < pixels or not found[:, end:].any():
        return _Reach(0, 0, 0, 0)
    return _Reach(first, end, top, foot)


@compiled
def _add_foot(light: Float, found: Bool, reach: _Reach, shade: Bool) -> None:
    """Mark the foot of the rest, where it is about as dark as its darkest quarter, and the soft rim below."""
    height, width = light.shape
    tall = reach.foot - reach.top
    middle = reach.top + tall // 2
    deepest = _LIKE * min(
        _darkest(light[middle:, reach.end :], found[middle:, reach.end :]),
        _darkest(light[:, reach.first : reach.end], found[:, reach.first : reach.end]),
    )
    top = reach.top + np.int64(_TOP * tall)
    for x in range(reach.end, width):
        y = height - 1
        while y >= top and (not found[y, x] or deepest < light[y, x] < 1):
            y -= 1
        core = y
        while core >= top and found[core, x] and light[core, x] <= deepest:
            core -= 1
        if core < y:
            for row in range(core + 1, height):
                shade[row, x] = found[row, x]


@compiled
def _darkest(light: Float, found: Bool) -> np.float32:
    """The light that a quarter of the foreground is below; 0 if there is none."""
    some = np.empty(found.size, np.float32)
    count = 0
    for y in range(found.shape[0]):
        for x in range(found.shape[1]):
            if found[y, x]:
                some[count] = light[y, x]
                count += 1
    return np.sort(some[:count])[count // _QUARTER] if count else np.float32(0)
