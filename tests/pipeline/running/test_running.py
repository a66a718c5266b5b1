"""Running many videos: each isolated, nothing redone, equal bytes whatever happens (R1-R4, R8, R10, R11)."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.running.labelling import label
from tests.helpers.recipes import (
    HEIGHT,
    WIDTH,
    crash_labeler,
    environment,
    leftovers,
    spotlabel,
    started,
    stores,
    tree,
    video,
    wait_for_partial,
    write,
)

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Stores of an undisturbed run with one job."""
    folder = tmp_path_factory.mktemp("expected")
    done = spotlabel(
        "label", write(folder / "r.yaml", tree(folder / "data", folder / "out", *NAMES)), "--jobs", 1
    )
    assert done.returncode == 0, done.stderr
    return stores(folder / "out")


def test_the_number_of_jobs_and_the_order_change_no_byte(tmp_path: Path, expected: dict[str, bytes]) -> None:
    out = tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", out, *NAMES))
    assert spotlabel("label", recipe, "--only", "c", "--jobs", 2).returncode == 0
    assert spotlabel("label", recipe, "--jobs", 3).returncode == 0
    assert stores(out) == expected


def test_a_second_run_does_nothing_and_says_so(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))
    first = spotlabel("label", recipe)
    assert "made" in first.stdout
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.h5")}
    second = spotlabel("label", recipe)
    assert second.returncode == 0
    assert second.stdout.startswith("nothing to do: 1 of 1 videos are up to date")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.h5")} == before


def test_kill_9_and_run_again_gives_the_same_bytes(tmp_path: Path) -> None:
    data, whole, out = tmp_path / "data", tmp_path / "whole", tmp_path / "out"
    assert (
        spotlabel("label", write(tmp_path / "w.yaml", tree(data, whole, "a", "b", length=400))).returncode
        == 0
    )
    recipe = write(tmp_path / "r.yaml", tree(data, out, "a", "b"))
    for _ in range(3):
        with started("label", recipe, "--jobs", 2) as process:
            wait_for_partial(out, process)
    assert not (out / "masks").exists() or stores(out).keys() < stores(whole).keys()
    assert spotlabel("label", recipe).returncode == 0
    assert stores(out) == stores(whole)
    assert leftovers(out) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_stop_is_quick_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", out, "a", "b", length=2000))
    with started("label", recipe, "--jobs", 2) as process:
        wait_for_partial(out, process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}: finished videos are kept; run the same command again" in errors
    assert "Traceback" not in errors
    assert leftovers(out) == []


_WAYS_TO_CRASH = """
how = os.environ["CRASH"] if clip.size[0] == 48 else ""
if how == "raise":
    raise RuntimeError("no luck with frame 0")
if how == "short" and number == 3:
    return
if how == "segfault":
    print("about to crash", flush=True)
    ctypes.string_at(0)
if how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if how == "where":
    print(os.listdir("."), flush=True)
"""


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    """Import path of an installed-looking package with a labeler that crashes in several ways."""
    return str(crash_labeler(tmp_path / "site", _WAYS_TO_CRASH))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("segfault", "killed by SIGSEGV, a crash in native code; last output: about to crash"),
        ("kill", "killed by SIGKILL, out of memory?"),
        ("raise", "crash: RuntimeError: no luck with frame 0"),
        ("short", "crash: evidence for 3 of 12 frames"),
    ],
)
def test_a_crash_is_that_videos_failure_alone(tmp_path: Path, plugin: str, how: str, reason: str) -> None:
    out = tmp_path / "out"
    data = tmp_path / "data"
    video(data, "b", height=56)
    path = write(tmp_path / "r.yaml", tree(data, out, "a", "b", labeler="crash"))
    roots = f"{plugin}{os.pathsep}{environment()['PYTHONPATH']}"
    done = spotlabel("label", path, PYTHONPATH=roots, CRASH=how)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "1 of 2 videos failed; the others are whole" in done.stderr
    assert "Traceback" not in done.stderr
    assert ("trying once more" in done.stderr) == (how in ("segfault", "kill"))
    assert sorted(stores(out)) == ["evidence/crash/b.h5", "masks/b.h5"]
    assert leftovers(out) == []


def test_a_labeler_runs_in_an_empty_folder(tmp_path: Path, plugin: str) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a", labeler="crash"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "PAWCS.xml").write_text("stray")
    roots = f"{plugin}{os.pathsep}{environment()['PYTHONPATH']}"
    done = spotlabel("label", recipe, cwd=tmp_path, PYTHONPATH=roots, CRASH="where")
    assert done.returncode == 0, done.stderr
    assert set((tmp_path / "out" / "logs" / "a.log").read_text().splitlines()) == {"[]"}
    assert "a: libraries printed something, see" in done.stdout


def test_two_runs_at_once_leave_whole_stores(tmp_path: Path, expected: dict[str, bytes]) -> None:
    out = tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", out, *NAMES))
    with started("label", recipe, "--jobs", 2) as one, started("label", recipe, "--jobs", 2) as other:
        for run in (one, other):
            _, errors = run.communicate(timeout=300)
            assert run.returncode == 0, errors
    assert stores(out) == expected
    assert leftovers(out) == []


def test_json_tells_every_outcome(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))
    done = spotlabel("label", recipe, "--json", "--quiet")
    (outcome,) = json.loads(done.stdout)
    assert (outcome["sequence"], outcome["frames"], outcome["evidence"], outcome["masks"]) == (
        "a", 12, "made", "made",
    )  # fmt: skip
    assert done.stderr == ""


def test_an_output_folder_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "file" / "out", *NAMES))
    for command in ("label", "relabel"):
        done = spotlabel(command, recipe)
        assert done.returncode == 2
        assert "cannot be written to: Not a directory; set another `out`" in done.stderr
        assert done.stderr.count("\n") == 1  # not a word about any of the videos before
    with pytest.raises(RecipeError, match="cannot be written to"):
        label(load_recipe(str(recipe)))
    assert caplog.text == ""


def test_warnings_of_the_annotations_reach_the_user(tmp_path: Path) -> None:
    dataset = {"reader": "mot", "ignore": [[900, 900, 950, 950]]}
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a", dataset=dataset))
    done = spotlabel("label", recipe)
    assert done.returncode == 0
    assert "outside the image" in done.stdout


def test_a_reader_of_the_output_that_goes_away_does_not_stop_the_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", out, *NAMES))
    with started("label", recipe, "--jobs", 1) as process:
        assert process.stderr is not None
        process.stderr.close()
        process.wait(timeout=120)
    assert len(stores(out)) == 2 * len(NAMES)
    assert leftovers(out) == []


@pytest.mark.parametrize(
    ("labeler", "instead"),
    [("egoflow", "these have plain flow"), ("egoflow-cut", "these have outlines by colour alone")],
)
def test_warnings_of_the_labeler_reach_the_user(tmp_path: Path, labeler: str, instead: str) -> None:
    recipe = tree(tmp_path / "data", tmp_path / "out", "a", length=4, labeler=labeler, evidence={})
    everywhere = [f"{number},2,1,1,{WIDTH},{HEIGHT},1,3,1" for number in range(1, 5)]  # no background left
    (tmp_path / "data" / "a" / "gt" / "gt.txt").write_text("\n".join(everywhere))
    done = spotlabel("label", write(tmp_path / "r.yaml", recipe))
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"a: {labeler}: ")]
    assert line.startswith(f"a: {labeler}: the background outside the boxes did not tell the camera's motion")
    assert "in 4 of 4 frames (first: 1)" in line
    assert instead in line
