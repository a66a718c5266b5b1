"""Figures of boxes: what a labeler knows of a box beside the pixels of its evidence.

A labeler that has two opinions of a box, or knows where it had to guess, says so in figures; the mask stage
takes them into believability (:mod:`spotlabel.labelers.masks.believability`) and hands them on into the
quality table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from spotlabel.labelers.masks.cues import Column

Figures = Mapping[str, Column]
NO_FIGURES: Figures = MappingProxyType({})

FIGURES: Mapping[str, str] = {
    "network_iou": "IoU of the network's mask with the other labeler's, 0 to 1; NaN where that says nothing",
    "network_whole": "how far the network's mask fills the box from side to side, in one piece, 0 to 1",
    "decided_by": "which of the two decided: a number of DecidedBy",
    "flooded": "how far the outline fills more of a box inside the image than objects do, 0 to 1",
    "seen": "share of the box whose background was seen in another frame, 0 to 1; 0 if colour alone decided",
}
"""Those there are, float32 (N,), NaN where a labeler knows nothing of a box."""


class DecidedBy(IntEnum):
    """Whose the evidence of a box is, where a network was put together with another labeler."""

    LABELER = 1
    """The other labeler's: the network cannot be relied on, or is not whole and the labeler says nothing."""
    BOTH = 2
    """Both weighed, the network within what the other labeler outlines."""
    OUTWEIGHED = 3
    """Both weighed, the network more: the other labeler is not reliable in this video."""
    NETWORK = 4
    """The network's."""
