"""In which order videos are started."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.plan import Item


def longest_first(found: Iterable[Item]) -> list[str]:
    """Names, the longest video first, so that no long one is left for the end when all others are done.

    Nothing is opened: length is the number of image files, or the size of a video file. Equally long ones
    keep their order.
    """
    return [item.sequence.name for item in sorted(found, key=_length, reverse=True)]


def _length(item: Item) -> int:
    files = item.sequence.frames.files()
    try:
        return files[0].stat().st_size if len(files) == 1 else len(files)
    except OSError:  # it fails in its turn and not here
        return 0
