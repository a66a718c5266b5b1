"""Videos on cores, event by event: cores of unequal speed, and cores that are taken away."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cluster:
    """What videos run on.

    Attributes:
        cores: videos at a time.
        slow: share of cores that are slower.
        factor: by how much these take longer.
        losses: how often a core is taken away, per hour; its video is lost whole and starts anew.
        pause: seconds until the core, or another in its place, is back.
    """

    cores: int
    slow: float = 0.0
    factor: float = 1.0
    losses: float = 0.0
    pause: float = 120.0


@dataclass(frozen=True)
class Run:
    """What became of it.

    Attributes:
        seconds: until the last video is done.
        useful: core seconds of videos that were finished.
        lost: core seconds of work that was lost.
        restarts: how often a video was lost.
        most: how often the unluckiest video was lost.
    """

    seconds: float
    useful: float
    lost: float
    restarts: int
    most: int


def simulate(durations: Sequence[float], cluster: Cluster, rng: np.random.Generator) -> Run:
    """Run videos in the given order, each on the core that is free first.

    Args:
        durations: seconds of each video on a core of full speed.
        cluster: where they run.
        rng: decides when cores are taken away, and nothing else.
    """
    slow = round(cluster.slow * cluster.cores)
    pace = [cluster.factor] * slow + [1.0] * (cluster.cores - slow)
    waiting, idle = deque(range(len(durations))), list(range(cluster.cores - 1, -1, -1))
    events: list[tuple[float, int, int, bool]] = []  # time, core, video (-1: the core is back), lost
    losses = [0] * len(durations)
    now = useful = lost = last = 0.0
    while waiting or events:
        while waiting and idle:
            core, video = idle.pop(), waiting.popleft()
            takes = durations[video] * pace[core]
            taken = rng.exponential(3600 / cluster.losses) if cluster.losses else float("inf")
            heapq.heappush(events, (now + min(takes, taken), core, video, taken < takes))
            useful, lost = (useful, lost + taken) if taken < takes else (useful + takes, lost)
        now, core, video, was_lost = heapq.heappop(events)
        if was_lost:
            losses[video] += 1
            waiting.appendleft(video)
            heapq.heappush(events, (now + cluster.pause, core, -1, False))
        else:
            idle.append(core)
            last = now if video >= 0 else last
    return Run(last, useful, lost, sum(losses), max(losses, default=0))
