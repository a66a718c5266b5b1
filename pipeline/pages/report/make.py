"""Make the report: look at one video after another, then write the page and its JSON twin."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from spotlabel.pipeline.pages.report import details, sections
from spotlabel.pipeline.pages.report.crops import encoded_within
from spotlabel.pipeline.pages.report.overall import Overall
from spotlabel.pipeline.pages.report.runs import Run, runs_in, with_room
from spotlabel.pipeline.pages.report.spool import PartSpool, part_spool
from spotlabel.pipeline.pages.report.summary import Row, Totals, Verdict
from spotlabel.pipeline.pages.report.target import check_target
from spotlabel.pipeline.pages.report.video import Video, look_at
from spotlabel.pipeline.pages.report.write import Asked, Kept, Made, write_report
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.upkeep.plan import Item
from spotlabel.pipeline.upkeep.speeds import read_speeds

FEW_VIDEOS, MANY_SHOWN, SHOWN = 10, 6, 3
"""Up to so many videos, six boxes of each group are shown; three of more."""
_ABOVE, _ABOVE_SHARE = 300_000, 0.3
"""Bytes kept free for what is about all videos, and the share of the page that this may be at most."""
_RUNS_SHARE = 0.2
"""Share of the page that pictures of training and evaluation may be at most."""
_ROW = 3000
"""Bytes kept free for a video's row in the table."""


@dataclass(frozen=True)
class Watch:
    """Who is told how far the report is.

    Attributes:
        progress: called with a video's name, frames done and frames in all.
        finished: called with a video that has been looked at.
    """

    progress: Callable[[str, int, int], None] = lambda name, done, total: None
    finished: Callable[[Video], None] = lambda video: None


def make_report(
    recipe: Recipe, chosen: Sequence[Item], target: Path, asked: Asked, watch: Watch | None = None
) -> tuple[Verdict, list[str]]:
    """Write the page, and its JSON twin beside it; each stands there whole or not at all.

    Memory does not grow with the number of videos, but for their rows. The same stores give the same bytes.

    Args:
        recipe: the recipe.
        chosen: its sequences.
        target: of the page; the twin has the suffix ``.json``.
        asked: title, commands and limits.
        watch: is told of frames and videos.

    Returns:
        The verdict, and what had to be left out of the page to keep it small, a line each.

    Raises:
        ReportError: a file of another kind stands where the page or its twin goes, or the page cannot be made
            as small as asked.
        OSError: it cannot be written.
    """
    watch, totals, overall, kept = watch or Watch(), Totals(), Overall(), []
    check_target(target)
    runs = with_room(runs_in(recipe.out), int(asked.max_bytes * _RUNS_SHARE))
    above = min(_ABOVE, int(asked.max_bytes * _ABOVE_SHARE)) + _length(runs)
    room = (asked.max_bytes - above) // max(1, len(chosen)) - _ROW
    count = MANY_SHOWN if len(chosen) <= FEW_VIDEOS else SHOWN
    with part_spool() as spool:
        for place, item in enumerate(chosen):
            video = look_at(recipe, item, count, partial(watch.progress, item.sequence.name))
            if asked.speeds:
                video = replace(video, speeds=read_speeds(item))
            kept.append(_keep(spool, place, video, totals.add(video), room))
            overall.add(place, video)
            watch.finished(video)
        return write_report(recipe, target, asked, Made(totals, overall, kept, runs), spool)


def _length(runs: Sequence[Run]) -> int:
    """Bytes that training and evaluation take in the page."""
    return len(sections.runs(runs).encode()) if runs else 0


def _keep(spool: PartSpool, place: int, video: Video, row: Row, room: int) -> Kept:
    """A video's parts to the spool: its text, its pictures as large as there is room for, its data."""
    shown = video.contents.crops if video.contents else ()
    text = details.opening(place, video)
    pictures, lacking = encoded_within(shown, room - len(text), details.cost)
    data = json.dumps({**row.as_data(), **details.as_data(video)}, allow_nan=False)
    return Kept(
        row=row,
        text=spool.put(text),
        pictures=spool.put(details.gallery(pictures)),
        data=spool.put(data),
        shown=len(pictures),
        left_out=len(shown) - len(pictures),
        lacking=lacking,
    )
