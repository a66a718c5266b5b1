"""Students of a recipe's videos: taught in one go with labelling, and again when something changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from spotlabel.labelers.learned.segmenter import Segmenter
from spotlabel.labelers.learned.student import BoxbgStudent, EgoflowCutStudent
from spotlabel.pipeline.atomic import clear_partials, locked_partial
from spotlabel.pipeline.cluster.resources import seconds_once
from spotlabel.pipeline.names import student_path
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running import teach_job
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.running.teach_job import run_teaching
from spotlabel.pipeline.stages import students
from spotlabel.pipeline.stages.answers import KeptAnswers
from spotlabel.pipeline.stages.students_ahead import students_ahead
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import evidence_need, items, plan_items
from tests.helpers.recipes import environment, spotlabel, write
from tests.helpers.red_cars import taught_tree
from tests.helpers.segmenters import segmenter

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")
pytest.importorskip("torch", reason="needs spotlabel[teach]")


class Told:
    """Remembers what it is told of progress."""

    def __init__(self) -> None:
        self.stages: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.stages[stage] = self.stages.get(stage, 0) + 1


def labelled(tree):
    told = Told()
    outcome = run_sequence(build_recipe(tree), "a", False, told)
    assert not outcome.error
    return outcome, told.stages


def taught(tree):
    told = Told()
    outcome = run_teaching(build_recipe(tree), "a", told)
    assert not outcome.error
    return outcome.evidence, told.stages


def files(out):
    return {
        path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.suffix in (".h5", ".onnx")
    }


def student(out):
    return out / "students" / "boxbg-student" / "a.onnx"


@pytest.fixture(scope="module")
def labelled_once(tmp_path_factory):
    root = tmp_path_factory.mktemp("students")
    tree = taught_tree(root / "data", root / "out", "a")
    outcome, stages = labelled(tree)
    return tree, outcome, stages, files(root / "out")


@pytest.fixture
def made(labelled_once, tmp_path):
    """The recipe and what it made, in a folder of the test's own."""
    tree, _, _, _ = labelled_once
    out = tmp_path / "out"
    shutil.copytree(tree["out"], out)
    return {**tree, "out": str(out)}, out


def test_one_run_teaches_and_labels(labelled_once):
    _, outcome, stages, found = labelled_once
    assert outcome.evidence == outcome.masks == "made"
    assert stages["teacher"] == 8
    assert stages["teaching"] == 6
    assert len(found) == 3


def test_teaching_first_gives_the_same_bytes(labelled_once, tmp_path):
    tree, _, _, expected = labelled_once
    again = {**tree, "out": str(tmp_path / "out")}
    assert taught(again)[0] == "made"
    _, stages = labelled(again)
    assert "teaching" not in stages
    assert files(tmp_path / "out") == expected


def test_a_student_that_fits_is_left_alone(made):
    assert taught(made[0]) == ("fresh", {})


def test_other_figures_of_boxes_make_evidence_stale_and_teach_nobody(made, monkeypatch):
    tree, out = made
    quality = MaskReader(out / "masks" / "a.h5").quality
    assert np.isfinite(quality["network_iou"]).any()
    before = student(out).read_bytes()
    monkeypatch.setattr(BoxbgStudent, "figures", {**BoxbgStudent.figures, "network_iou": 99})
    (item,) = items(build_recipe(tree))
    assert str(evidence_need(build_recipe(tree), item)) == "stale (figures.network_iou: 1 -> 99)"
    outcome, stages = labelled(tree)
    assert (outcome.evidence, outcome.masks) == ("made", "made")
    assert "teaching" not in stages
    assert student(out).read_bytes() == before


@pytest.mark.parametrize("change", ["student", "record", "odd record", "no record", "steps", "teacher"])
def test_a_student_that_does_not_fit_is_taught_again(made, change, tmp_path):
    tree, out = made
    before = student(out).read_bytes()
    settings = tree["evidence"]["boxbg-student"]
    if change == "student":
        student(out).write_bytes(before[:-1] + b"?")
    if change == "record":
        student(out).with_suffix(".json").write_text("{")
    if change == "odd record":
        record = json.loads(student(out).with_suffix(".json").read_bytes())
        student(out).with_suffix(".json").write_text(json.dumps({**record, "fingerprint": []}))
    if change == "no record":
        student(out).with_suffix(".json").unlink()
    if change == "steps":
        settings = {**settings, "teaching": {**settings["teaching"], "steps": 3}}
    if change == "teacher":
        (tmp_path / "other.onnx").write_bytes(segmenter(steepness=39))
        settings = {**settings, "network": str(tmp_path / "other.onnx")}
    state, stages = taught({**tree, "evidence": {"boxbg-student": settings}})
    assert state == "made"
    assert stages["teaching"] == (3 if change == "steps" else 6)
    assert (student(out).read_bytes() == before) == (change not in ("steps", "teacher"))


def test_the_teacher_is_not_asked_again_for_another_training(made, monkeypatch):
    tree, _ = made
    settings = tree["evidence"]["boxbg-student"]
    tree = {
        **tree,
        "evidence": {
            "boxbg-student": {**settings, "teaching": {**settings["teaching"], "seed": 0, "steps": 2}}
        },
    }
    monkeypatch.setattr("spotlabel.labelers.learned.segmenter.Segmenter._run", None)
    assert taught(tree)[0] == "made"


def test_where_no_box_is_nobody_is_expected_to_be_taught(tmp_path):
    tree = taught_tree(tmp_path / "data", tmp_path / "out", "a")
    (tmp_path / "data" / "a" / "gt" / "gt.txt").write_text("1,1,500,13,24,20,1,3,1")  # beyond the image
    recipe = build_recipe(tree)
    (ahead,) = students_ahead(recipe, items(recipe))
    assert ahead.asked(recipe) == (0, 0, 0.0)
    _, stages = labelled(tree)
    assert not {"teacher", "teaching"} & set(stages)


@pytest.mark.parametrize("per", ["video", "dataset"])
def test_a_plan_leaves_out_whom_nobody_can_teach(labelled_once, tmp_path, per):
    tree = taught_tree(Path(labelled_once[0]["data"]), tmp_path / "out", "a")
    shutil.copytree(tree["data"], tmp_path / "data")
    shutil.copytree(tmp_path / "data" / "a", tmp_path / "data" / "b")
    tree |= {"data": str(tmp_path / "data"), "students": {"per": per}}
    tree["evidence"]["boxbg-student"]["network"] = str(tmp_path / "nowhere.onnx")
    told = spotlabel("plan", write(tmp_path / "recipe.yaml", tree), "--json")
    assert told.returncode == 1, told.stdout
    plan = json.loads(told.stdout)
    assert plan["kinds"] == []
    expected = f"evidence.boxbg-student.network: {tmp_path / 'nowhere.onnx'} cannot be read"
    assert [line[: len(expected) + 3] for line in plan["left_out"]] == [f"a: {expected}", f"b: {expected}"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive"])
def test_damaged_answers_are_asked_for_again(made, damage):
    tree, out = made
    before = student(out).read_bytes()
    student(out).unlink()
    student(out).with_suffix(".answers").write_bytes(damage)
    assert taught(tree)[0] == "made"
    assert student(out).read_bytes() == before


def test_answers_damaged_anywhere_count_as_none_or_are_what_they_were(tmp_path):
    rng = np.random.default_rng(0)
    said = {(number, 0): [rng.integers(0, 256, (9, 7), np.uint8)] for number in range(3)}
    path = tmp_path / "a.answers"
    kept = KeptAnswers(path, "of this")
    kept.update(said)
    kept.save()
    content = path.read_bytes()
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 255
        path.write_bytes(damaged)
        for key, found in KeptAnswers(path, "of this").items():
            np.testing.assert_array_equal(found, said[key])


def test_what_a_killed_child_left_of_its_answers_is_cleared_with_its_video(tmp_path):
    mine, other = (students.Student(student_path(tmp_path, "boxbg-student", name), {}) for name in ("a", "b"))
    left = []
    for student_ in (mine, other):
        for final in (student_.path, student_.state, student_.path.with_suffix(".answers")):
            partial, lock = locked_partial(final)
            os.close(lock)
            left.append(partial)
    assert clear_partials(tmp_path, "a") == sorted(left[:3])


def test_a_device_that_is_not_there_is_told_before_anybody_is_asked(labelled_once, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    tree = taught_tree(Path(labelled_once[0]["data"]), tmp_path / "out", "a", device="cuda")
    told = Told()
    outcome = run_teaching(build_recipe(tree), "a", told)
    assert outcome.error == "teaching.device: cuda cannot be used here; write cpu"
    assert not told.stages
    assert not (tmp_path / "out" / "students").exists()


def test_a_teacher_that_is_of_no_use_is_told_by_teaching_and_labelling(labelled_once, tmp_path):
    (tmp_path / "blind.onnx").write_bytes(segmenter(steepness=-40))
    tree = taught_tree(Path(labelled_once[0]["data"]), tmp_path / "out", "a")
    tree["evidence"]["boxbg-student"]["network"] = str(tmp_path / "blind.onnx")
    expected = "the teacher's masks are whole in too few of 8 boxes: nobody was taught, boxbg decides alone"
    outcome = run_teaching(build_recipe(tree), "a", Told())
    assert sum(line.startswith(expected) for line in outcome.remarks) == 1
    outcome, _ = labelled(tree)
    assert sum(line.startswith(expected) for line in outcome.remarks) == 1
    assert not any(line.startswith(expected) for line in labelled_once[1].remarks)


def test_without_torch_it_says_what_to_install_before_it_asks_anybody(labelled_once, tmp_path, monkeypatch):
    tree = {**labelled_once[0], "out": str(tmp_path / "out")}
    monkeypatch.setattr(students, "_TEACHING", "torch_that_is_not_there.school")
    outcome = run_sequence(build_recipe(tree), "a", False, Told())
    assert outcome.error == (
        "a student is taught with torch_that_is_not_there, which is not installed "
        "(pip install 'spotlabel[teach]')"
    )
    assert not (tmp_path / "out" / "students").exists()


@pytest.mark.parametrize(("camera", "labeler"), [("fixed", "boxbg"), ("moving", "egoflow-cut")])
def test_a_labeler_without_a_student_is_told(tmp_path, camera, labeler):
    tree = {**taught_tree(tmp_path / "data", tmp_path / "out", "a"), "labeler": labeler}
    tree["dataset"] = {"reader": "mot", "camera": camera}
    outcome = run_teaching(build_recipe(tree), "a", Told())
    assert outcome.error == (
        f"{labeler} has no student to teach; set labeler={labeler}-student, "
        "or preset=learned where the recipe names no labeler"
    )


def test_a_file_that_came_after_the_listing_is_told(tmp_path, monkeypatch):
    tree, listed = taught_tree(tmp_path / "data", tmp_path / "out", "a"), teach_job.one_item

    def listed_too_early(recipe, name):
        item = listed(recipe, name)
        (tmp_path / "data" / "a" / "gt" / "labels.txt").write_text("a\nb\nlorry\n")
        return item

    monkeypatch.setattr(teach_job, "one_item", listed_too_early)
    outcome = run_teaching(build_recipe(tree), "a", Told())
    assert "labels.txt: came while the dataset was being read" in outcome.error


def test_the_command_teaches_every_video(labelled_once, tmp_path):
    tree = {**labelled_once[0], "out": str(tmp_path / "out")}
    told = spotlabel("teach", write(tmp_path / "recipe.yaml", yaml.safe_load(yaml.safe_dump(tree))))
    assert told.returncode == 0, told.stderr
    assert str(student(tmp_path / "out")) in told.stdout.replace("\n", "")
    assert (
        student(tmp_path / "out").read_bytes()
        == labelled_once[3][student(tmp_path / "out").relative_to(tmp_path / "out")]
    )


KILLED = """
import json, os, sys
from spotlabel.labelers.learned.segmenter import Segmenter
from spotlabel.labelers.learned.student import BoxbgStudent, EgoflowCutStudent
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.stages import answers

answers._SECONDS_BETWEEN_SAVES = 0.0
tree, stage, count = json.loads(sys.argv[1])

def progress(name, done, total):
    if (name, done) == (stage, count):
        os._exit(9)

run_sequence(build_recipe(tree), "a", False, progress)
"""


@pytest.mark.parametrize(
    ("point", "asked"), [(("teacher", 5), 3), (("teaching", 6), 0), (("evidence", 7), 0)]
)
def test_a_run_that_was_killed_is_gone_on_with(labelled_once, tmp_path, monkeypatch, point, asked):
    """Nothing that the teacher has said is asked again."""
    tree, _, _, expected = labelled_once
    tree, out = {**tree, "out": str(tmp_path / "out")}, tmp_path / "out"
    child = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps([tree, *point])], env=environment(), check=False
    )
    assert child.returncode == 9
    assert not list(out.rglob("masks/*.h5"))
    assert student(out).exists() == (point[0] == "evidence")
    run, crops = Segmenter._run, []
    monkeypatch.setattr(
        Segmenter, "_run", lambda self, inputs: crops.append(inputs.shape) or run(self, inputs)
    )
    _, stages = labelled(tree)
    assert sum(shape[1] == 3 for shape in crops) == asked
    assert ("teaching" in stages) == (point[0] != "evidence")
    assert files(out) == expected


def test_where_the_teacher_is_asked_about_all_boxes_of_a_moving_camera_nobody_is_taught(
    tmp_path, monkeypatch
):
    tree = taught_tree(tmp_path / "data", tmp_path / "out", "a", boxes=12)
    tree = {
        **tree,
        "labeler": "egoflow-cut-student",
        "evidence": {"egoflow-cut-student": tree["evidence"]["boxbg-student"]},
    }
    recipe = build_recipe(tree)
    (ahead,) = students_ahead(recipe, items(recipe))
    assert ahead.asked(recipe) == (12, 0, pytest.approx(12 * 1.4))
    (made,) = plan_items(recipe, items(recipe))
    assert seconds_once(recipe, made) == pytest.approx(3 * 12 * 1.4)
    told = spotlabel("plan", write(tmp_path / "recipe.yaml", tree), "--json")
    length = len(made.item.sequence.frames)
    (kind,) = json.loads(told.stdout)["kinds"]
    each = kind["evidence"]["seconds"] + kind["masks"]["seconds"]
    assert kind["estimate"]["cpu"] == pytest.approx(3 * 17 + each * length)  # 16.8 s are told as 17
    few = {**tree["evidence"]["egoflow-cut-student"], "teaching": {"boxes": 8}}
    more = build_recipe({**tree, "evidence": {"egoflow-cut-student": few}})
    (made,) = plan_items(more, items(more))
    trained = 1.6 * 800 * 16 * 80**2 / 1e6
    assert seconds_once(more, made) == pytest.approx(3 * (8 * 1.4 + trained))
    _, stages = labelled(tree)
    assert stages["teacher"] == 12
    assert "teaching" not in stages
    first = files(tmp_path / "out")
    with monkeypatch.context() as patch:  # other figures of boxes ask the teacher nothing
        patch.setattr(EgoflowCutStudent, "figures", {**EgoflowCutStudent.figures, "network_iou": 99})
        patch.setattr(Segmenter, "_run", None)
        outcome, stages = labelled(tree)
        assert (outcome.evidence, set(stages)) == ("made", {"evidence", "masks"})
    student_of = student_path(tmp_path / "out", "egoflow-cut-student", "a")
    student_of.with_suffix(".answers").unlink()
    for store in (tmp_path / "out").rglob("*.h5"):
        store.unlink()
    labelled(tree)  # asks again what is not kept
    assert files(tmp_path / "out") == first
