"""Charts: where bars and lines lie, and what is said to those who cannot see them."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest

from spotlabel.pipeline.pages.charts import histogram, line_chart, stacked


def drawn(svg: str, name: str) -> list[dict[str, str]]:
    start = svg.index("<svg")
    root = ET.fromstring(svg[start : svg.index("</svg>") + len("</svg>")])
    return [dict(part.attrib) for part in root.iter(name)]


def test_a_histogram_has_a_bar_a_step() -> None:
    bars = drawn(histogram([0, 1, 4, 2], "boxes", split=0.5), "path")
    assert [(bar["class"], bar["d"]) for bar in bars] == [
        ("low", "M6 18v-4.5h5v4.5z"),
        ("high", "M12 18v-18h5v18zM18 18v-9h5v9z"),
    ]
    assert drawn(histogram([0, 1, 4, 2], "boxes"), "svg")[0]["aria-label"].startswith("boxes by steps")


def test_one_of_many_is_still_seen() -> None:
    bars = drawn(histogram([1, 10_000], "boxes"), "path")
    assert bars[0]["d"].startswith("M0 18v-1h5v1z")


def test_shares_lie_one_after_another() -> None:
    bars = drawn(stacked({"a": 0.25, "b": 0.5}, "unknown", {"a": 3, "b": 0}), "rect")
    assert [(float(bar["x"]), float(bar["width"])) for bar in bars] == [(0, 25), (25, 50)]
    assert [bar["class"] for bar in bars] == ["part-3", "part-0"]
    assert drawn(stacked({"a": 0.25}, "unknown", {"a": 0}), "svg")[0]["aria-label"] == "unknown: a 25.00%"


def test_a_line_goes_from_corner_to_corner_and_stops_at_gaps() -> None:
    points = [(0.0, 0.0), (1.0, math.nan), (2.0, 0.5), (3.0, 1.0)]
    line = [
        path for path in drawn(line_chart({"a": points}, "A", "frame"), "path") if "line" in path["class"]
    ]
    assert line[0]["d"] == "M46 176h0M435.3 92h0L630 8"


def test_a_point_alone_is_seen_and_nothing_is_said() -> None:
    chart = line_chart({"a": [(5.0, 2.0)]}, "A", "step")
    assert re.search(r'd="M[\d. ]+h0"', chart)
    assert line_chart({"a": [(5.0, math.nan)]}, "A", "step") == '<p class="none">A: nothing to draw</p>'


@pytest.mark.parametrize(
    ("largest", "top"), [(0.0, 1), (0.9, 1), (1.0, 1), (1.1, 2), (2.2, 2.5), (70.0, 100)]
)
def test_axes_end_at_round_numbers(largest: float, top: float) -> None:
    chart = line_chart({"a": [(0.0, largest)]}, "A", "step")
    assert f">{top:.3g}</text>" in chart


def test_hostile_names_stay_text() -> None:
    hostile = "</svg><script>alert(1)</script>"
    line = line_chart({hostile: [(0, 1)]}, hostile, "x")
    for chart in (histogram([1], hostile), stacked({hostile: 0.5}, hostile, {hostile: 0}), line):
        assert "<script" not in chart
