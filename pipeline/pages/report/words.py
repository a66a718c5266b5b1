"""Figures as people read them, and small parts that several sections share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spotlabel.pipeline.pages.charts import histogram
from spotlabel.pipeline.pages.html import Markup, tag
from spotlabel.pipeline.pages.report.columns import DOUBTFUL_BELOW
from spotlabel.pipeline.pages.report.tally import Tally

NOTHING = "–"


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent; a dash for none."""
    return NOTHING if share is None else f"{share:.{digits}%}"


def number(value: float | None) -> str:
    """A count, or a figure of three digits; a dash for none."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def setting(value: Any) -> str:
    """A setting as a recipe would have it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {setting(part)}" for key, part in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(setting, value)) + "]"
    return str(value)


def believability(total: Tally) -> Markup:
    """The histogram of some boxes."""
    label = f"believability of {sum(total.histogram)} boxes"
    return histogram(total.histogram, label, DOUBTFUL_BELOW)


def plain_table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], caption: str, label: str = ""
) -> Markup:
    """A table whose first column names its rows; the others are numbers or pictures."""
    head = tag("tr", *(tag("th", name, scope="col") for name in heads))
    body = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    table = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return scrolling(table, label or caption)


def scrolling(table: Markup, label: str) -> Markup:
    """A table that scrolls sideways by itself where the window is too narrow for it."""
    return tag("div", table, class_="scroll", role="region", aria_label=label, tabindex=0)


def facts(pairs: Iterable[tuple[object, object]]) -> Markup:
    """Names with what stands behind them."""
    return tag(
        "dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts"
    )


def section(identity: str, title: str, *children: object) -> Markup:
    """A part of the page that the list of contents leads to."""
    heading = tag("h2", title, id=f"{identity}-title")
    return tag("section", heading, *children, id=identity, aria_labelledby=f"{identity}-title")
