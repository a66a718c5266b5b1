"""The arrows between the rooms: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAY_IMPORT = {
    "labelers": {"labelers"},
    "pipeline": {"pipeline", "labelers"},
    "detector": {"detector", "pipeline"},
}
KNOWS_LABELERS = (
    "upkeep.plan", "upkeep.freshness", "stages", "cluster", "running.child", "measures.cdnet_check",
)  # fmt: skip
"""Parts of the pipeline that know how evidence is made: none of the detector's business."""
RIM = ("recipes", "upkeep.labelled", "cli", "running")
"""Parts of the pipeline that belong to the command line; only the detector's commands may use them."""


FAMILIES = ("centernet", "regions")
"""Families of detectors; all but the register of families know a detector by its contract."""


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def room_of(name: str) -> str:
    """``labelers`` of ``spotlabel.labelers.base``; the first part of names that are not installed."""
    first, _, rest = name.partition(".")
    return rest.partition(".")[0] if first == "spotlabel" else first


def below(name: str, part: str) -> bool:
    return name == f"spotlabel.pipeline.{part}" or name.startswith(f"spotlabel.pipeline.{part}.")


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_in_one_direction(room: str) -> None:
    others = {"labelers", "pipeline", "detector", "workflows", "benchmarks", "tests"} - MAY_IMPORT[room]
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imported(path)
        if room_of(name) in others
    }
    assert modules(room)
    assert not wrong


def test_the_detector_does_not_know_how_evidence_is_made() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("detector")
        for name in imported(path)
        if any(below(name, part) for part in KNOWS_LABELERS) or name.partition(".")[0] == "pybgs"
    }
    assert not wrong


def test_only_the_detectors_commands_know_recipes() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("detector")
        if path.parent.name != "cli"
        for name in imported(path)
        if any(below(name, part) for part in RIM)
    }
    assert not wrong


def test_only_the_register_knows_families_of_detectors() -> None:
    families = [f"spotlabel.detector.{name}" for name in FAMILIES]
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("detector")
        if path.relative_to(ROOT / "detector").parts[0] not in (*FAMILIES, "families.py")
        for name in imported(path)
        if any(name == family or name.startswith(f"{family}.") for family in families)
    }
    registered = imported(ROOT / "detector" / "families.py")
    assert "spotlabel.detector.centernet.family" in registered
    assert not wrong


def test_families_of_detectors_do_not_know_each_other() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for family in FAMILIES
        for path in modules(f"detector/{family}")
        for name in imported(path)
        for other in FAMILIES
        if other != family and f"{name}.".startswith(f"spotlabel.detector.{other}.")
    }
    assert not wrong
