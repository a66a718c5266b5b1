"""Learned evidence and a labeler's own, put together box by box.

E is the labeler's mask in a box, P the segmenter's probability, T where it exceeds a half. A labeler knows
the scene and draws outlines to the pixel, but cannot tell an object from its shadow or from ground of its own
colour; a segmenter knows what objects look like, but sometimes takes a part for the whole, or another object.
So P counts the more the better T fills its box, hangs together and is backed by E:

    weight = LEAST + GAIN * reach(T) * piece(T) * share of T in E
    mask   = weight * P (within the convex hull of E) + (1 - weight) * blurred E  >  1/2

In a video where E and T disagree even in boxes that T fills from side to side in one piece, E is not
reliable: there weight is LEAST + GAIN and the hull is left out. E that says nothing (a parked car has become
background) is no evidence: there P alone decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.learned.agreement import Sides, overlap, piece, reach, share

Image = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

LEAST = 0.2
GAIN = 0.4
BLUR = 0.02
"""Standard deviation with which E is blurred, as a share of the box's shorter side."""
NOTHING = 0.2
"""Where less of the box is in E, E says nothing: what the mask rules do not believe either."""
JUDGE_REACH = 0.6
JUDGE_PIECE = 0.9
"""A video is judged by boxes whose T has at least these."""
RELIABLE = 0.75
"""Median IoU of E and T over these boxes from which E is reliable."""
FEWEST = 3
"""With fewer of them E is not known to be reliable."""


@dataclass(frozen=True)
class BoxPair:
    """What the two say of one box.

    Attributes:
        evidence: E, bool (h, w); None where there is none.
        probability: P, uint8 (h, w), 0 to 255.
        sides: which sides of the box lie inside the image; see
            :func:`spotlabel.labelers.learned.agreement.open_sides`.
    """

    evidence: Bool | None
    probability: Image
    sides: Sides

    @property
    def taught(self) -> Bool:
        """T, bool (h, w)."""
        return self.probability > 127

    @property
    def spoken(self) -> Bool | None:
        """E where it says anything, else None."""
        if self.evidence is None or self.evidence.mean() < NOTHING:
            return None
        return self.evidence


def reliable(pairs: Sequence[BoxPair]) -> bool:
    """Whether E can be relied on in a video.

    Args:
        pairs: boxes spread over the video.
    """
    agreements = [
        overlap(evidence, taught)
        for pair in pairs
        if (evidence := pair.spoken) is not None
        and reach(taught := pair.taught, pair.sides) >= JUDGE_REACH
        and piece(taught) >= JUDGE_PIECE
    ]
    return len(agreements) >= FEWEST and median(agreements) >= RELIABLE


def fused(pair: BoxPair, is_reliable: bool) -> Image:
    """The mask of one box as evidence: uint8 (h, w), foreground above 127.

    Args:
        pair: what is known of the box.
        is_reliable: of its video; see :func:`reliable`.
    """
    evidence, probability = pair.spoken, pair.probability
    if evidence is None:
        return probability
    weight = LEAST + GAIN
    if is_reliable:
        taught = pair.taught
        weight = LEAST + GAIN * reach(taught, pair.sides) * piece(taught) * share(evidence, taught)
        probability = np.where(hull(evidence), probability, 0)
    mixed = weight * probability + (1 - weight) * blurred(evidence)
    return np.rint(mixed).astype(np.uint8)


def blurred(mask: Bool) -> Image:
    """A mask with soft edges, uint8 (h, w), 0 to 255."""
    plane = mask.astype(np.uint8) * 255
    soft: Image = cv2.GaussianBlur(
        plane, (0, 0), max(BLUR * min(mask.shape), 0.1), borderType=cv2.BORDER_REPLICATE
    )
    return soft


def hull(mask: Bool) -> Bool:
    """The convex hull of a mask that is not empty, bool (h, w)."""
    points = cv2.findNonZero(mask.astype(np.uint8))
    plane = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(plane, cv2.convexHull(points), 1)
    return plane > 0
