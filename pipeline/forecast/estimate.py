"""How long a labelling run will take and how much it will fill: arithmetic over costs per frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spotlabel.pipeline.frames.glance import about_length, about_size
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Plan
from spotlabel.pipeline.upkeep.shards import deal


@dataclass(frozen=True)
class Kind:
    """Videos that cost the same per frame: one labeler, one camera kind, one size."""

    labeler: str
    camera: str
    height: int
    width: int

    @property
    def megapixels(self) -> float:
        """Millions of pixels of one frame."""
        return self.height * self.width / 1e6


@dataclass(frozen=True)
class Cost:
    """What one stage takes: ``fixed + per_frame * frames``.

    Attributes:
        seconds: CPU seconds per frame.
        fixed: CPU seconds per video, whatever its length.
        bytes: stored bytes per frame.
        peak: peak memory of the process in bytes.
    """

    seconds: float
    fixed: float
    bytes: float
    peak: int


@dataclass(frozen=True)
class Work:
    """What is to be done for one video.

    Attributes:
        name: the sequence.
        kind: what it costs the same as.
        frames: number of frames; of a video file what its header claims.
        evidence: whether the evidence has to be made.
        masks: whether the masks have to be made.
        once: CPU seconds that its evidence takes whatever the length, as known of this video; None: what the
            costs of its kind say.
    """

    name: str
    kind: Kind
    frames: int
    evidence: bool
    masks: bool
    once: float | None = None


@dataclass(frozen=True)
class Estimate:
    """A forecast for some videos.

    Attributes:
        videos: how many.
        frames: theirs, in all.
        cpu: CPU seconds.
        longest: CPU seconds of the longest video: no number of cores makes the run shorter.
        longest_name: which one that is.
        evidence_bytes: of evidence stores that will be written.
        mask_bytes: of mask stores.
        peak: memory of one process at its worst, bytes.
        files: files that will be written (stores and remembered digests).
        wall: seconds on the cores that were asked for.
        at_once: videos at a time; fewer than cores if memory does not suffice for more.
    """

    videos: int
    frames: int
    cpu: float
    longest: float
    longest_name: str
    evidence_bytes: float
    mask_bytes: float
    peak: int
    files: int
    wall: float
    at_once: int


Costs = Mapping[Kind, tuple[Cost, Cost]]
"""Evidence's and masks' cost of each kind of video."""


def work_of(plan: Plan, everything: bool) -> Work:
    """What a plan means in frames; ``everything`` counts what is up to date as well.

    Raises:
        SpotlabelError, OSError: its frames cannot be opened.
    """
    item = plan.item
    height, width = about_size(item.sequence.frames)
    return Work(
        item.sequence.name,
        Kind(item.labeler.name, str(item.sequence.camera), height, width),
        about_length(item.sequence.frames),
        everything or plan.evidence.state != State.FRESH,
        everything or plan.masks.state != State.FRESH,
    )


def seconds_of(work: Work, costs: Costs) -> float:
    """CPU seconds of one video."""
    evidence, masks = costs[work.kind]
    seconds = 0.0
    if work.evidence:
        seconds += (evidence.fixed if work.once is None else work.once) + evidence.seconds * work.frames
    if work.masks:
        seconds += masks.fixed + masks.seconds * work.frames
    return seconds


def estimate(works: list[Work], costs: Costs, cores: int, memory: float | None = None) -> Estimate:
    """Forecast of a run.

    Args:
        works: what is to be done.
        costs: of every kind that occurs.
        cores: videos at a time, >= 1.
        memory: bytes per core; None if there is enough.
    """
    seconds = {work.name: seconds_of(work, costs) for work in works}
    longest = max(seconds, key=lambda name: seconds[name], default="")
    written = [_bytes(work, costs) for work in works]
    peak = max((_peak(work, costs) for work in works), default=0)
    at_once = cores if memory is None or not peak else min(cores, int(cores * memory // peak))
    return Estimate(
        videos=len(works),
        frames=sum(work.frames for work in works),
        cpu=sum(seconds.values()),
        longest=seconds.get(longest, 0.0),
        longest_name=longest,
        evidence_bytes=sum(part[0] for part in written),
        mask_bytes=sum(part[1] for part in written),
        peak=peak,
        files=sum(work.evidence + work.masks + 1 for work in works),
        wall=makespan(sorted(seconds.values(), reverse=True), at_once) if at_once else float("inf"),
        at_once=at_once,
    )


def makespan(durations: Iterable[float], cores: int) -> float:
    """Time until all are done if each in turn goes to the core that is free first.

    See :func:`spotlabel.pipeline.upkeep.shards.deal`.
    """
    free = [0.0] * cores
    listed = list(durations)
    for duration, core in zip(listed, deal(listed, cores), strict=True):
        free[core] += duration
    return max(free)


def _bytes(work: Work, costs: Costs) -> tuple[float, float]:
    evidence, masks = costs[work.kind]
    return (
        evidence.bytes * work.frames if work.evidence else 0.0,
        masks.bytes * work.frames if work.masks else 0.0,
    )


def _peak(work: Work, costs: Costs) -> int:
    evidence, masks = costs[work.kind]
    return max(evidence.peak if work.evidence else 0, masks.peak if work.masks else 0)
