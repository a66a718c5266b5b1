"""The page and its JSON twin, put together of what was found and no larger than asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from spotlabel.pipeline.atomic import clear_folder, replacing
from spotlabel.pipeline.pages import document
from spotlabel.pipeline.pages.html import Markup, tag
from spotlabel.pipeline.pages.report import details, sections, table
from spotlabel.pipeline.pages.report.against import FORMAT, Changes, Earlier, ReportError, changes
from spotlabel.pipeline.pages.report.overall import Overall
from spotlabel.pipeline.pages.report.runs import Run, with_room
from spotlabel.pipeline.pages.report.spool import Part, PartSpool
from spotlabel.pipeline.pages.report.summary import Row, Totals, Verdict, verdict
from spotlabel.pipeline.recipes.recipe import Recipe

SCRIPTS = ("theme.js", "table.js", "open.js", "keys.js")
MEGABYTE = 1_000_000
_NOTE_ROOM = 2000
"""Bytes kept free for the lines that say what was left out."""


@dataclass(frozen=True)
class Asked:
    """How a report was asked for.

    Attributes:
        title: of the page.
        commands: lines that make everything again.
        max_bytes: most bytes of the page.
        earlier: a report to compare with, and its path as it was given.
        speeds: also how fast videos were made: what a clock said, so that reports of the same stores differ.
    """

    title: str
    commands: tuple[str, ...]
    max_bytes: int = 20 * MEGABYTE
    earlier: tuple[Earlier, str] | None = None
    speeds: bool = False


@dataclass(frozen=True)
class Kept:
    """One video's parts on the spool.

    Attributes:
        row: its figures.
        text: its part of the page, without pictures.
        pictures: its pictures.
        data: its part of the JSON twin.
        shown: number of pictures.
        left_out: number of pictures for which there was no room.
        lacking: bytes that these would take.
    """

    row: Row
    text: Part
    pictures: Part
    data: Part
    shown: int
    left_out: int = 0
    lacking: int = 0


@dataclass(frozen=True)
class Made:
    """Everything that was found.

    Attributes:
        totals: figures over all videos.
        overall: the most doubtful boxes.
        kept: the videos in their order.
        runs: training and evaluation.
    """

    totals: Totals
    overall: Overall
    kept: Sequence[Kept]
    runs: Sequence[Run]


@dataclass(frozen=True)
class _Fit:
    """What of the videos' parts has room in the page: places of the videos.

    Attributes:
        texts: videos with a part of their own.
        pictures: those of them with pictures.
        fixed: bytes of the page without these parts.
        size: bytes that are needed for all.
    """

    texts: frozenset[int]
    pictures: frozenset[int]
    fixed: int = 0
    size: int = 0


def write_report(
    recipe: Recipe, target: Path, asked: Asked, made: Made, spool: PartSpool
) -> tuple[Verdict, list[str]]:
    """Write the JSON twin, then the page.

    Returns:
        The verdict, and lines that say what was left out of the page.

    Raises:
        ReportError: not even the page without the videos' parts has room.
        OSError: a file cannot be written.
    """
    found = verdict(made.totals)
    settings, versions = recipe.effective(), _versions(made.totals)
    since = None
    if asked.earlier is not None:
        since = changes(asked.earlier[0], found.headline, settings, made.totals.rows)
    again = sections.settings(settings, versions, asked.commands)
    page = _Page(asked, made, found, again, since)
    fit = _fitted(page, made, asked.max_bytes)
    if len(fit.pictures) < len(made.kept) and any(run.picture for run in made.runs):
        made = replace(made, runs=with_room(made.runs, 0))
        page = _Page(asked, made, found, again, since)
        fit = _fitted(page, made, asked.max_bytes)
    if fit.fixed > asked.max_bytes:
        raise _too_small(target, fit.fixed)
    notes = _left_out(made, fit, asked.max_bytes)
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_folder(target.parent)
    head = {
        "format": FORMAT,
        "title": asked.title,
        "verdict": {"level": found.level, "headline": found.headline, "lines": list(found.lines)},
        "commands": list(asked.commands),
        "settings": settings,
        "versions": versions,
        "groups": {
            kind: {name: part.as_data() for name, part in parts.items()}
            for kind, parts in made.totals.groups.items()
        },
        "total": made.totals.total.as_data(),
        "changes": since.as_data() if since else None,
        "runs": [run.as_data() for run in made.runs],
    }
    with replacing(target.with_suffix(".json")) as file:
        file.writelines(_twin(head, made.kept, spool))
    with replacing(target) as file:
        file.writelines(page.pieces(fit, notes, spool))
    return found, notes


def _versions(totals: Totals) -> dict[str, str]:
    own = {"spotlabel": metadata.version("spotlabel")}
    return {**own, **{name: ", ".join(sorted(found)) or "none" for name, found in totals.versions.items()}}


def _twin(head: dict[str, Any], kept: Sequence[Kept], spool: PartSpool) -> Iterator[bytes]:
    """The JSON twin, a video a line."""
    opened = json.dumps(head, indent=1, allow_nan=False).removesuffix("\n}")
    yield opened.encode() + b',\n "videos": ['
    for place, one in enumerate(kept):
        yield (b",\n  " if place else b"\n  ") + spool.get(one.data)
    yield b"\n ]\n}\n"


class _Page:
    """The page in pieces."""

    def __init__(
        self, asked: Asked, made: Made, found: Verdict, settings: Markup, since: Changes | None
    ) -> None:
        self._made, self._title = made, asked.title
        self._truth = table.has_truth(made.totals.rows)
        self._speeds = table.has_speeds(made.totals.rows)
        contents = {
            "changes": "What changed" if since else "",
            "videos": "Videos",
            "boxes": "Most doubtful boxes",
            "groups": "By class, size, occlusion",
            "runs": "Training and evaluation" if made.runs else "",
            "single": "Video by video",
            "settings": "Settings and versions",
        }
        contents = {identity: name for identity, name in contents.items() if name}
        source = asked.earlier[1] if asked.earlier else ""
        self._top = sections.header(asked.title, found, contents)
        self._above = [sections.tiles(made.totals), *([sections.changed(since, source)] if since else [])]
        self._below = [
            sections.doubtful_boxes(*made.overall.pictures()),
            sections.groups(made.totals),
            *([sections.runs(made.runs)] if made.runs else []),
        ]
        self._settings = settings

    def pieces(self, fit: _Fit, notes: Sequence[str], spool: PartSpool | None) -> Iterator[bytes]:
        """The page as UTF-8, piece by piece; without a spool all but the parts that stand on it."""
        yield from (text.encode() for text in self._until_single(fit, notes))
        if spool is not None:
            for place, one in enumerate(self._made.kept):
                if place in fit.texts:
                    yield spool.get(one.text)
                    yield spool.get(one.pictures) if place in fit.pictures else b""
                    yield details.closing().encode()
        yield f"</section>\n{self._settings}\n</main>\n{document.closing(SCRIPTS)}".encode()

    def _until_single(self, fit: _Fit, notes: Sequence[str]) -> Iterator[str]:
        yield document.opening(self._title, SCRIPTS)
        yield f"{self._top}\n<main>\n"
        if notes:
            yield tag("ul", *(tag("li", note) for note in notes), class_="told remark")
        yield from (f"{part}\n" for part in self._above)
        yield '<section id="videos" aria-labelledby="videos-title"><h2 id="videos-title">Videos</h2>\n'
        rows = [one.row for one in self._made.kept]
        yield table.table_opening(rows)
        for place, row in enumerate(rows):
            link = place in fit.texts
            yield table.table_row(place, row, truth=self._truth, speeds=self._speeds, link=link)
        yield f"{table.table_closing()}</section>\n"
        yield from (f"{part}\n" for part in self._below)
        yield '<section id="single" aria-labelledby="single-title">'
        yield '<h2 id="single-title">Video by video</h2>\n'


def _fitted(page: _Page, made: Made, limit: int) -> _Fit:
    """What has room, the most doubtful videos first."""
    kept = made.kept
    everything = frozenset(range(len(kept)))
    fixed = sum(map(len, page.pieces(_Fit(everything, everything), (), None))) + _NOTE_ROOM
    order = sorted(everything, key=lambda place: kept[place].row.doubt)
    closing = len(details.closing().encode())
    texts, left = _taken(order, [one.text.length + closing for one in kept], limit - fixed)
    pictures, _ = _taken([p for p in order if p in texts], [one.pictures.length for one in kept], left)
    size = fixed + sum(one.text.length + closing + one.pictures.length + one.lacking for one in kept)
    return _Fit(texts, pictures, fixed, size + sum(run.lacking for run in made.runs))


def _too_small(target: Path, fixed: int) -> ReportError:
    least = -(-fixed // (MEGABYTE // 10)) / 10
    return ReportError(
        f"{target}: the page without its videos' parts needs {least:g} MB; "
        f"allow more with --max-mb {least:g}, or name videos with --only"
    )


def _taken(order: Sequence[int], lengths: Sequence[int], room: int) -> tuple[frozenset[int], int]:
    """The first of an order that have room, up to the first that has none; and the room that is left."""
    taken: set[int] = set()
    for place in order:
        if lengths[place] > room:
            break
        taken.add(place)
        room -= lengths[place]
    return frozenset(taken), room


def _left_out(made: Made, fit: _Fit, limit: int) -> list[str]:
    """Lines that say what the page does not show."""
    kept = made.kept
    curves = sum(run.lacking > 0 for run in made.runs)
    texts = len(kept) - len(fit.texts)
    bare = sum(one.shown > 0 for place, one in enumerate(kept) if place not in fit.pictures)
    fewer = sum(one.left_out for one in kept)
    lines = []
    if curves:
        lines.append(f"{curves} pictures of training and evaluation had no room")
    if texts:
        lines.append(f"{texts} videos are in the table alone: the least doubtful ones")
    if bare:
        lines.append(f"{bare} videos are without pictures: the least doubtful ones")
    if fewer:
        lines.append(f"{fewer} pictures of single boxes had no room even at the smallest size")
    if lines:
        needed = max(-(-fit.size // MEGABYTE), limit // MEGABYTE + 1)
        lines.append(f"To see all: about --max-mb {needed}, or --only NAME. The JSON twin has all figures.")
    return lines
