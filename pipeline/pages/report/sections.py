"""The parts of the page that are about all videos together."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from spotlabel.pipeline.pages.charts import line_chart, stacked
from spotlabel.pipeline.pages.html import Markup, join, tag
from spotlabel.pipeline.pages.report.against import Changes, flat
from spotlabel.pipeline.pages.report.details import Picture, gallery
from spotlabel.pipeline.pages.report.runs import Run
from spotlabel.pipeline.pages.report.summary import Totals, Verdict
from spotlabel.pipeline.pages.report.tally import Tally
from spotlabel.pipeline.pages.report.unknown import COLOURS
from spotlabel.pipeline.pages.report.words import (
    NOTHING,
    believability,
    facts,
    number,
    percent,
    plain_table,
    section,
    setting,
)
from spotlabel.pipeline.why.summary import preset_of

_KINDS = {
    "class": "Boxes by class",
    "size": "Boxes by size",
    "visibility": "Boxes by what the annotation says of visibility",
}
MOST_LISTED = 200
"""Rows of a list of changes that are shown; the JSON twin has all."""


def header(title: str, found: Verdict, contents: Mapping[str, str]) -> Markup:
    """Title, verdict and the list of contents."""
    theme = tag("button", "Dark", type="button", id="theme", class_="needs-script", aria_pressed="false")
    links = [tag("li", tag("a", name, href=f"#{identity}")) for identity, name in contents.items()]
    words = join(*(tag("li", line) for line in found.lines))
    return join(
        tag("a", "Skip to the videos", href="#videos", class_="skip"),
        tag(
            "header",
            tag("div", tag("h1", title), theme, class_="bar"),
            tag(
                "div",
                tag("p", tag("strong", found.headline)),
                tag("ul", words),
                class_=f"verdict {found.level}",
                role="status",
            ),
        ),
        tag("nav", tag("ul", *links), aria_label="contents"),
        between="\n",
    )


def tiles(totals: Totals) -> Markup:
    """The main figures."""
    total, pixels, rows = totals.total, totals.pixels, totals.rows
    unknown = {reason: count / pixels for reason, count in totals.unknown.items()} if pixels else {}
    why = tag("ul", *(_reason(reason, share) for reason, share in unknown.items()))
    missed = ", ".join(f"{count:,} miss {name}" for name, count in totals.missed.items())
    shown = [
        ("videos", number(len(rows)), ", ".join(f"{n} {state}" for state, n in totals.states().items())),
        ("frames", number(sum(row.frames for row in rows)), f"{pixels / 1e6:,.1f} megapixels"),
        ("boxes", number(total.boxes), f"{total.judged:,} judged"),
        ("believed", percent(total.believed_share), missed),
        ("doubtful", number(total.doubtful), believability(total)),
        ("mean fill", percent(total.mean_fill), "foreground in the judged boxes"),
        (
            "unknown",
            percent(sum(unknown.values()) if pixels else None),
            join(stacked(unknown, "unknown", COLOURS), why),
        ),
    ]
    return tag("div", *(_tile(*one) for one in shown), *_truth_tiles(totals), class_="tiles")


def _reason(name: str, share: float) -> Markup:
    """A reason for unknown pixels, with the colour it has in the bars."""
    return tag("li", tag("i", class_=f"swatch line-{COLOURS[name]}"), f"{name} {percent(share, 2)}")


def _tile(name: str, figure: str, note: object) -> Markup:
    return tag(
        "div", tag("span", name, class_="name"), tag("span", figure, class_="figure"), tag("div", note)
    )


def _truth_tiles(totals: Totals) -> list[Markup]:
    judged = [row.quality for row in totals.rows if row.quality]
    known = [float(q["f"]) for q in judged if q["f"] is not None]
    if not known:
        return []
    note = f"mean over {len(known)} videos with pixel ground truth"
    return [_tile("F", f"{sum(known) / len(known):.3f}", note)]


def groups(totals: Totals) -> Markup:
    """By class, size and visibility."""
    heads = ("", "boxes", "judged", "believed", "doubtful", "mean fill", "believability")
    parts = [
        plain_table(heads, [_group_row(name, part) for name, part in totals.groups[kind].items()], caption)
        for kind, caption in _KINDS.items()
        if totals.groups.get(kind)
    ]
    told = "A box may be occluded and truncated, and then counts in both rows."
    shown = tag("div", *parts, class_="side-by-side")
    return section("groups", "By class, size, occlusion", shown, tag("p", told, class_="hint"))


def _group_row(name: str, part: Tally) -> Sequence[object]:
    return (
        name, number(part.boxes), number(part.judged), percent(part.believed_share), number(part.doubtful),
        percent(part.mean_fill), believability(part),
    )  # fmt: skip


def doubtful_boxes(pictures: Sequence[Picture], names: Sequence[str]) -> Markup:
    """The most doubtful boxes of all videos."""
    told = (
        "Each as image, evidence and mask. Foreground has a colour for each object (cyan in "
        "older stores), striped is unknown, white is the box. "
        "More of each video, with boxes in the middle and at random, stand below."
    )
    return section(
        "boxes", "The most doubtful boxes", tag("p", told), gallery(pictures, names=names, level=3)
    )


def changed(found: Changes, source: str) -> Markup:
    """What changed since an earlier report."""
    then, now = found.verdicts
    figures = [
        (change.name, name.replace("_", " "), _changed(pair[0]), _changed(pair[1]))
        for change in found.videos
        for name, pair in (change.figures.items() or (("mask store", ("other bytes", "same figures")),))
    ]
    options = [(name, _changed(old), _changed(new)) for name, (old, new) in found.settings.items()]
    lists = [
        tag("p", f"{word}: {', '.join(names[:MOST_LISTED])}")
        for word, names in (("Only then", found.gone), ("Only now", found.new))
        if names
    ]
    parts = [
        facts(
            [
                ("beside", source),
                ("verdict then", then),
                ("verdict now", now),
                ("videos with the same masks", number(found.unchanged)),
            ]
        ),
        *lists,
    ]
    if options:
        parts.append(plain_table(("setting", "then", "now"), options[:MOST_LISTED], "Settings that changed"))
    if figures:
        more = f" (the first {MOST_LISTED} of {len(figures)})" if len(figures) > MOST_LISTED else ""
        heads = ("video", "figure", "then", "now")
        parts.append(plain_table(heads, figures[:MOST_LISTED], f"Videos that changed{more}"))
    return section("changes", "What changed", *parts)


def _changed(value: Any) -> str:
    return NOTHING if value is None else f"{value:.4g}" if isinstance(value, float) else setting(value)


def runs(found: Sequence[Run]) -> Markup:
    """Training and evaluation."""
    return section("runs", "Training and evaluation", *(_run(run) for run in found))


def _run(run: Run) -> Markup:
    parts: list[object] = [tag("h3", run.name)]
    if run.problem:
        parts.append(tag("ul", tag("li", run.problem), class_="told problem"))
    plots = [line_chart({c.name: c.points}, f"{c.kind}: {c.name}", "step") for c in run.curves]
    if plots:
        parts.append(tag("div", *plots, class_="plots"))
    if run.picture:
        source = Markup(f"data:image/png;base64,{base64.b64encode(run.picture).decode()}")
        words = f"curves of the evaluation {run.name}; its figures stand beside"
        parts.append(tag("img", src=source, alt=words, class_="curves"))
    if run.figures:
        rows = [(name, _changed(value)) for name, value in run.figures.items()]
        parts.append(plain_table(("figure", "value"), rows, f"Figures of {run.name}"))
    return tag("div", *parts, class_="run")


def settings(tree: Mapping[str, Any], versions: Mapping[str, str], commands: Sequence[str]) -> Markup:
    """How to make all this again."""
    rows = [(name, tag("code", setting(value))) for name, value in flat(tree)]
    return section(
        "settings",
        "Settings, versions, and how to make it again",
        tag("pre", tag("code", join(*commands, between="\n")), tabindex=0),
        facts([("masks", preset_of(dict(tree["masks"]))), *versions.items()]),
        tag(
            "details",
            tag("summary", f"All {len(rows)} settings"),
            plain_table(("setting", "value"), rows, "Every setting, defaults included"),
        ),
    )
