"""In which order videos are started."""

from __future__ import annotations

from collections.abc import Iterable

from spotlabel.pipeline.upkeep.plan import Item
from spotlabel.pipeline.upkeep.shards import frames_of


def longest_first(videos: Iterable[Item]) -> list[str]:
    """Names, the longest video first, so that no long one is left for the end when all others are done.

    Length is counted as for shards: image files, or the frames that a video file's header claims. Equally
    long ones keep their order.
    """
    return [item.sequence.name for item in sorted(videos, key=frames_of, reverse=True)]
