"""Vote of the boxes of a video on how cast shadows lie to them: crossing the border, or enclosed.

A shadow is as dark as black paint, so no cue of its pixels tells it. But bright objects cast shadows too:
what is dark and plain beside the boxes of the brighter objects is no object, and what protrudes low on the
same side of box after box is none either. Which of the two a video shows also tells how its boxes were drawn:
around the objects alone, so that shadows cross their border, or around objects and shadows together.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.shadows.crossing import RING, grown_window
from spotlabel.labelers.boxbg.shadows.enclosed import LEFT, RIGHT, protrudes

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

MIN_SIDE = 12
"""In boxes less wide or high than this, px, a protrusion cannot be told from noise."""
_MIN_VOTES = 16
"""With fewer boxes, nothing is decided."""
_BESIDE = 0.1
"""Shadow crosses the border of a box where it covers so many px beside it, per px of circumference."""
_CROSSED = 0.2
"""Share of the boxes of brighter objects whose border shadows must cross: .38 to .97 in videos with shadows,
under .1 in rendered overcast ones, even with boxes so imprecise that objects reach out of them."""
_OFTEN, _CLEARLY = 0.3, 4
"""Share of the boxes of brighter objects in which shadow must protrude to a side, and how many times
as often as to the other."""


class ShadowLayout(Enum):
    """How cast shadows lie to the boxes of a video."""

    UNKNOWN = 0
    CROSSING = 1
    """Boxes are drawn around the objects; shadows begin in them and go on beside them."""
    ENCLOSED_LEFT = LEFT
    """Boxes enclose the shadows, which protrude from the objects on the left."""
    ENCLOSED_RIGHT = RIGHT
    """... or on the right."""


class ShadowVotes:
    """One vote a box: how bright its object is, shadow beside it, and protrusions to either side."""

    def __init__(self) -> None:
        self._brightness: list[float] = []
        self._beside: list[float] = []
        self._protruding: list[tuple[bool, bool]] = []

    def add(self, ratio: Float, different: Bool, outside: Bool, rect: tuple[int, int, int, int]) -> None:
        """Take the vote of one box; none if it is too small or without foreground.

        Args:
            ratio: float32 (H, W), brightness over the background's.
            different: bool (H, W), different from the background.
            outside: bool (H, W), like shadow by its cues, and in no box.
            rect: ``x0, y0, x1, y1`` of the box.
        """
        x0, y0, x1, y1 = rect
        ratio_in, different_in = ratio[y0:y1, x0:x1], different[y0:y1, x0:x1]
        if min(ratio_in.shape) < MIN_SIDE or not different_in.any():
            return
        self._brightness.append(float(np.median(ratio_in[different_in])))
        beside = np.count_nonzero(outside[grown_window(rect, RING)])
        self._beside.append(beside / (2 * sum(ratio_in.shape)))
        self._protruding.append(
            (protrudes(ratio_in, different_in, LEFT), protrudes(ratio_in, different_in, RIGHT))
        )

    def decide(self) -> ShadowLayout:
        """The outcome, by the boxes whose objects are brighter than the median."""
        if len(self._brightness) < _MIN_VOTES:
            return ShadowLayout.UNKNOWN
        bright = np.array(self._brightness)
        brighter = bright >= np.median(bright)
        if np.mean(np.array(self._beside)[brighter] > _BESIDE) >= _CROSSED:
            return ShadowLayout.CROSSING
        left, right = np.mean(np.array(self._protruding)[brighter], axis=0)
        if max(left, right) < max(_OFTEN, _CLEARLY * min(left, right)):
            return ShadowLayout.UNKNOWN
        return ShadowLayout.ENCLOSED_LEFT if left > right else ShadowLayout.ENCLOSED_RIGHT
