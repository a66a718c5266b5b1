"""The arrows between the rooms: who may import whom."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
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
"""Parts of the pipeline that belong to the rim; of the detector only its own rim may use them."""
PIPELINE_ROOMS = (
    "frames", "synthetic", "store", "manual", "datasets", "recipes", "measures", "upkeep", "stages",
    "compare", "pictures", "why", "forecast", "exports", "imports", "audit", "running", "pages",
    "cluster", "cli",
)  # fmt: skip
"""Rooms of the pipeline, each of which may import the rooms before it, and the modules at the root
(sequence, boxes, names ...), which import no room."""


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


def test_only_the_detectors_rim_knows_recipes() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("detector")
        if path.parent.name != "cli" and path.name != "from_recipe.py"
        for name in imported(path)
        if any(below(name, part) for part in RIM)
    }
    assert not wrong


def named_modules() -> dict[str, Path]:
    """Every file of ours by the name it is imported under."""
    named = {}
    for room in ("labelers", "pipeline", "detector", "workflows", "benchmarks", "tests"):
        prefix = "" if room in ("benchmarks", "tests") else "spotlabel."
        for path in modules(room):
            parts = path.relative_to(ROOT).with_suffix("").parts
            named[prefix + ".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def imports_of_modules() -> dict[str, set[str]]:
    """For every module of ours, those it imports; ``from package import module`` imports the module."""
    named = named_modules()
    graph: dict[str, set[str]] = {}
    for module, path in named.items():
        graph[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                graph[module] |= {alias.name for alias in node.names} & named.keys()
            elif isinstance(node, ast.ImportFrom) and node.module:
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                graph[module] |= inside & named.keys()
                if inside - named.keys():
                    graph[module] |= {node.module} & named.keys()
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of a graph, its first name twice; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = imports_of_modules()
    assert graph["spotlabel.pipeline.cli.main"] & graph.keys()
    assert circle(graph) == []
    assert circle({**graph, "spotlabel.pipeline.errors": {"spotlabel.pipeline.cli.main"}})


def test_rooms_of_the_pipeline_import_only_rooms_before_them() -> None:
    """A new room is entered at its place in :data:`PIPELINE_ROOMS`."""
    rank = {room: place for place, room in enumerate(PIPELINE_ROOMS)}
    packages = {path.parent.name for path in (ROOT / "pipeline").glob("*/__init__.py")}
    assert packages == rank.keys()
    wrong = set()
    for module, imports in imports_of_modules().items():
        if room_of(module) != "pipeline":
            continue
        own = pipeline_room(module)
        for name in imports:
            other = pipeline_room(name) if room_of(name) == "pipeline" else ""
            if other and other != own and rank[other] > rank.get(own, -1):
                wrong.add(f"{module} imports {name}")
    assert not wrong


def pipeline_room(module: str) -> str:
    """``store`` of ``spotlabel.pipeline.store.seal``; empty for a module at the pipeline's root."""
    part = module.removeprefix("spotlabel.pipeline.").partition(".")[0]
    return part if part in PIPELINE_ROOMS else ""


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
