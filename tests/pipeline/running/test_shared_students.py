"""One student for several videos: taught once, by whoever needs it, on all of them."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned.segmenter import Segmenter
from spotlabel.pipeline.cli.teaching import rows
from spotlabel.pipeline.cluster.resources import seconds_once
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.running.teach_job import run_teaching
from spotlabel.pipeline.stages import shared_students
from spotlabel.pipeline.stages.students import Student
from spotlabel.pipeline.stages.students_ahead import students_ahead
from spotlabel.pipeline.upkeep.freshness import Need, State
from spotlabel.pipeline.upkeep.notes import notes
from spotlabel.pipeline.upkeep.plan import items, plan_items
from tests.helpers.recipes import environment, spotlabel, write
from tests.helpers.red_cars import red_video, taught_tree

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")
pytest.importorskip("torch", reason="needs spotlabel[teach]")

NAMES = ("a", "b", "c")


def shared_tree(root: Path, out: Path, *names: str, **sharing: str):
    return {**taught_tree(root, out, *names), "students": {"per": "dataset", **sharing}}


class Told:
    """Remembers how often it was told of each stage."""

    def __init__(self) -> None:
        self.stages: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.stages[stage] = self.stages.get(stage, 0) + 1


def labelled(tree, *names: str) -> dict[str, int]:
    told = Told()
    for name in names:
        outcome = run_sequence(build_recipe(tree), name, False, told)
        assert not outcome.error
    return told.stages


def student(out: Path, name: str = "dataset+all") -> Path:
    return out / "students" / "boxbg-student" / f"{name}.onnx"


def files(out: Path):
    return {
        path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.suffix in (".h5", ".onnx")
    }


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    root = tmp_path_factory.mktemp("shared")
    tree = shared_tree(root / "data", root / "out", *NAMES)
    stages = labelled(tree, *NAMES)
    return tree, stages, files(root / "out")


@pytest.fixture
def made(once, tmp_path):
    """The recipe, its videos and what it made, in a folder of the test's own."""
    tree = once[0]
    shutil.copytree(tree["out"], tmp_path / "out")
    shutil.copytree(tree["data"], tmp_path / "data")
    return {**tree, "out": str(tmp_path / "out"), "data": str(tmp_path / "data")}, tmp_path / "out"


def reasons(tree):
    return {
        plan.item.sequence.name: plan.evidence.reason
        if plan.evidence.state == State.STALE
        else plan.evidence.state
        for plan in plan_items(build_recipe(tree), items(build_recipe(tree)))
    }


def test_it_is_taught_once_on_as_many_boxes_as_are_asked_for_in_all(once):
    _, stages, found = once
    assert stages["teaching"] == 6
    assert stages["teacher"] <= 8
    assert sum(path.suffix == ".onnx" for path in found) == 1
    assert not list(Path(once[0]["out"]).rglob("*.study"))


def test_its_lesson_is_about_all_of_the_videos(once):
    segmenter = Segmenter(student(Path(once[0]["out"])).read_bytes())
    assert json.loads(segmenter.metadata["provenance"])["asked"] == 8
    answers = {path.stem for path in Path(once[0]["out"]).rglob("*.answers")}
    assert answers == {*NAMES}


def test_whoever_comes_first_makes_the_same(once, tmp_path):
    tree = {**once[0], "out": str(tmp_path / "out")}
    outcome = run_teaching(build_recipe(tree), "c", Told())
    assert outcome.evidence == "made"
    assert "teaching" not in labelled(tree, "b", "c", "a")
    assert files(tmp_path / "out") == once[2]


def test_two_at_a_time_share_the_work(once, tmp_path):
    tree = {**once[0], "out": str(tmp_path / "out")}
    ran = spotlabel("label", write(tmp_path / "recipe.yaml", json.loads(json.dumps(tree))), "--jobs", "2")
    assert ran.returncode == 0, ran.stderr
    assert files(tmp_path / "out") == once[2]
    assert "taught on a, b, c" in spotlabel("why", str(tmp_path / "out" / "masks" / "a.h5")).stdout


def test_what_another_process_is_at_is_left_to_it(once, tmp_path, monkeypatch):
    """The parts of the others are seen to last, the training is waited for: then all of it is there."""
    tree = {**once[0], "out": str(tmp_path / "out")}
    held, others = shared_students._held, []

    def made_elsewhere(descriptor, place, wait):
        if place == len(NAMES) and not others:
            others.append(place)
            shutil.copytree(once[0]["out"], tmp_path / "out", dirs_exist_ok=True)
        return held(descriptor, place, wait)

    monkeypatch.setattr(shared_students, "_held", made_elsewhere)
    assert "teaching" not in labelled(tree, "a")
    assert student(tmp_path / "out").read_bytes() == once[2][Path("students/boxbg-student/dataset+all.onnx")]


def test_a_new_video_makes_all_stale_and_says_so(made):
    tree, out = made
    red_video(Path(tree["data"]), "d", seed=7)
    assert reasons(tree) == {**dict.fromkeys(NAMES, "student: d new"), "d": State.MISSING}
    before = student(out).read_bytes()
    assert labelled(tree, *NAMES, "d")["teaching"] == 6
    assert student(out).read_bytes() != before
    assert set(reasons(tree).values()) == {State.FRESH}


def test_boxes_of_another_video_are_what_all_depend_on(made):
    tree, _ = made
    (gt,) = Path(tree["data"]).glob("b/gt/gt.txt")
    gt.write_text(gt.read_text() + "\n")
    assert reasons(tree) == {
        "a": "student: b changed",
        "b": "annotations changed; student: b changed",
        "c": "student: b changed",
    }


def test_another_way_of_sharing_is_told(made):
    tree, _ = made
    assert reasons({**tree, "students": {}})["a"] == "student: taught on 3 videos -> of its own"


def test_masks_are_made_again_without_the_other_videos(made):
    tree, _ = made
    shutil.rmtree(Path(tree["data"]) / "b" / "img1")
    again = {**tree, "masks": {"min_fill": 0.1}}
    outcome = run_sequence(build_recipe(again), "a", True, Told())
    assert not outcome.error
    assert outcome.masks == "made"


def test_a_video_without_a_camera_in_its_name_has_a_student_of_its_own(tmp_path):
    names = ("north-1", "north-2", "south-1", "hall")
    tree = shared_tree(tmp_path / "data", tmp_path / "out", *names, per="camera", camera=r"(\w+)-\d")
    recipe = build_recipe(tree)
    groups = {item.sequence.name: item.student_path.stem for item in items(recipe)}
    assert groups == {
        "north-1": "camera+north",
        "north-2": "camera+north",
        "south-1": "south-1",  # the only one of its camera
        "hall": "hall",
    }
    assert notes(recipe, items(recipe)) == [
        "students.camera tells no camera in hall: a student of its own for it"
    ]
    assert [item.sequence.name for item in items(recipe, ["hall"])] == ["hall"]


@pytest.mark.parametrize(
    ("sharing", "expected"),
    [
        ({"per": "camera"}, "per: camera needs camera, a regular expression"),
        ({"per": "camera", "camera": "(["}, "camera: no regular expression: "),
        ({"per": "town"}, "students.per: "),
    ],
)
def test_sharing_that_cannot_be_meant_is_refused(tmp_path, sharing, expected):
    with pytest.raises(Exception, match="students") as caught:
        build_recipe(shared_tree(tmp_path / "data", tmp_path / "out", "a", **sharing))
    assert expected in str(caught.value)


def test_another_video_that_cannot_be_read_is_named(once, tmp_path):
    shutil.copytree(once[0]["data"], tmp_path / "data")
    tree = {**once[0], "out": str(tmp_path / "out"), "data": str(tmp_path / "data")}
    (tmp_path / "data" / "b" / "gt" / "gt.txt").write_text("1,1,none")
    outcome = run_sequence(build_recipe(tree), "a", False, Told())
    assert outcome.error.startswith("shares its student with b, which cannot be used: ")
    assert outcome.error.endswith("(mend it, or set students.per=video)")


def test_another_video_that_fails_on_the_way_is_named(once, tmp_path, monkeypatch):
    tree, studied = {**once[0], "out": str(tmp_path / "out")}, shared_students.studied

    def fails_on_b(recipe, item, rows, **further):
        if item.sequence.name == "b":
            raise LabelerError("its scene is too dark")
        return studied(recipe, item, rows, **further)

    monkeypatch.setattr(shared_students, "studied", fails_on_b)
    errors = {name: run_sequence(build_recipe(tree), name, False, Told()).error for name in ("a", "b")}
    assert errors["a"].startswith("shares its student with b, which cannot be used: its scene is too dark")
    assert errors["b"] == "boxbg-student: its scene is too dark"


def test_a_file_of_another_video_that_came_after_the_listing_is_told(once, tmp_path, monkeypatch):
    shutil.copytree(once[0]["data"], tmp_path / "data")
    tree = {**once[0], "out": str(tmp_path / "out"), "data": str(tmp_path / "data")}
    bring = shared_students._Team._loaded

    def loaded_late(team, item):
        (tmp_path / "data" / "b" / "gt" / "labels.txt").write_text("a\nb\nlorry\n")
        return bring(team, item)

    monkeypatch.setattr(shared_students._Team, "_loaded", loaded_late)
    outcome = run_teaching(build_recipe(tree), "a", Told())
    assert "labels.txt: came while the dataset was being read" in outcome.error
    assert not student(tmp_path / "out").exists()


KILLED = """
import json, os, sys
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.stages import answers

answers._SECONDS_BETWEEN_SAVES = 0.0
tree, stage, count = json.loads(sys.argv[1])
seen = 0

def progress(name, done, total):
    global seen
    seen += name == stage
    if seen == count:
        os._exit(9)

run_sequence(build_recipe(tree), "b", False, progress)
"""


@pytest.mark.parametrize("point", [("teacher", 2), ("teacher", 6), ("teaching", 6)])
def test_a_run_that_was_killed_is_gone_on_with(once, tmp_path, monkeypatch, point):
    tree, _, expected = once
    tree, out = {**tree, "out": str(tmp_path / "out")}, tmp_path / "out"
    child = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps([tree, *point])], env=environment(), check=False
    )
    assert child.returncode == 9
    assert not student(out).exists()
    run, asked = Segmenter._run, []
    monkeypatch.setattr(
        Segmenter, "_run", lambda self, inputs: asked.append(inputs.shape) or run(self, inputs)
    )
    labelled(tree, *NAMES)
    if point[0] == "teaching":
        assert not any(shape[1] == 3 for shape in asked)
    assert files(out) == expected


def test_a_dry_run_tells_how_much_would_be_taught(once, tmp_path):
    fresh = {**once[0], "out": str(tmp_path / "out")}
    told = spotlabel("teach", write(tmp_path / "recipe.yaml", fresh), "--dry-run")
    assert told.returncode == 0, told.stderr
    assert "1 student to teach: 8 boxes to ask, about 0:00:11 of one core" in told.stdout
    assert not (tmp_path / "out").exists()
    told = spotlabel("label", str(tmp_path / "recipe.yaml"), "--dry-run", "--json")
    (teaching,) = json.loads(told.stdout)["teaching"]
    assert {key: teaching[key] for key in ("videos", "boxes", "answered")} == {
        "videos": [*NAMES], "boxes": 8, "answered": 0,
    }  # fmt: skip
    told = spotlabel("plan", str(tmp_path / "recipe.yaml"))
    assert "1 student to teach: 8 boxes to ask, about 0:00:11 of one core with U2-Net" in told.stdout
    told = spotlabel("status", str(tmp_path / "recipe.yaml"))
    assert "1 student to teach: at most 8 boxes asked, about 0:00:11 of one core with U2-Net" in told.stdout
    assert not (tmp_path / "out" / "students").exists()


def test_a_job_does_not_ask_for_the_time_of_a_student_that_stands(once, tmp_path):
    for out, seconds in ((once[0]["out"], 0.0), (str(tmp_path), None)):
        recipe = build_recipe({**once[0], "out": out})
        plan = replace(plan_items(recipe, items(recipe))[0], evidence=Need(State.MISSING))
        assert seconds_once(recipe, plan) == seconds


def test_a_dry_run_counts_what_was_answered_before(once, tmp_path):
    shutil.copytree(once[0]["out"], tmp_path / "out")
    student(tmp_path / "out").unlink()
    tree = {**once[0], "out": str(tmp_path / "out")}
    told = spotlabel("teach", write(tmp_path / "recipe.yaml", tree), "--dry-run")
    assert "0 boxes to ask, 8 more answered before" in told.stdout


def test_a_video_that_cannot_be_read_does_not_hide_the_others_in_looks_ahead(once, tmp_path):
    shutil.copytree(once[0]["data"], tmp_path / "data")
    alone = {**once[0], "out": str(tmp_path / "out"), "data": str(tmp_path / "data"), "students": {}}
    (tmp_path / "data" / "b" / "img1" / "000005.png").unlink()
    (tmp_path / "data" / "b" / "img1" / "000005.png").symlink_to(tmp_path / "nowhere")
    recipe = build_recipe(alone)
    ahead = students_ahead(recipe, items(recipe))
    assert [one.path.stem for one in ahead] == [*NAMES]
    found = rows(recipe, ahead)
    assert ["problem" in row for row in found] == [False, True, False]
    assert "000005.png" in found[1]["problem"]
    told = spotlabel("teach", write(tmp_path / "recipe.yaml", alone), "--dry-run")
    assert told.returncode == 1
    assert "2 students to teach: 16 boxes to ask" in told.stdout


def test_where_no_student_is_no_frame_is_read_to_tell(once, tmp_path, monkeypatch):
    recipe = build_recipe({**once[0], "out": str(tmp_path / "out")})
    monkeypatch.setattr(Student, "of", lambda *_: pytest.fail("frames are read"))
    assert len(students_ahead(recipe, items(recipe))) == 1


def test_what_another_video_is_warned_of_is_not_told_of_this_one(once, tmp_path, monkeypatch):
    tree, studied = {**once[0], "out": str(tmp_path / "out")}, shared_students.studied

    def warns(recipe, item, rows, **further):
        logging.getLogger("spotlabel").warning("the scene of %s is odd", item.sequence.name)
        return studied(recipe, item, rows, **further)

    monkeypatch.setattr(shared_students, "studied", warns)
    outcome = run_teaching(build_recipe(tree), "b", Told())
    told = [line for line in [*outcome.remarks, *outcome.findings] if "is odd" in line]
    assert told == ["the scene of b is odd"]
