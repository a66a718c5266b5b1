"""``spotlabel plan``: arithmetic on literal costs, and the command on small videos."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.forecast.estimate import Cost, Kind, Work, estimate, makespan
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.frames.video import VideoFile
from spotlabel.pipeline.recipes.recipe import build_recipe, load_recipe
from spotlabel.pipeline.running import calibrate
from spotlabel.pipeline.running.local import usable_cores
from spotlabel.pipeline.running.order import longest_first
from spotlabel.pipeline.units import byte_size, clock
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.frame_files import sliding, write_video
from tests.helpers.recipes import spotlabel, tree, video, write

SMALL = Kind("pawcs", "fixed", 100, 200)
COSTS = {SMALL: (Cost(2.0, 10.0, 50.0, 300), Cost(1.0, 0.0, 5.0, 100))}
WORKS = [
    Work("both", SMALL, 100, evidence=True, masks=True),
    Work("masks", SMALL, 40, evidence=False, masks=True),
    Work("long", SMALL, 200, evidence=True, masks=True),
]


def test_stages_that_are_fresh_cost_nothing() -> None:
    found = estimate(WORKS, COSTS, cores=2)
    assert (found.videos, found.frames) == (3, 340)
    assert found.cpu == (10 + 300) + 40 + (10 + 600)
    assert (found.longest_name, found.longest, found.wall) == ("long", 610, 610)
    assert (found.evidence_bytes, found.mask_bytes) == (50 * 300, 5 * 340)
    assert (found.peak, found.files, found.at_once) == (300, 8, 2)


def test_too_little_memory_for_every_core_means_fewer_at_a_time() -> None:
    assert estimate(WORKS, COSTS, cores=4, memory=150).at_once == 2
    one = estimate(WORKS, COSTS, cores=4, memory=80)
    assert (one.at_once, one.wall) == (1, one.cpu)
    assert estimate(WORKS, COSTS, cores=1, memory=80).at_once == 0
    assert estimate(WORKS[1:2], COSTS, cores=1, memory=120).at_once == 1


def test_the_longest_first_ends_sooner_than_the_longest_last() -> None:
    assert makespan([5, 4, 3, 3, 3], 2) == 10
    assert makespan([6, 3, 3], 2) == 6
    assert makespan([3, 3, 6], 2) == 9
    assert makespan([], 3) == 0


def test_times_and_sizes_for_people() -> None:
    assert [clock(s) for s in (0, 90, 86_399, 90_000)] == ["0:00:00", "0:01:30", "23:59:59", "1-01:00:00"]
    assert [byte_size(b) for b in (0, 999, 1500, 999_600, 3.54e12)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "1 MB",
        "3.54 TB",
    ]
    assert byte_size(float("nan")) == "?"


def test_nothing_at_all_takes_no_time() -> None:
    found = estimate([], {}, cores=4)
    assert (found.cpu, found.wall, found.files, found.longest_name) == (0, 0, 0, "")


def test_videos_are_started_longest_first(tmp_path: Path) -> None:
    for name, frames in (("a", 3), ("b", 9), ("c", 3), ("d", 5)):
        video(tmp_path / "data", name, frames=frames)
    chosen = build_recipe(tree(tmp_path / "data", tmp_path / "out"))
    assert longest_first(items(chosen)) == ["b", "d", "a", "c"]


def test_a_video_files_bytes_are_not_taken_for_frames(tmp_path: Path) -> None:
    video(tmp_path / "data", "folder", frames=9)
    write_video(tmp_path / "clip.mp4", sliding(5))
    assert (tmp_path / "clip.mp4").stat().st_size > 9
    (folder,) = items(build_recipe(tree(tmp_path / "data", tmp_path / "out")))
    frames = VideoFile(tmp_path / "clip.mp4", FrameOptions())
    clip = replace(folder, sequence=replace(folder.sequence, name="clip", frames=frames))
    assert longest_first([clip, folder]) == ["folder", "clip"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of two sizes, the first labelled."""
    root = tmp_path_factory.mktemp("plan")
    video(root / "data", "tall", frames=60, height=96)
    path = write(root / "r.yaml", tree(root / "data", root / "out", "a", "b", length=24))
    assert spotlabel("label", path, "--only", "a", "--quiet").returncode == 0
    return path


def contents(recipe: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted((recipe.parent / "out").rglob("*"))}


def test_a_measured_plan_counts_what_is_to_be_done_and_writes_nothing(recipe: Path) -> None:
    before = contents(recipe)
    done = spotlabel("plan", recipe, "--cores", 2, "--calibrate", "--frames", 16, "--json")
    assert done.returncode == 0, done.stderr
    assert contents(recipe) == before
    told = json.loads(done.stdout)
    assert (told["all"]["videos"], told["all"]["frames"], told["all"]["files"]) == (2, 84, 6)
    kinds = {(kind["height"], kind["width"]): kind for kind in told["kinds"]}
    assert kinds.keys() == {(48, 64), (96, 64)}
    for kind in kinds.values():
        assert kind["evidence"]["seconds"] + kind["evidence"]["fixed"] > 0
        assert kind["evidence"]["bytes"] > 0
        assert kind["evidence"]["peak"] > 50e6
    assert told["all"]["wall"] < told["all"]["cpu"]
    assert told["all"]["wall"] >= told["all"]["longest"] > 0


def test_without_measuring_a_table_is_used_and_said_so(recipe: Path) -> None:
    done = spotlabel("plan", recipe, "--cores", 2, "--all")
    assert done.returncode == 0, done.stderr
    assert "on 2 cores, longest video first:" in done.stdout
    assert "no less on any number of cores:" in done.stdout
    assert "from a table of worst cases, about three times too slow; --calibrate measures" in done.stdout
    row = next(line for line in done.stdout.splitlines() if "64x48" in line)
    assert row.split()[3:5] == ["2", "48"]


def test_frames_without_measuring_are_refused_and_cores_have_a_default(recipe: Path) -> None:
    refused = spotlabel("plan", recipe, "--frames", 16)
    assert refused.returncode == 2
    assert "without it nothing is measured" in refused.stderr
    assert f"on {usable_cores()} cores" in spotlabel("plan", recipe, "--all").stdout


def test_passes_hold_all_the_frames_that_a_labeler_keeps() -> None:
    assert calibrate.pass_lengths(1000, 40, 0) == [10, 40, 10]
    assert calibrate.pass_lengths(1000, 40, 128) == [138, 168, 138]
    assert calibrate.pass_lengths(150, 40, 128) == [37, 150, 37]
    assert calibrate.pass_lengths(30, 40, 0) == [10, 30, 10]


def test_a_calibration_that_tells_nothing_is_an_error_of_ours(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate.sys, "executable", "true")  # type: ignore[attr-defined]
    with pytest.raises(calibrate.CalibrationError, match=r"^b: nothing could be measured: .* code 0$"):
        calibrate.calibrate(load_recipe(str(recipe), ()), "b", 8)


def test_what_libraries_print_does_not_mix_with_the_figures(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import atexit\natexit.register(print, 'goodbye')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    evidence, masks = calibrate.calibrate(load_recipe(str(recipe), ()), "b", 8)
    assert evidence.peak > 50e6
    assert masks.peak > 50e6


def test_memory_is_that_of_the_stage_however_much_the_command_has_held(recipe: Path) -> None:
    ballast = np.ones(1_000_000_000, np.uint8)
    del ballast
    evidence, _ = calibrate.calibrate(load_recipe(str(recipe), ()), "b", 8)
    assert 50e6 < evidence.peak < 900e6


def test_what_cannot_be_measured_says_why(recipe: Path) -> None:
    (recipe.parent / "data" / "tall" / "img1" / "000003.jpg").write_bytes(b"broken")
    done = spotlabel("plan", recipe, "--only", "tall", "--cores", 2, "--calibrate", "--frames", 8)
    assert done.returncode == 2
    assert "tall: nothing could be measured: frame 3:" in done.stderr
    assert "Traceback" not in done.stderr
