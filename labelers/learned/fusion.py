"""Learned evidence and a labeler's own, put together box by box.

E is the labeler's mask in a box, P the segmenter's probability, T where it exceeds a half. A labeler knows
the scene and draws outlines to the pixel, but cannot tell an object from its shadow or from ground of its own
colour; a segmenter knows what objects look like, but sometimes takes a part for the whole, or another object.
So P counts the more the more T is whole (fills its box from side to side, in one piece) and backed by E:

    weight = LEAST + GAIN * wholeness(T) * share of T in E
    mask   = weight * P (within the convex hull of E) + (1 - weight) * blurred E  >  1/2

Which of the two can be relied on in a video is told by boxes spread over it. The network can if T is whole in
most of them. If it can, and E and T disagree even where T is whole, E cannot: there

    weight = OUTWEIGHS + OUTWEIGHS_GAIN * wholeness(T)

without the hull. E that says nothing (a parked car has become background) is no evidence: there P alone
decides where it can be relied on and is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.learned.agreement import HALF, Sides, overlap, piece, reach, share, wholeness
from spotlabel.labelers.masks import FOREGROUND_RULES_VERSION
from spotlabel.labelers.masks.figures import DecidedBy

Image = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

FUSION_VERSION = 10_000 + 100 * FOREGROUND_RULES_VERSION
"""Of the fusion and of the rules that clean what it is given; the labeler's own is added, so that each makes
evidence stale."""
LEAST, GAIN = 0.2, 0.4
OUTWEIGHS, OUTWEIGHS_GAIN = 0.5, 0.3
BLUR = 0.02
"""Standard deviation with which E is blurred, as a share of the box's shorter side."""
NOTHING = 0.2
"""Where less of the box is in E, E says nothing: what the mask rules do not believe either."""
WHOLE_REACH, WHOLE_PIECE = 0.6, 0.9
"""T is whole with at least these."""
MOST = 0.5
"""The network can be relied on if T is whole in this share of a video's boxes, and in :data:`FEWEST`."""
FEWEST = 3
AGREEMENT = 0.75
"""E can be relied on if its median IoU with whole T is at least this."""


@dataclass(frozen=True)
class BoxPair:
    """What the two say of one box.

    Attributes:
        evidence: E, bool (h, w); None where the labeler does not know the scene.
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
        return self.probability > HALF

    @property
    def spoken(self) -> Bool | None:
        """E where it says anything, else None."""
        if self.evidence is None or self.evidence.mean() < NOTHING:
            return None
        return self.evidence

    @property
    def is_whole(self) -> bool:
        """Whether T fills the box in one piece."""
        return reach(self.taught, self.sides) >= WHOLE_REACH and piece(self.taught) >= WHOLE_PIECE


@dataclass(frozen=True)
class Trust:
    """What can be relied on in a video."""

    network: bool
    evidence: bool


def judged(pairs: Sequence[BoxPair]) -> Trust:
    """What can be relied on in a video.

    Args:
        pairs: boxes spread over the video.
    """
    return trusted(agreements(pairs), spoken(pairs))


def trusted(agreed: Sequence[float], said: int) -> Trust:
    """The same from :func:`agreements` and :func:`spoken` of one video or of several."""
    network = len(agreed) >= max(FEWEST, MOST * said)
    return Trust(network, not network or median(agreed) >= AGREEMENT)


def spoken(pairs: Sequence[BoxPair]) -> int:
    """Of how many boxes E says something."""
    return sum(pair.spoken is not None for pair in pairs)


def agreements(pairs: Sequence[BoxPair]) -> list[float]:
    """IoU of E with T in each box of which E says something and in which T is whole."""
    both = ((pair, evidence) for pair in pairs if (evidence := pair.spoken) is not None)
    return [overlap(evidence, pair.taught) for pair, evidence in both if pair.is_whole]


def decided_by(pair: BoxPair, trust: Trust) -> DecidedBy:
    """Whose the mask of one box is, as :func:`fused` makes it.

    Args:
        pair: what is known of the box.
        trust: of its video.
    """
    if pair.spoken is not None:
        return DecidedBy.BOTH if trust.evidence else DecidedBy.OUTWEIGHED
    if pair.evidence is None or (trust.network and pair.is_whole):
        return DecidedBy.NETWORK
    return DecidedBy.LABELER


def fused(pair: BoxPair, trust: Trust) -> Image:
    """The mask of one box as evidence: uint8 (h, w), foreground above 127.

    Args:
        pair: what is known of the box.
        trust: of its video.
    """
    evidence, probability, taught = pair.spoken, pair.probability, pair.taught
    if evidence is None:
        if decided_by(pair, trust) == DecidedBy.NETWORK:
            return probability
        assert pair.evidence is not None
        return pair.evidence.astype(np.uint8) * 255
    if trust.evidence:
        weight = LEAST + GAIN * wholeness(taught, pair.sides) * share(evidence, taught)
        probability = np.where(hull(evidence), probability, 0)
    else:
        weight = OUTWEIGHS + OUTWEIGHS_GAIN * wholeness(taught, pair.sides)
    mixed = weight * probability + (1 - weight) * blurred(evidence)
    return np.rint(mixed).astype(np.uint8)


def blurred(mask: Bool) -> Image:
    """A mask with soft edges, uint8 (h, w), 0 to 255."""
    plane, sigma = mask.astype(np.uint8) * 255, max(BLUR * min(mask.shape), 0.1)
    soft: Image = cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return soft


def hull(mask: Bool) -> Bool:
    """The convex hull of a mask that is not empty, bool (h, w)."""
    points = cv2.findNonZero(mask.astype(np.uint8))
    plane = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(plane, cv2.convexHull(points), 1)
    return plane > 0
