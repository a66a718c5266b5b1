"""The table of videos: a row each, sortable by every column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spotlabel.pipeline.pages.charts import stacked
from spotlabel.pipeline.pages.html import Markup, tag
from spotlabel.pipeline.pages.report.summary import Row
from spotlabel.pipeline.pages.report.unknown import COLOURS, NOT_BELIEVED
from spotlabel.pipeline.pages.report.words import NOTHING, believability, number, percent


@dataclass(frozen=True)
class _Column:
    """One column.

    Attributes:
        title: in its head.
        told: what it holds, shown where the mouse rests.
        text: true if it sorts as text.
    """

    title: str
    told: str
    text: bool = False


_COLUMNS = (
    _Column("video", "name of the sequence", text=True),
    _Column("state", "how its masks stand to the recipe", text=True),
    _Column("told", "findings (outcomes that can hardly be meant) and warnings"),
    _Column("labeler", "who makes its evidence, and the camera", text=True),
    _Column("frames", "number of frames"),
    _Column("boxes", "number of boxes"),
    _Column("fill", "mean share of foreground in the judged boxes"),
    _Column("believed", "share of the judged boxes that are believed"),
    _Column("believability", "judged boxes by believability, from 0 to 1; sorts by the doubtful share"),
    _Column("doubtful", "judged boxes that are not believed, or with a believability under 0.5"),
    _Column("unknown", "share of all pixels that are unknown"),
    _Column("why unknown", "where unknown pixels come from; sorts by the boxes not believed"),
)
_TRUTH = (
    _Column("F", "F-measure beside the ground truth, unknown counting as background"),
    _Column("IoU", "IoU of the foreground beside the ground truth"),
)
_SPEED = _Column("frames/s", "frames a second from image to mask, when they were last made")
_OPENED = (
    '<div class="scroll" role="region" aria-label="table of videos" tabindex="0"><table id="videos-table">'
)
Cell = tuple[object, object]
"""What is shown, and what sorts."""


def table_opening(rows: Sequence[Row]) -> Markup:
    """Controls and head of the table; rows and :func:`table_closing` follow."""
    heads = [
        tag("th", tag("button", c.title, type="button"), scope="col", title=c.told, data_text=c.text or None)
        for c in _columns(rows)
    ]
    states = sorted({row.standing.state for row in rows})
    options = [
        tag("option", "all states", value=""),
        *(tag("option", state, value=state) for state in states),
    ]
    controls = tag(
        "div",
        tag(
            "label",
            "Filter ",
            tag(
                "input",
                type="search",
                id="filter",
                placeholder="name or labeler",
                autocomplete="off",
                aria_describedby="keys",
            ),
        ),
        tag("label", "State ", tag("select", *options, id="state")),
        tag("output", f"{len(rows)} videos", id="shown", aria_live="polite"),
        tag(
            "span",
            "Keys: / filter, j and k next and previous video, t light or dark",
            id="keys",
            class_="hint",
        ),
        class_="controls needs-script",
    )
    caption = tag("caption", "Videos", class_="unseen")
    return Markup(f"{controls}{_OPENED}{caption}<thead>{tag('tr', *heads)}</thead><tbody>\n")


def table_closing() -> Markup:
    """The end of the table."""
    return Markup("</tbody></table></div>\n")


def table_row(place: int, row: Row, *, truth: bool, speeds: bool, link: bool) -> Markup:
    """One row.

    Args:
        place: of the video among all.
        row: its figures.
        truth: whether any video has ground truth, so that there are columns for it.
        speeds: likewise, whether it is told of any how fast it was made.
        link: whether there is a part about it to lead to.
    """
    cells = [*_cells(row), *(_quality(row) if truth else ())]
    if speeds:
        cells.append((NOTHING if row.speed is None else f"{row.speed:.1f}", _sortable(row.speed)))
    name = tag("a", row.name, href=f"#video-{place}") if link else row.name
    first = tag("th", name, scope="row", data_v=row.name)
    rest = [tag("td", shown, data_v=sorts) for shown, sorts in cells]
    return Markup(tag("tr", first, *rest, data_state=row.standing.state) + "\n")


def has_truth(rows: Sequence[Row]) -> bool:
    """Whether any video was compared with ground truth."""
    return any(row.quality for row in rows)


def has_speeds(rows: Sequence[Row]) -> bool:
    """Whether it is told of any video how fast it was made."""
    return any(row.speeds for row in rows)


def _columns(rows: Sequence[Row]) -> tuple[_Column, ...]:
    return (*_COLUMNS, *(_TRUTH if has_truth(rows) else ()), *([_SPEED] if has_speeds(rows) else ()))


def _cells(row: Row) -> Iterator[Cell]:
    total, standing = row.total, row.standing
    state = tag("span", standing.state, class_=f"state {standing.state}", title=standing.reason or None)
    yield state, standing.state
    yield _told(row)
    yield f"{row.labeler} ({row.camera})", f"{row.labeler} {row.camera}"
    if not row.frames:
        for _ in range(8):
            yield NOTHING, None
        return
    yield number(row.frames), row.frames
    yield number(total.boxes), total.boxes
    yield percent(total.mean_fill), _sortable(total.mean_fill)
    yield percent(total.believed_share), _sortable(total.believed_share)
    doubtful = total.doubtful / total.judged if total.judged else None
    yield believability(total), _sortable(doubtful)
    yield number(total.doubtful), total.doubtful
    yield percent(row.unknown_share), _sortable(row.unknown_share)
    shares = {reason: pixels / row.pixels for reason, pixels in row.unknown.items()}
    yield stacked(shares, "unknown", COLOURS), _sortable(shares.get(NOT_BELIEVED, 0.0))


def _told(row: Row) -> Cell:
    parts = [
        f"{count} {name if count == 1 else name + 's'}"
        for name, count in (("finding", row.findings), ("warning", row.remarks))
        if count
    ]
    shown = tag("span", ", ".join(parts), class_="flag") if row.findings else ", ".join(parts) or NOTHING
    return shown, row.findings * 1000 + row.remarks


def _quality(row: Row) -> Iterator[Cell]:
    for name in ("f", "iou"):
        value = row.quality[name] if row.quality else None
        yield number(value), _sortable(value)


def _sortable(value: float | None) -> str | None:
    return None if value is None else f"{value:.6f}"
