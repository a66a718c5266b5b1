"""What stays in memory of every video while the report is made: its row, without pictures and timeline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spotlabel.pipeline.measures.quality import Quality
from spotlabel.pipeline.pages.report.tally import Tally, added
from spotlabel.pipeline.pages.report.video import Standing, Video
from spotlabel.pipeline.upkeep.freshness import State

STATES = (*map(str, (State.FRESH, State.STALE, State.MISSING, State.DAMAGED)), "unusable")


@dataclass(frozen=True)
class Row:
    """One video in figures.

    Attributes:
        name: of the sequence.
        camera: fixed or moving.
        labeler: who makes its evidence.
        standing: how its masks stand to the recipe.
        frames: number of frames; 0 where there are no masks.
        pixels: of all its frames.
        total: figures over its boxes.
        unknown: unknown pixels by reason.
        quality: F and IoU beside the ground truth; None where there is none.
        store: digest of the mask store; empty where there are no masks.
        remarks: number of warnings.
        findings: number of reasons why this can hardly be meant.
        speeds: frames a second by stage; empty where that was not asked for, or is not known.
    """

    name: str
    camera: str
    labeler: str
    standing: Standing
    frames: int = 0
    pixels: int = 0
    total: Tally = field(default_factory=Tally)
    unknown: Mapping[str, int] = field(default_factory=dict)
    quality: Mapping[str, float | int | None] | None = None
    store: str = ""
    remarks: int = 0
    findings: int = 0
    speeds: Mapping[str, float] = field(default_factory=dict)

    @property
    def speed(self) -> float | None:
        """Frames a second through all stages that are known; None if none is."""
        return 1 / sum(1 / speed for speed in self.speeds.values()) if self.speeds else None

    @property
    def unknown_share(self) -> float | None:
        """Share of the pixels that are unknown; None where there are no pixels."""
        return sum(self.unknown.values()) / self.pixels if self.pixels else None

    @property
    def doubt(self) -> tuple[bool, bool, float, str]:
        """Sorts videos that are to be looked at first to the front."""
        share = self.total.doubtful / self.total.judged if self.total.judged else 0.0
        return (self.standing.good, not self.findings, -share, self.name)

    def as_data(self) -> dict[str, Any]:
        """The figures as plain data."""
        return {
            "name": self.name,
            "camera": self.camera,
            "labeler": self.labeler,
            "state": self.standing.state,
            "reason": self.standing.reason,
            "frames": self.frames,
            **self.total.as_data(),
            "unknown": None if self.unknown_share is None else round(self.unknown_share, 6),
            "unknown_pixels": dict(self.unknown),
            "quality": self.quality,
            "mask_store": self.store,
            **({"speeds": dict(self.speeds)} if self.speeds else {}),
        }


def row_of(video: Video) -> Row:
    """The row of a video."""
    bare = Row(
        video.name,
        video.camera,
        video.labeler,
        video.standing,
        remarks=len(video.remarks),
        findings=len(video.findings),
        speeds=video.speeds,
    )
    found = video.contents
    if found is None:
        return bare
    return replace(
        bare,
        frames=found.frames,
        pixels=found.pixels,
        total=found.total,
        unknown=found.unknown,
        quality=quality_data(found.quality),
        store=str(found.made_from["mask store"]),
    )


def quality_data(quality: Quality | None) -> dict[str, float | int | None] | None:
    """Figures beside the ground truth as plain data; null for what could not be worked out."""
    if quality is None:
        return None
    counts = quality.counts
    values = {
        "f": counts.f_measure, "precision": counts.precision, "recall": counts.recall, "iou": counts.iou,
        "mean_iou": quality.mean_iou, "boundary_f": quality.boundary_f,
    }  # fmt: skip
    known = {name: round(value, 4) if math.isfinite(value) else None for name, value in values.items()}
    return {"frames": quality.frames, **known}


@dataclass
class Totals:
    """Figures over all videos, added up as they come.

    Attributes:
        rows: one per video.
        groups: figures by kind of group and name.
        missed: boxes that are not believed, by the setting they miss.
        versions: of labelers, mask rules, readers and libraries, as the stores name them.
    """

    rows: list[Row] = field(default_factory=list)
    groups: dict[str, dict[str, Tally]] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    versions: dict[str, set[str]] = field(default_factory=dict)

    def add(self, video: Video) -> Row:
        """Add a video; gives its row."""
        row = row_of(video)
        self.rows.append(row)
        if video.contents is not None:
            for kind, parts in video.contents.groups.items():
                self.groups[kind] = added(self.groups.get(kind, {}), parts)
            for name, count in video.contents.missed.items():
                self.missed[name] = self.missed.get(name, 0) + count
            self._add_versions(video.contents.made_from)
        return row

    def _add_versions(self, made_from: Mapping[str, Any]) -> None:
        libraries = [f"{name} {version}" for name, version in dict(made_from["libraries"]).items()]
        named = {name: [str(made_from[name])] for name in ("labeler", "mask rules", "reader")}
        for name, found in {**named, "libraries": libraries}.items():
            self.versions.setdefault(name, set()).update(found)

    @property
    def total(self) -> Tally:
        """Figures over the boxes of all videos."""
        return sum((row.total for row in self.rows), Tally())

    @property
    def unknown(self) -> dict[str, int]:
        """Unknown pixels of all videos by reason, most first."""
        found: dict[str, int] = {}
        for row in self.rows:
            for reason, pixels in row.unknown.items():
                found[reason] = found.get(reason, 0) + pixels
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    @property
    def pixels(self) -> int:
        """Pixels of all frames."""
        return sum(row.pixels for row in self.rows)

    def states(self) -> dict[str, int]:
        """Number of videos by state; states without a video are left out."""
        counts = {state: sum(row.standing.state == state for row in self.rows) for state in STATES}
        return {state: count for state, count in counts.items() if count}


@dataclass(frozen=True)
class Verdict:
    """The report in one line.

    Attributes:
        level: ``good``, ``look`` (something wants to be looked at) or ``bad`` (not what the recipe asks for).
        headline: that, in words.
        lines: what it rests on.
    """

    level: str
    headline: str
    lines: tuple[str, ...]


def verdict(totals: Totals) -> Verdict:
    """Judge the videos together: what is not as the recipe asks for first, then what can hardly be meant."""
    rows, states = totals.rows, totals.states()
    fresh = states.get(str(State.FRESH), 0)
    lines = [f"{fresh} of {_count(len(rows), 'video')} up to date" + _others(states)]
    found = sum(row.findings > 0 for row in rows)
    if found:
        lines.append(f"{_count(found, 'video')} with an outcome that can hardly be meant")
    total = totals.total
    if total.judged:
        lines.append(
            f"{total.believed / total.judged:.1%} of {_count(total.judged, 'judged box', 'judged boxes')} "
            f"believed, {total.doubtful:,} doubtful"
        )
    if totals.pixels:
        lines.append(f"{sum(totals.unknown.values()) / totals.pixels:.1%} of all pixels unknown")
    if fresh < len(rows) or not rows:
        return Verdict("bad", _bad_headline(rows), tuple(lines))
    if found:
        return Verdict("look", "Up to date, but look closer before you train on it", tuple(lines))
    return Verdict("good", "Up to date, and no outcome looks like a mistake", tuple(lines))


def _bad_headline(rows: Iterable[Row]) -> str:
    return "These masks are not, or not all, what the recipe asks for" if [*rows] else "There are no videos"


def _others(states: Mapping[str, int]) -> str:
    others = [f"{count} {state}" for state, count in states.items() if state != State.FRESH]
    return f" ({', '.join(others)})" if others else ""


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number:,} {one if number == 1 else more or one + 's'}"
