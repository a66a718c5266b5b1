"""Cast shadow enclosed by its box: it protrudes from the object on the side away from the light.

The columns there hold nothing but shadow. The foot of the rest is shadow as well, about as high as the
protrusion, wherever it is as dark.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

LEFT, RIGHT = 2, 3
"""Sides to which shadows fall; also values of :mod:`spotlabel.labelers.boxbg.shadows.vote`."""
_LOW_SHARE = np.float32(0.35)
"""A protrusion lies within this lowest share of its box."""
_SHADED = np.float32(0.97)
"""All of a protrusion has a brightness ratio below this."""
_DARK = np.float32(0.6)
"""A quarter of a protrusion has a brightness ratio below this."""
_QUARTER = 4
_MIN_COLUMNS = 2
"""Width of a protrusion, px, at least."""
_TOP = np.float32(0.4)
"""The foot is marked from this far down the height of the protrusion: dark pixels above are the object's."""
_ALIKE = np.float32(1.3)
"""What is brighter by this factor than the darkest quarter, of the foot or of the protrusion, is object, or
penumbra."""


class _Protrusion(NamedTuple):
    """Shadow that protrudes on the left: columns ``first`` to ``end`` (0: none), rows ``top`` to ``foot``."""

    first: int
    end: int
    top: int
    foot: int


def protrudes(ratio: Float, foreground: Bool, side: int) -> bool:
    """Whether a shadow protrudes from a box's foreground to a side, low down.

    Args:
        ratio: float32 (h, w), brightness over the background's.
        foreground: bool (h, w).
        side: :data:`LEFT` or :data:`RIGHT`.
    """
    return _protrusion(_mirrored(ratio, side), _mirrored(foreground, side)).end > 0


def enclosed_shadow(ratio: Float, foreground: Bool, side: int, grounded: bool) -> Bool:
    """Which pixels of a box's foreground are cast shadow.

    Args:
        ratio: float32 (h, w), brightness over the background's.
        foreground: bool (h, w).
        side: :data:`LEFT` or :data:`RIGHT`, to which shadows fall.
        grounded: the foot of the object is in the image.

    Returns:
        bool (h, w).
    """
    shadow = np.zeros(foreground.shape, np.bool_)
    ratio, foreground = _mirrored(ratio, side), _mirrored(foreground, side)
    protrusion = _protrusion(ratio, foreground)
    if protrusion.end > 0:
        shadow[:, protrusion.first : protrusion.end] = foreground[:, protrusion.first : protrusion.end]
        if grounded:
            _add_foot(ratio, foreground, protrusion, shadow)
    return shadow if side == LEFT else shadow[:, ::-1]


def _mirrored(plane: np.ndarray, side: int) -> np.ndarray:
    """A box with the side in question on the left."""
    return np.ascontiguousarray(plane if side == LEFT else plane[:, ::-1])


@compiled
def _protrusion(ratio: Float, foreground: Bool) -> _Protrusion:
    """The columns from the left that hold nothing but low, dark foreground, up to the first that does not."""
    height, width = ratio.shape
    highest = np.int64((np.float32(1) - _LOW_SHARE) * height)
    first, end, top, foot, pixels, dark = -1, 0, height, 0, 0, 0
    for x in range(width):
        count = shaded = deep = 0
        upper, lower = height, 0
        for y in range(height):
            if foreground[y, x]:
                count += 1
                shaded += ratio[y, x] < _SHADED
                deep += ratio[y, x] < _DARK
                upper, lower = min(upper, y), y + 1
        if count == 0:  # what was found so far is not connected with the object
            first, end, top, foot, pixels, dark = -1, 0, height, 0, 0, 0
            continue
        if shaded < count or count > _LOW_SHARE * height or upper < highest:
            break
        first, end = (x, x + 1) if first < 0 else (first, x + 1)
        top, foot = min(top, upper), max(foot, lower)
        pixels += count
        dark += deep
    if end - first < _MIN_COLUMNS or _QUARTER * dark < pixels or not foreground[:, end:].any():
        return _Protrusion(0, 0, 0, 0)
    return _Protrusion(first, end, top, foot)


@compiled
def _add_foot(ratio: Float, foreground: Bool, protrusion: _Protrusion, shadow: Bool) -> None:
    """Mark the foot of the rest, where it is about as dark as its darkest quarter, and the penumbra below."""
    height, width = ratio.shape
    tall = protrusion.foot - protrusion.top
    middle = protrusion.top + tall // 2
    deepest = _ALIKE * min(
        _darkest(ratio[middle:, protrusion.end :], foreground[middle:, protrusion.end :]),
        _darkest(
            ratio[:, protrusion.first : protrusion.end], foreground[:, protrusion.first : protrusion.end]
        ),
    )
    top = protrusion.top + np.int64(_TOP * tall)
    for x in range(protrusion.end, width):
        y = height - 1
        while y >= top and (not foreground[y, x] or deepest < ratio[y, x] < 1):
            y -= 1
        core = y
        while core >= top and foreground[core, x] and ratio[core, x] <= deepest:
            core -= 1
        if core < y:
            for row in range(core + 1, height):
                shadow[row, x] = foreground[row, x]


@compiled
def _darkest(ratio: Float, foreground: Bool) -> np.float32:
    """The brightness ratio that a quarter of the foreground is below; 0 if there is none."""
    some = np.empty(foreground.size, np.float32)
    count = 0
    for y in range(foreground.shape[0]):
        for x in range(foreground.shape[1]):
            if foreground[y, x]:
                some[count] = ratio[y, x]
                count += 1
    return np.sort(some[:count])[count // _QUARTER] if count else np.float32(0)
