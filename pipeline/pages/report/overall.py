"""The most doubtful boxes of all videos together."""

from __future__ import annotations

import heapq

from spotlabel.pipeline.pages.report.crops import WIDTHS, Crop, encoded
from spotlabel.pipeline.pages.report.details import Picture
from spotlabel.pipeline.pages.report.video import Video

COUNT = 6
"""Boxes of each group that are shown."""
GROUPS = ("worst", "weakest")
_Kept = tuple[tuple[float, float], int, int, Crop, bytes, str]
"""How doubtful, minus the place of the video and of the box in it, the box, its JPEG, the video's name."""


class Overall:
    """A few boxes of each group, of videos that come one by one; the others are forgotten."""

    def __init__(self) -> None:
        self._heaps: dict[str, list[_Kept]] = {group: [] for group in GROUPS}

    def add(self, place: int, video: Video) -> None:
        """Look at a video's boxes, and keep those that are more doubtful than some of those kept."""
        for rank, crop in enumerate(video.contents.crops if video.contents else ()):
            heap = self._heaps.get(crop.group)
            if heap is None:
                continue
            value, size = crop.doubt
            key = ((-value, -size), -place, -rank)
            if len(heap) == COUNT and key <= heap[0][:3]:
                continue
            heapq.heappush(heap, (*key, crop, encoded(crop.tile, WIDTHS[1]), video.name))
            if len(heap) > COUNT:
                heapq.heappop(heap)

    def pictures(self) -> tuple[list[Picture], list[str]]:
        """Boxes with pictures, and the names of their videos; group by group, the most doubtful first."""
        kept = [one for group in GROUPS for one in sorted(self._heaps[group], reverse=True)]
        return [(crop, content) for _, _, _, crop, content, _ in kept], [one[-1] for one in kept]
