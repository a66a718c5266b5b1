"""What labelers take, without measuring: one table, for Slurm jobs and ``spotlabel plan``.

The figures are conservative, about three times what was measured on a 2.5 GHz Xeon with one thread
(docs/cluster.md): a job that is killed at its limit has to begin its evidence again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from spotlabel.labelers.base import Settings
from spotlabel.pipeline.stages.students_ahead import SECONDS_A_BOX, teaching_cost


@dataclass(frozen=True)
class Rate:
    """What a labeler takes.

    Attributes:
        seconds: per frame and megapixel, decoding and hashing included.
        megabytes: per megapixel of the frame, beside what every job takes.
        once: seconds per video, whatever its length.
        beside: megabytes whatever the frame's size.
    """

    seconds: float
    megabytes: float
    once: float = 0.0
    beside: float = 0.0


ASKING = 1500.0
"""Megabytes beside the frames: the session of a box segmenter, and U2-Net while it runs."""
TIMES = 3
"""So many times what was measured."""

RATES: dict[str, Rate] = {
    "boxbg": Rate(0.6, 1600),
    "boxbg-student": Rate(1.0, 1600, 1200, ASKING),
    "boxbg-teacher": Rate(80, 1600, 0, ASKING),
    "egoflow": Rate(1.5, 300),
    "egoflow-cut": Rate(2.5, 400),
    "egoflow-cut-student": Rate(3.0, 400, 1200, ASKING),
    "egoflow-cut-teacher": Rate(80, 400, 0, ASKING),
    "farneback": Rate(1.0, 300),
    "filled-box": Rate(0.05, 100),
    "knn": Rate(0.15, 400),
    "mog2": Rate(0.15, 400),
    "pawcs": Rate(0.8, 1600),
    "pawcs-distance": Rate(0.8, 1600),
    "pawcs-held": Rate(0.8, 1600),
    "pawcs-pybgs": Rate(4.0, 4500),
    "released-flow": Rate(1.0, 300),
    "teacher": Rate(80, 100, 0, ASKING),
}
"""Evidence, by labeler, with its default settings. Networks are asked box by box, 1.3 s each for U2-Net on a
CPU; the rates hold for twenty boxes per megapixel. For a student the teacher is asked about 150, and the
student trained: 400 s a video, by the settings of the teaching where they are others."""
OTHER_LABELER = Rate(4.0, 4500)
"""A labeler of another package, of which nothing is known."""
MASKS = Rate(0.03, 60)
"""The mask stage."""
BASE_MEGABYTES = 1000
"""Interpreter and libraries, twice (the job and its child), and frames decoded ahead."""

_KEEPS_FRAMES = {"boxbg": ("samples", 128)}
"""Labelers that keep whole frames: the setting that tells how many, and for how many the table holds."""


def frames_kept(labeler: str, settings: Settings) -> int:
    """How many whole frames a labeler keeps in memory at most; 0 if it keeps none."""
    return int(getattr(settings, _KEEPS_FRAMES[labeler][0])) if labeler in _KEEPS_FRAMES else 0


def evidence_rate(labeler: str, settings: Settings) -> Rate:
    """The table's row, with what its settings change.

    Memory is in proportion to the frames kept where those are more than by default; what teaching takes is as
    its settings say.
    """
    rate = RATES.get(labeler, OTHER_LABELER)
    if hasattr(settings, "teaching"):
        boxes, training = teaching_cost(settings)
        rate = replace(rate, once=TIMES * (SECONDS_A_BOX * boxes + training))
    if labeler not in _KEEPS_FRAMES:
        return rate
    more = max(1.0, frames_kept(labeler, settings) / _KEEPS_FRAMES[labeler][1])
    return replace(rate, megabytes=rate.megabytes * more)
