"""How fast a video's stages went, beside the logs: a stopwatch's word, and no part of what is made."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.regular import regular_bytes
from spotlabel.pipeline.upkeep.plan import Item


def _path(item: Item) -> Path:
    stems = file_stem(item.sequence.name), file_stem(item.labeler.name)  # labelers may share an output root
    return item.out / "logs" / f"{'.'.join(stems)}.speeds.json"


def keep_speeds(item: Item, frames: int, seconds: Mapping[str, float]) -> None:
    """Remember the stages that ran; others keep what was known. A disk that cannot is no reason to fail.

    Args:
        item: the video.
        frames: how many it has.
        seconds: by stage.
    """
    made = {stage: round(frames / spent, 2) for stage, spent in seconds.items() if spent > 0}
    if made:
        with suppress(OSError):
            _path(item).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(_path(item), json.dumps(read_speeds(item) | made).encode())


def read_speeds(item: Item) -> dict[str, float]:
    """Frames a second by stage (``evidence``, ``masks``), of the last run of each; empty if nobody knows."""
    try:
        known = json.loads(regular_bytes(_path(item)))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        stage: float(speed)
        for stage, speed in known.items()
        if stage in ("evidence", "masks")
        and isinstance(speed, int | float)
        and 0 < speed <= sys.float_info.max
    }
