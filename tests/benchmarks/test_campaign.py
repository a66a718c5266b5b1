"""The fault campaign at small counts, and that it hides nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.campaign import __main__ as campaign
from benchmarks.campaign import bad_input, clocks, crash_points, names, race_stages, report
from benchmarks.campaign.bench import Bench
from benchmarks.campaign.counts import QUICK
from benchmarks.campaign.promises import PROMISES
from benchmarks.campaign.result import Result, Tally, not_run
from benchmarks.campaign.shim import Mode, NoShimError, build
from spotlabel.pipeline import inputs
from tests.conftest import ROOT
from tests.helpers.recipes import environment, video


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("campaign"), QUICK)


@pytest.fixture(scope="module")
def shim(bench: Bench) -> Path:
    try:
        return build(bench.folder)
    except NoShimError as why:
        pytest.skip(str(why))


# --- faults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.KILL, Mode.TORN])
def test_a_kill_at_any_call_leaves_whole_files_or_none(bench: Bench, shim: Path, mode: Mode) -> None:
    assert_held(crash_points.sweep(bench, shim, mode), at_least=10)


@pytest.mark.parametrize("mode", [Mode.FULL, Mode.BROKEN, Mode.SHORT])
def test_a_failing_call_is_told_and_leaves_whole_files_or_none(bench: Bench, shim: Path, mode: Mode) -> None:
    assert_held(crash_points.sweep(bench, shim, mode), at_least=10)


@pytest.mark.parametrize("stage", race_stages.STAGES)
def test_an_edit_at_any_moment_never_makes_a_false_fresh(bench: Bench, stage: str) -> None:
    assert_held(race_stages.sweep_stage(bench, stage), at_least=QUICK.races)


def test_the_races_find_a_false_fresh_where_nobody_watches(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs.Inputs, "note", lambda *_arguments, **_named: None)
    monkeypatch.setattr(inputs.Inputs, "lost", lambda *_arguments: None)
    assert race_stages.sweep_stage(bench, "filled-box").lost


def test_memory_does_not_grow_with_the_video(tmp_path: Path) -> None:
    video(tmp_path / "data", "long", 2500)
    tree = {"data": str(tmp_path / "data"), "out": str(tmp_path / "out"), "dataset": {"reader": "mot"}}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.campaign.memory_child", json.dumps({**tree, "labeler": "mog2"})],
        capture_output=True, text=True, check=True, env=environment(OMP_NUM_THREADS="1"),
    )  # fmt: skip
    for stage, (early, most) in json.loads(done.stdout).items():
        assert most < 1.02 * early, stage


def test_changed_annotations_cut_images_lying_dates_and_names(bench: Bench) -> None:
    for family in (bad_input, clocks, names):
        for result in family.run(bench):
            assert_held(result, at_least=1)


def assert_held(result: Result, at_least: int) -> None:
    assert result.verdict == "held", result.problems
    assert result.count >= at_least


# --- the report --------------------------------------------------------------------------------------------


def test_every_promise_names_tests_that_exist() -> None:
    rows = range(1, 33)
    assert [promise.row for promise in PROMISES] == [f"R{number}" for number in rows]
    for promise in PROMISES:
        assert promise.tests
        for test in promise.tests:
            file, _, function = test.partition("::")
            (path,) = (ROOT / "tests").rglob(file)
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def tallied(lost: int, wanted: int = 3) -> Result:
    tally = Tally("R1", "a fault", "somehow", wanted)
    for number in range(3):
        tally.record(f"try {number}", ["broken"] if number < lost else [])
    return tally.result()


@pytest.mark.parametrize(("lost", "wanted", "verdict"), [(0, 3, "held"), (1, 3, "FAILED"), (0, 4, "FAILED")])
def test_one_broken_promise_or_too_few_faults_are_a_failure(lost: int, wanted: int, verdict: str) -> None:
    result = tallied(lost, wanted)
    assert (result.count, result.lost, result.verdict) == (3, lost, verdict)


def test_what_turns_out_later_is_charged_to_the_last_fault_once() -> None:
    tally = Tally("R1", "a fault", "somehow", 2)
    tally.record("first", [])
    tally.record("second", ["broken"])
    tally.blame("afterwards", ["broken, too"])
    assert tally.result().lost == 1
    tally.record("third", [])
    tally.blame("afterwards", ["broken"])
    assert tally.result().lost == 2


def test_the_page_shows_losses_and_what_was_not_run() -> None:
    text = report.page([tallied(2), not_run("R5", "full disk", "a mount", "not root")], "On a machine.")
    assert "| R1 | a fault | 3 | 2 | **FAILED** |" in text
    assert "FAILED: try 0: broken" in text
    assert "| R5 | full disk | – | – | not run |" in text
    assert "Not run: not root" in text
    assert all(f"**{promise.row}**" in text for promise in PROMISES)


def run_with(monkeypatch: pytest.MonkeyPatch, folder: Path, *results: Result | Exception) -> tuple[int, str]:
    """Exit code and page of a campaign with one family that yields (or raises) what is given."""

    def family(_: Bench) -> Iterator[Result]:
        for result in results:
            if isinstance(result, Exception):
                raise result
            yield result

    monkeypatch.setattr(campaign, "FAMILIES", (campaign.Family("mine", ("R1",), family),))
    places = ["--page", str(folder / "page.md"), "--keep", str(folder / "keep")]
    done = CliRunner().invoke(campaign.main, [*places])
    return done.exit_code, (folder / "page.md").read_text(encoding="utf-8")


def test_a_failure_is_written_down_and_ends_the_campaign_with_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run_with(monkeypatch, tmp_path, tallied(0))[0] == 0
    code, page = run_with(monkeypatch, tmp_path, tallied(0), tallied(1))
    assert code == 1
    assert page.count("**FAILED**") == 1
    assert page.count("| held |") == 1


def test_a_family_that_breaks_down_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, page = run_with(monkeypatch, tmp_path, tallied(0), RuntimeError("no idea"))
    assert code == 1
    assert "the campaign itself broke down: no idea" in page


def test_unknown_words_and_promises_without_a_campaign_are_told() -> None:
    told = CliRunner().invoke(campaign.main, ["--only", "R99"])
    assert told.exit_code == 2
    assert "nothing to inject for 'r99'" in told.output
    told = CliRunner().invoke(campaign.main, ["--only", "R15"])
    assert "ordinary tests" in told.output
