"""What is in the boxes of a video whose student has been taught: whose mask each box gets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, Evidence
from spotlabel.labelers.learned.crops import Image, box_pixels
from spotlabel.labelers.learned.figures import labeler_figures, pair_figures
from spotlabel.labelers.learned.fused import at_least
from spotlabel.labelers.learned.fusion import BoxPair, Trust, decided_by, fused
from spotlabel.labelers.learned.lesson import RELIABLE
from spotlabel.labelers.learned.other import Asked, Found, cleaned
from spotlabel.labelers.learned.teacher import painted
from spotlabel.labelers.masks.figures import DecidedBy

Bool = npt.NDArray[np.bool_]
Decided = tuple[Image | None, DecidedBy]
"""The mask of one box as evidence, uint8 (h, w); None for a box without pixels. And whose it is."""
WEIGHED = Trust(network=True, evidence=False)
"""How both are put together where the student does not know better."""


def drawn(
    clip: Clip, found: Found, asked: Asked, *, exact: bool, hidden: Bool | None = None
) -> Iterator[Evidence]:
    """Evidence of every frame, foreground above 127.

    Args:
        clip: the video.
        found: what the other labeler found in it.
        asked: the student.
        exact: all that the other labeler found stays, the student only adds. Else the student, who has seen
            that, decides in boxes that it fills in one piece; in others both are weighed.
        hidden: pixels of which no object is ever seen, bool (H, W): there the student adds nothing, but to a
            box of which the other labeler says nothing: what is parked there hides others.
    """
    decide = _kept if exact else _decided
    for frame in clip:
        raw = found.raw(frame.number)
        pairs = asked.last_pairs(frame, cleaned(raw, frame.boxes))
        made = [decide(pair) for pair in pairs]
        values = [value for value, _ in made]
        if hidden is not None:
            places = [hidden[place] for place in box_pixels(frame.boxes, clip.size)]
            values = [*map(_seen, values, pairs, places)]
        if exact and raw is not None:
            values = at_least(values, raw, frame.boxes)
        figures = {**found.figures(frame.number), **pair_figures(pairs, [by for _, by in made])}
        yield Evidence(painted(frame.boxes, values, clip.size), figures=figures)


def others(clip: Clip, found: Found) -> Iterator[Evidence]:
    """The other labeler's evidence of every frame, where nobody was taught."""
    for frame in clip:
        raw = found.raw(frame.number)
        figures = {**found.figures(frame.number), **labeler_figures(len(frame.boxes))}
        if raw is None:
            yield Evidence(np.zeros(clip.size, np.uint8), warm_up=True, figures=figures)
        else:
            yield Evidence(raw * np.uint8(255), figures=figures)


def _seen(value: Image | None, pair: BoxPair | None, hidden: Bool) -> Image | None:
    """The mask of one box without what stands in front of it, where the other labeler found nothing."""
    if value is None or pair is None or pair.spoken is None:
        return value
    return np.where(hidden & ~pair.spoken, np.uint8(0), value)


def _kept(pair: BoxPair | None) -> Decided:
    """The mask of one box, where the other labeler is exact, and whose it is."""
    if pair is None:
        return None, DecidedBy.LABELER
    return fused(pair, RELIABLE), decided_by(pair, RELIABLE)


def _decided(pair: BoxPair | None) -> Decided:
    """The same, where the student knows better."""
    if pair is None:
        return None, DecidedBy.LABELER
    if pair.is_whole:
        return pair.probability, DecidedBy.NETWORK
    return fused(pair, WEIGHED), decided_by(pair, WEIGHED)
