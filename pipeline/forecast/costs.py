"""What labelers take, without measuring: one table, for Slurm jobs and ``spotlabel plan``.

The figures are conservative, about three times what was measured on a 2.5 GHz Xeon with one thread
(``make bench-costs``, docs/cluster.md): a job that is killed at its limit has to begin its evidence again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from spotlabel.labelers.base import Settings
from spotlabel.pipeline.stages.asking import asking
from spotlabel.pipeline.stages.students_ahead import teaching_cost


@dataclass(frozen=True)
class Rate:
    """What a labeler takes.

    Attributes:
        seconds: per frame and megapixel, decoding and hashing included.
        megabytes: per megapixel of the frame, beside what every job takes.
        once: seconds per video, whatever its length.
        beside: megabytes whatever the frame's size.
        a_frame: seconds per frame, whatever its size.
    """

    seconds: float
    megabytes: float
    once: float = 0.0
    beside: float = 0.0
    a_frame: float = 0.0

    def per_frame(self, megapixels: float) -> float:
        """Seconds for a frame of so many pixels."""
        return self.seconds * megapixels + self.a_frame


TIMES = 3
"""So many times what was measured."""
BOXES = 20
"""In a megapixel of a frame, for networks that are asked box by box."""

RATES: dict[str, Rate] = {
    "boxbg": Rate(0.15, 1600),
    "boxbg-student": Rate(0.35, 1600),
    "boxbg-teacher": Rate(0.2, 1600),
    "egoflow": Rate(0.9, 300),
    "egoflow-cut": Rate(0.6, 400),
    "egoflow-cut-student": Rate(0.8, 400),
    "egoflow-cut-teacher": Rate(0.7, 400),
    "farneback": Rate(0.8, 300),
    "filled-box": Rate(0.02, 100),
    "knn": Rate(0.15, 400),
    "mog2": Rate(0.1, 400),
    "pawcs": Rate(0.8, 1600),
    "pawcs-distance": Rate(0.8, 1600),
    "pawcs-held": Rate(0.8, 1600),
    "pawcs-pybgs": Rate(4.0, 4500),
    "released-flow": Rate(0.8, 300),
    "teacher": Rate(0.05, 100),
}
"""Evidence, by labeler, with its default settings; what a teacher takes is added (:func:`evidence_rate`)."""
OTHER_LABELER = Rate(4.0, 4500)
"""A labeler of another package, of which nothing is known."""
MASKS = Rate(0.06, 60)
"""The mask stage."""
BASE_MEGABYTES = 1000
"""Interpreter and libraries, twice (the job and its child), and frames decoded ahead."""

_KEEPS_FRAMES = {"boxbg": ("samples", 128), "egoflow-cut": ("frames_held", 33)}
"""Labelers that keep whole frames: what of their settings tells how many, and how many the table is for."""


def frames_kept(labeler: str, settings: Settings) -> int:
    """How many whole frames a labeler keeps in memory at most; 0 if it keeps none."""
    if labeler not in _KEEPS_FRAMES:
        return 0
    name, default = _KEEPS_FRAMES[labeler]
    return int(getattr(settings, name, default))


def evidence_rate(labeler: str, settings: Settings) -> Rate:
    """The table's row, with what its settings change.

    Memory is in proportion to the frames kept, by the labeler or by the one beside its network, where those
    are more than by default. The network is added that a labeler asks: about :data:`BOXES` in each megapixel
    of all frames, or once a video, as the settings of the teaching say.
    """
    rate = RATES.get(labeler, OTHER_LABELER)
    if hasattr(settings, "network"):
        rate = _with_network(rate, settings)
    other = labeler.removesuffix("-student").removesuffix("-teacher")
    if other not in _KEEPS_FRAMES:
        return rate
    of_other = getattr(settings, other.replace("-", "_"), settings)
    more = max(1.0, frames_kept(other, of_other) / _KEEPS_FRAMES[other][1])
    return replace(rate, megabytes=rate.megabytes * more)


def _with_network(rate: Rate, settings: Settings) -> Rate:
    asked = asking(settings)
    rate = replace(rate, beside=asked.megabytes)
    if hasattr(settings, "teaching"):
        boxes, training = teaching_cost(settings)
        return replace(rate, once=TIMES * (asked.seconds(boxes, boxes) + training))
    seconds = rate.seconds + TIMES * BOXES * asked.a_box
    return replace(rate, seconds=seconds, a_frame=TIMES * asked.a_frame)
