"""What stands in front of the traffic of a fixed camera: a sign, a post, the trunk of a tree.

A network that knows objects draws a bus behind a sign as one piece, sign included. But a sign looks as ever
while the bus passes, and a labeler that compares with the background knows that: where boxes came and went
and it hardly ever found anything, nothing comes by that could be seen.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.learned.crops import box_pixels
from spotlabel.labelers.learned.fusion import NOTHING
from spotlabel.labelers.learned.segmenter import Boxes

Bool = npt.NDArray[np.bool_]
ARRIVALS = 3
"""So many boxes at least came over it: one object of the ground's colour would not do."""
HARDLY = 0.05
"""Share of the frames with a box in which the labeler may have found something, for noise."""


def in_front(frames: Iterable[tuple[Boxes, Bool | None]], size: tuple[int, int]) -> Bool:
    """Pixels of which no object is ever seen, bool (H, W).

    Args:
        frames: in order; boxes, float32 (N, 4), and the other labeler's mask, bool (H, W), None where it does
            not know the scene. Not cleaned: that fills a sign in the middle of a bus. A box of which it says
            nothing does not count: the object may have become background. Frames without boxes may be some
            that nobody annotated.
        size: height and width.
    """
    covered, found, arrivals, before = (np.zeros(size, np.int32) for _ in range(4))
    for boxes, mask in frames:
        if mask is None or not len(boxes):  # what stands there before and after did not come again
            continue
        now = np.zeros(size, np.int32)
        for place in box_pixels(boxes, size):
            if mask[place].size and mask[place].mean() >= NOTHING:
                now[place] += 1
        covered += now > 0
        found += (now > 0) & mask
        arrivals += np.maximum(now - before, 0)
        before = now
    return np.asarray((arrivals >= ARRIVALS) & (found <= HARDLY * covered))
