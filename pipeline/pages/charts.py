"""Charts as SVG inside a page: drawn with classes, so that the page's style colours them light or dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from spotlabel.pipeline.pages.html import Markup, tag

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 8, 24
LINE_CLASSES = 6
"""Lines of a chart that have a colour of their own; further ones take the colours from the start."""


def histogram(counts: Sequence[int], label: str, split: float = 0.0) -> Markup:
    """Small bars over the steps from 0 to 1.

    Args:
        counts: one per step.
        label: what is counted, for those who cannot see it.
        split: bars below this value are drawn as doubtful.
    """
    top, steps = max(counts, default=0), len(counts)
    bars: dict[str, str] = {}  # two paths: a page holds thousands of histograms
    for step, count in enumerate(counts):
        if count:
            height = max(1.0, 18 * count / top)
            kind = "low" if (step + 1) / steps <= split + 1e-9 else "high"
            bars[kind] = bars.get(kind, "") + f"M{6 * step} 18v-{_short(height)}h5v{_short(height)}z"
    drawn = [tag("path", d=path, class_=kind) for kind, path in bars.items()]
    shares = ", ".join(f"{k / steps:.1f}: {count}" for k, count in enumerate(counts))
    box = f"0 0 {6 * steps} 18"
    words = f"{label} by steps from {shares}"
    return tag("svg", *drawn, class_="histogram", viewBox=box, role="img", aria_label=words)


def stacked(parts: Mapping[str, float], label: str, colours: Mapping[str, int]) -> Markup:
    """A bar of shares of a whole, the rest left empty.

    Args:
        parts: share by name, together at most 1.
        label: what the whole is.
        colours: number of each part's colour, so that a name has the same one in every bar.
    """
    drawn: list[Markup] = []
    left = 0.0
    for name, share in parts.items():
        kind = f"part-{colours[name] % LINE_CLASSES}"
        drawn.append(tag("rect", x=_short(100 * left), y=0, width=_short(100 * share), height=6, class_=kind))
        left += share
    words = ", ".join(f"{name} {share:.2%}" for name, share in parts.items()) or "none"
    return tag(
        "svg", tag("title", f"{label}: {words}"), *drawn, class_="stacked", viewBox="0 0 100 6", role="img",
        preserveAspectRatio="none", aria_label=f"{label}: {words}",
    )  # fmt: skip


def line_chart(lines: Mapping[str, Points], label: str, across: str, top: float | None = None) -> Markup:
    """Lines over one axis, with a key below.

    Args:
        lines: points by name, rising across; gaps are points whose value is NaN.
        label: what the chart shows.
        across: what the horizontal axis is.
        top: upper end of the vertical axis; None takes a round number above the largest value.
    """
    values = [value for points in lines.values() for _, value in points if math.isfinite(value)]
    places = [place for points in lines.values() for place, _ in points]
    if not values:
        return tag("p", f"{label}: nothing to draw", class_="none")
    low = min(0.0, *values)
    high = top if top is not None else _round_up(max(values))
    frame = _Frame(min(places), max(places), low, max(high, low + 1e-9))
    paths = [
        tag("path", d=frame.path(points), class_=f"line line-{place % LINE_CLASSES}")
        for place, points in enumerate(lines.values())
    ]
    key = [
        tag("span", tag("i", class_=f"swatch line-{place % LINE_CLASSES}"), name)
        for place, name in enumerate(lines)
    ]
    drawing = tag(
        "svg", *frame.axes(across), *paths, class_="chart", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img",
        aria_label=f"{label}. {_ends(lines)}",
    )  # fmt: skip
    return tag("figure", tag("figcaption", label), drawing, tag("div", *key, class_="key"), class_="plot")


def _ends(lines: Mapping[str, Points]) -> str:
    """First and last value of each line, for those who cannot see it."""
    said = []
    for name, points in lines.items():
        known = [value for _, value in points if math.isfinite(value)]
        if known:
            said.append(f"{name} from {known[0]:.3g} to {known[-1]:.3g}")
    return "; ".join(said)


class _Frame:
    """Where values lie in a chart."""

    def __init__(self, first: float, last: float, low: float, high: float) -> None:
        self._first, self._span = first, max(last - first, 1e-9)
        self._low, self._height = low, high - low

    def x(self, place: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (place - self._first) / self._span

    def y(self, value: float) -> float:
        inside = min(max((value - self._low) / self._height, 0.0), 1.0)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * inside

    def path(self, points: Points) -> str:
        parts, down = [], False
        for place, value in points:
            if math.isfinite(value):
                at = f"{_short(self.x(place))} {_short(self.y(value))}"
                # A point alone would not be seen: a line of no length with round ends is.
                parts.append(f"L{at}" if down else f"M{at}h0")
            down = math.isfinite(value)
        return "".join(parts)

    def axes(self, across: str) -> Iterator[Markup]:
        right = _WIDTH - _RIGHT
        for part in range(5):
            value = self._low + self._height * part / 4
            y = _short(self.y(value))
            yield tag("path", d=f"M{_LEFT} {y}H{right}", class_="grid")
            yield tag("text", f"{value:.3g}", x=_LEFT - 6, y=y, class_="tick left")
        for end, side in ((0.0, "start"), (1.0, "end")):
            place = self._first + self._span * end
            x = _LEFT + (right - _LEFT) * end
            yield tag("text", f"{place:.6g}", x=_short(x), y=_HEIGHT - 6, class_=f"tick {side}")
        yield tag("text", across, x=(_LEFT + right) / 2, y=_HEIGHT - 6, class_="tick middle")


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten that is not below a value."""
    if value <= 0:
        return 1.0
    power = float(10 ** math.floor(math.log10(value)))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-9))


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
