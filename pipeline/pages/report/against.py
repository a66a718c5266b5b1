"""What changed since an earlier report, from its JSON twin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.pages.report.summary import Row
from spotlabel.pipeline.regular import regular_bytes

FORMAT = "spotlabel-report 1"
"""What the JSON twin says of itself."""
MOST_BYTES = 1 << 28


class ReportError(SpotlabelError):
    """A report that cannot be made, or compared with."""


@dataclass(frozen=True)
class Change:
    """What changed of one video.

    Attributes:
        name: of the video.
        figures: names of figures with their old and new value; empty if only the bytes differ.
    """

    name: str
    figures: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Changes:
    """What changed since an earlier report.

    Attributes:
        verdicts: headline then and now.
        settings: settings that differ, by dotted name, then and now.
        videos: those whose masks or figures differ.
        unchanged: number of videos whose mask stores have the same bytes.
        gone: names of videos that only the earlier report has.
        new: likewise this one.
    """

    verdicts: tuple[str, str]
    settings: Mapping[str, tuple[Any, Any]]
    videos: tuple[Change, ...]
    unchanged: int
    gone: tuple[str, ...]
    new: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "verdicts": list(self.verdicts),
            "settings": {name: list(pair) for name, pair in self.settings.items()},
            "videos": {
                change.name: {key: list(pair) for key, pair in change.figures.items()}
                for change in self.videos
            },
            "unchanged": self.unchanged,
            "gone": list(self.gone),
            "new": list(self.new),
        }


@dataclass(frozen=True)
class Earlier:
    """An earlier report.

    Attributes:
        headline: its verdict.
        settings: its settings.
        videos: rows by name.
    """

    headline: str
    settings: Mapping[str, Any]
    videos: Mapping[str, Mapping[str, Any]]


_COMPARED = (
    "state", "frames", "boxes", "judged", "believed", "doubtful", "mean_fill", "unknown", "f", "iou",
)  # fmt: skip


def read_earlier(path: Path) -> Earlier:
    """Read the JSON twin of a report.

    Raises:
        ReportError: it is not one.
        OSError: it cannot be read.
    """
    if path.is_dir():
        raise ReportError(f"{path}: a folder, expected a file: report.json of `spotlabel report`")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ReportError(
                f"{path}: larger than {MOST_BYTES >> 20} MiB: not a report of `spotlabel report`"
            )
        data = json.loads(regular_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ReportError(
            f"{path}: not the JSON of a report: expected report.json of `spotlabel report`"
        ) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise ReportError(
            f"{path}: holds format {found!r}, expected {FORMAT!r}: report.json of `spotlabel report`"
        )
    try:
        rows = {str(row["name"]): dict(row) for row in data["videos"]}
        return Earlier(str(data["verdict"]["headline"]), dict(data["settings"]), rows)
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"{path}: not whole: {error}; make that report again") from error


def changes(earlier: Earlier, headline: str, settings: Mapping[str, Any], rows: list[Row]) -> Changes:
    """Compare videos by name, their stores by digest, and settings one by one."""
    now = {row.name: row.as_data() for row in rows}
    both = [name for name in now if name in earlier.videos]
    differing = [(name, _differing(earlier.videos[name], now[name])) for name in both]
    same = {
        name for name in both
        if now[name]["mask_store"] and now[name]["mask_store"] == earlier.videos[name].get("mask_store")
    }  # fmt: skip
    before, after = dict(flat(earlier.settings)), dict(flat(settings))
    return Changes(
        verdicts=(earlier.headline, headline),
        settings={
            name: (before.get(name), after.get(name))
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        },
        videos=tuple(
            Change(name, found) for name, found in differing if found or _other_bytes(name, same, now)
        ),
        unchanged=len(same),
        gone=tuple(name for name in earlier.videos if name not in now),
        new=tuple(name for name in now if name not in earlier.videos),
    )


def _other_bytes(name: str, same: set[str], now: Mapping[str, Mapping[str, Any]]) -> bool:
    return name not in same and bool(now[name]["mask_store"])


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    before, after = ({**(row.get("quality") or {}), **row} for row in (old, new))
    pairs = {name: (before.get(name), after.get(name)) for name in _COMPARED}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a tree of settings by dotted name."""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from flat(value, f"{name}.")
        else:
            yield name, value
