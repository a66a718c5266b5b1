"""What a network and another labeler, put together, say of boxes beside the evidence: how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spotlabel.labelers.learned.agreement import overlap, wholeness
from spotlabel.labelers.learned.fusion import BoxPair
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.figures import DecidedBy

PAIR_FIGURES: Mapping[str, int] = {"decided_by": 1, "network_iou": 1, "network_whole": 1}
"""Figures of boxes of which both are known, with the version of how they are worked out."""


def pair_figures(
    pairs: Sequence[BoxPair | None], decided: Sequence[DecidedBy], *, relied_on: bool = True
) -> dict[str, Column]:
    """Figures of the boxes of a frame.

    Args:
        pairs: what both say of each box; None for a box without pixels.
        decided: whose the mask of each box is.
        relied_on: whether the network can be relied on in this video; else its word is no evidence against
            the other labeler's.

    Returns:
        float32 (N,) by the names of :data:`PAIR_FIGURES`; NaN where there is nothing to say.
    """
    made = {name: np.full(len(pairs), np.nan, np.float32) for name in PAIR_FIGURES}
    for box, (pair, by) in enumerate(zip(pairs, decided, strict=True)):
        if pair is None:
            continue
        made["decided_by"][box] = by
        made["network_whole"][box] = wholeness(pair.taught, pair.sides)
        if pair.spoken is not None and relied_on:
            made["network_iou"][box] = overlap(pair.spoken, pair.taught)
    return made


def labeler_figures(boxes: int) -> dict[str, Column]:
    """The same where nobody asked the network."""
    made = {name: np.full(boxes, np.nan, np.float32) for name in PAIR_FIGURES}
    made["decided_by"][:] = DecidedBy.LABELER
    return made
