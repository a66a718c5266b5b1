"""``python -m benchmarks.gpu`` at toy size on a CPU, and what it works out by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu.page import page
from benchmarks.gpu.parts import PARTS, Part
from benchmarks.gpu.pawcs import resident_warps
from benchmarks.gpu.steps import largest
from tests.conftest import ROOT
from tests.helpers.recipes import environment

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every part's result, and the page under ``page``."""
    out = tmp_path_factory.mktemp("gpu")
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--quick", "--minutes", "24",
         "--out", str(out)],
        cwd=ROOT, env=environment(OMP_NUM_THREADS="1"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[str, dict[str, Any]] = {
        p.name: json.loads((out / f"{p.name}.json").read_text()) for p in PARTS
    }
    return found | {"page": {"text": (out / "gpu.md").read_text()}}


def test_every_part_comes_to_its_end(results: dict[str, dict[str, Any]]) -> None:
    assert {part.name: results[part.name]["state"] for part in PARTS} == {part.name: "done" for part in PARTS}
    for part in PARTS:
        assert f"## {part.title}" in results["page"]["text"]


def test_the_masks_of_the_simulated_card_are_the_cpus(results: dict[str, dict[str, Any]]) -> None:
    (row,) = results["pawcs"]["tables"]["GPU beside CPU"]
    assert (row["pixels of masks that differ"], row["of the distance evidence"]) == (0, 0)


def test_a_run_that_was_stopped_ends_like_one_left_alone(results: dict[str, dict[str, Any]]) -> None:
    assert results["demo"]["facts"]["largest difference of weights, stopped beside alone"] == 0
    assert results["demo"]["facts"]["stopped with exit code"] == 143


def test_too_little_memory_is_told_in_one_line(results: dict[str, dict[str, Any]]) -> None:
    assert "has not enough memory for 1 canvases" in results["memory"]["facts"]["detection"]


def test_rates_are_positive(results: dict[str, dict[str, Any]]) -> None:
    rates = [
        value
        for part in PARTS
        for rows in results[part.name]["tables"].values()
        for row in rows
        for name, value in row.items()
        if name in {"images/s", "frames/s", "in memory", "read, then looked at"}
    ]
    assert len(rates) > 10
    assert min(rates) > 0


def test_missing_packages_stop_their_parts_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = (Part("group", "first", ("no_such_package",), 60), Part("steps", "second", ("json",), 60))
    monkeypatch.setattr(command, "PARTS", parts)
    monkeypatch.setattr(command, "_child", lambda part, given, out, limit: _write(out / f"{part.name}.json"))
    assert command.main(["--device", "cpu", "--out", str(tmp_path)]) == 1
    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("group", "steps"))
    assert (first["state"], second["state"]) == ("not run", "done")
    assert "no_such_package" in first["error"]
    assert "scripts/gpu-wheels.sh" in capsys.readouterr().out


def _write(path: Path) -> int:
    path.write_text(json.dumps({"state": "done", "seconds": 1, "facts": {}, "tables": {}}))
    return 0


def test_a_part_whose_process_dies_is_told_and_the_next_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = (Part("nothing_of_the_kind", "fails", (), 60), Part("parts", "has no run", (), 60))
    monkeypatch.setattr(command, "PARTS", parts)
    assert command.main(["--device", "cpu", "--out", str(tmp_path)]) == 1
    first, second = (json.loads((tmp_path / f"{part.name}.json").read_text()) for part in parts)
    assert first["state"] == second["state"] == "failed"
    assert "ModuleNotFoundError" in first["error"]
    assert "has no attribute 'run'" in second["error"]


def test_a_part_is_stopped_when_its_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PARTS", (Part("demo", "long", (), 60),))
    monkeypatch.setattr(command, "_SHORTEST", 0.0)
    assert command.main(["--device", "cpu", "--out", str(tmp_path), "--minutes", "0.001"]) == 1
    assert json.loads((tmp_path / "demo.json").read_text())["state"] == "stopped"
    monkeypatch.setattr(command, "_SHORTEST", 10.0)
    assert command.main(["--device", "cpu", "--out", str(tmp_path), "--minutes", "0.1"]) == 1
    assert json.loads((tmp_path / "demo.json").read_text())["state"] == "not run"


@pytest.mark.parametrize("true", [0, 1, 2, 15, 16, 17, 40, 100, 127, 128, 300])
def test_the_largest_batch_is_found_to_an_eighth(true: int) -> None:
    tried: list[int] = []

    def fits(count: int) -> bool:
        tried.append(count)
        return count <= true

    found = largest(fits, 16, 128)
    assert found <= true
    assert min(true, 128) - found <= max(1, found // 8)
    assert len(tried) == len(set(tried)) <= 10


def test_registers_decide_how_many_warps_fit() -> None:
    """64 Ki registers, 64 warps: NVIDIA's occupancy calculator gives these."""
    assert [resident_warps(r, 128, 65536, 64) for r in (32, 64, 128, 157, 255)] == [64, 32, 16, 12, 8]
    assert resident_warps(32, 96, 65536, 64) == 63


def test_the_page_shows_facts_tables_and_errors() -> None:
    result = {
        "state": "failed", "seconds": 2.0, "facts": {"a": 1.23456}, "error": "Traceback\nboom",
        "tables": {"rates": [{"n": 1, "x": 2.0}, {"n": 2, "y": "a|b"}]},
    }  # fmt: skip
    text = page({"card": "none"}, {"steps": result})
    for line in ("- card: none", "- a: 1.235", "| n | x | y |", "| 1 | 2 |  |", "| 2 |  | a/b |", "boom"):
        assert f"\n{line}\n" in f"\n{text}\n"
