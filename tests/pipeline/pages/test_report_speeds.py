"""How fast videos were made: remembered beside the logs, and told by a report when asked for alone."""

from __future__ import annotations

from pathlib import Path

from spotlabel.pipeline.upkeep.plan import items
from spotlabel.pipeline.upkeep.speeds import keep_speeds, read_speeds
from tests.helpers.reports import labelled, reported


def test_speeds_are_told_when_asked_for_alone(tmp_path: Path) -> None:
    recipe = labelled(tmp_path, "gate", "yard")
    gate, yard = items(recipe)
    known = read_speeds(gate)
    assert known.keys() == {"evidence", "masks"}
    keep_speeds(gate, 12, {"masks": 0.5})
    assert read_speeds(gate) == known | {"masks": 24.0}
    keep_speeds(gate, 12, {"evidence": 1.5, "masks": 0.5})
    page, data = reported(recipe, tmp_path / "a.html")
    assert "frames/s" not in page
    assert "speeds" not in data["videos"][0]
    next((tmp_path / "out" / "logs").glob("yard*.speeds.json")).write_text('{"evidence": "fast"}')
    page, data = reported(recipe, tmp_path / "b.html", speeds=True)
    assert data["videos"][0]["speeds"] == {"evidence": 8.0, "masks": 24.0}
    assert "speeds" not in data["videos"][1]
    assert '<td data-v="6.000000">6.0</td>' in page
    assert read_speeds(yard) == {}
