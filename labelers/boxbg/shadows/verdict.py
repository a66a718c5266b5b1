"""How the shadows of a video lie to its boxes, told by many boxes together.

A shadow is as dark as black paint, so no look at its pixels tells it. But bright objects cast shadows too:
what is dark and plain beside the boxes of the brighter objects is no object, and what sticks out low on the
same side of box after box is none either. Which of the two a video shows also tells how its boxes were drawn:
around the objects alone, so that shadows leave them, or around objects and shadows together.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.shadows.held import LEFT, RIGHT, sticks_out
from spotlabel.labelers.boxbg.shadows.leaving import RING, around

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

SMALLEST = 12
"""In boxes less wide or high than this, px, what sticks out cannot be told from noise."""
_FEWEST = 16
"""Boxes from which anything is believed."""
_BESIDE = 0.1
"""Shadow leaves a box where it covers so many px beside it, per px of the box's circumference."""
_LEAVES = 0.2
"""Share of the boxes of brighter objects that shadows must leave: .38 to .97 in videos with shadows, under .1
in rendered overcast ones, even with boxes so imprecise that objects reach out of them."""
_OFTEN, _CLEARLY = 0.3, 4
"""Share of the boxes of brighter objects in which something must stick out to a side, and how many times
as often as to the other."""


class Shadows(Enum):
    """How shadows lie to the boxes of a video."""

    UNKNOWN = 0
    LEAVING = 1
    """Boxes are drawn around the objects; shadows begin in them and go on beside them."""
    HELD_LEFT = LEFT
    """Boxes hold the shadows, which stick out from the objects on the left."""
    HELD_RIGHT = RIGHT


class Witnesses:
    """What boxes tell about the light."""

    def __init__(self) -> None:
        self._bright: list[float] = []
        self._beside: list[float] = []
        self._out: list[tuple[bool, bool]] = []

    def add(self, light: Float, unlike: Bool, outside: Bool, rect: tuple[int, int, int, int]) -> None:
        """Hear one box.

        Args:
            light: float32 (H, W), brightness over the background's.
            unlike: bool (H, W), different from the background.
            outside: bool (H, W), looks like shadow, and is in no box.
            rect: ``x0, y0, x1, y1`` of the box.
        """
        x0, y0, x1, y1 = rect
        light_in, unlike_in = light[y0:y1, x0:x1], unlike[y0:y1, x0:x1]
        if min(light_in.shape) < SMALLEST or not unlike_in.any():
            return
        self._bright.append(float(np.median(light_in[unlike_in])))
        beside = np.count_nonzero(outside[around(rect, RING)])
        self._beside.append(beside / (2 * sum(light_in.shape)))
        self._out.append((sticks_out(light_in, unlike_in, LEFT), sticks_out(light_in, unlike_in, RIGHT)))

    def verdict(self) -> Shadows:
        """How shadows lie to the boxes; by the boxes with objects brighter than the median."""
        if len(self._bright) < _FEWEST:
            return Shadows.UNKNOWN
        bright = np.array(self._bright)
        brighter = bright >= np.median(bright)
        if np.mean(np.array(self._beside)[brighter] > _BESIDE) >= _LEAVES:
            return Shadows.LEAVING
        left, right = np.mean(np.array(self._out)[brighter], axis=0)
        if max(left, right) < max(_OFTEN, _CLEARLY * min(left, right)):
            return Shadows.UNKNOWN
        return Shadows.HELD_LEFT if left > right else Shadows.HELD_RIGHT
