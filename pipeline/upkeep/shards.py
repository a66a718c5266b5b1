"""Which share of a dataset's videos one of n runs takes: the same on every host, whatever is done already."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spotlabel.pipeline.errors import RecipeError, SpotlabelError
from spotlabel.pipeline.frames.glance import about_length

if TYPE_CHECKING:  # options that every command has must not bring the labelers in
    from spotlabel.pipeline.upkeep.plan import Item

_WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


@dataclass(frozen=True)
class Shard:
    """Share ``index`` of ``count``, counted from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``i/n``.

        Raises:
            RecipeError: not of that form, or i is not one of 1 to n.
        """
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            raise RecipeError(f"--shard {text}: expected i/n, such as 3/8 for the third of eight shares")
        shard = cls(int(match[1]), int(match[2]))
        if not 1 <= shard.index <= shard.count:
            raise RecipeError(
                f"--shard {text}: shares are counted from 1 to n; for a job array: sbatch --array=1-8, "
                "--shard $SLURM_ARRAY_TASK_ID/8"
            )
        return shard


def deal(loads: Iterable[float], count: int) -> list[int]:
    """Give each load in turn to the one of ``count`` takers with the least so far.

    With the largest first this is Graham's LPT rule, at most 4/3 of the best possible
    (SIAM J. Appl. Math. 17, 1969).

    Args:
        loads: >= 0 each.
        count: number of takers, >= 1.

    Returns:
        For each load who has it, 0 to count - 1; of equals the one with fewer loads, then the first.
    """
    takers = [(0.0, 0, index) for index in range(count)]
    given = []
    for load in loads:
        total, items, index = takers[0]
        given.append(index)
        heapq.heapreplace(takers, (total + load, items + 1, index))
    return given


def assign(lengths: Mapping[str, int], count: int) -> list[list[str]]:
    """Deal videos out to ``count`` shares, the longest first, each to the share with the least so far.

    Graham's rule (SIAM J. Appl. Math. 17, 1969): the fullest share exceeds the emptiest by at most the
    longest video, and no dealing out has a fullest share under 3/4 of this one's. Depends on nothing but the
    arguments, and not on their order.

    Args:
        lengths: frames of each video, >= 0.
        count: number of shares, >= 1.

    Returns:
        ``count`` lists of names, the longest video first; some are empty if there are fewer videos.
    """
    shares: list[list[str]] = [[] for _ in range(count)]
    longest_first = sorted(lengths, key=lambda name: (-lengths[name], name))
    dealt = deal((lengths[name] for name in longest_first), max(1, min(count, len(lengths))))
    for name, index in zip(longest_first, dealt, strict=True):
        shares[index].append(name)
    return shares


def share_of(videos: list[Item], shard: Shard | None) -> list[Item]:
    """The items of one shard, in their own order; all of them without a shard."""
    if shard is None:
        return videos
    lengths = {item.sequence.name: frames_of(item) for item in videos}
    mine = {*assign(lengths, shard.count)[shard.index - 1]}
    return [item for item in videos if item.sequence.name in mine]


def frames_of(item: Item) -> int:
    """About how many frames; 0 for a video that cannot be opened, which fails in its turn and not here."""
    try:
        return about_length(item.sequence.frames)
    except (SpotlabelError, OSError):
        return 0
