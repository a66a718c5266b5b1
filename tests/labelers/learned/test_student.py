"""A student beside another labeler: what it is taught, and that its network decides afterwards."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from pydantic import ValidationError

from spotlabel.labelers.base import instance
from spotlabel.labelers.boxbg.labeler import Boxbg
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned.fused import EgoflowCutTeacher
from spotlabel.labelers.learned.segmenter import Segmenter
from spotlabel.labelers.learned.settings import (
    BoxbgStudentSettings,
    EgoflowCutStudentSettings,
    EgoflowCutTeacherSettings,
    TeachingSettings,
)
from spotlabel.labelers.learned.student import BoxbgStudent, EgoflowCutStudent, Student
from tests.helpers.segmenters import segmenter
from tests.labelers.learned.test_learned_labelers import RED, Street, in_box_iou

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")


def student(**teaching) -> BoxbgStudent:
    settings = BoxbgStudentSettings(teaching=TeachingSettings(size=64, steps=60, batch=8, **teaching))
    return instance(BoxbgStudent, settings, {"network": segmenter()})


def beside_egoflow(boxes: int, network: bytes = b"") -> EgoflowCutStudent:
    settings = EgoflowCutStudentSettings(teaching=TeachingSettings(size=64, steps=60, batch=8, boxes=boxes))
    return instance(EgoflowCutStudent, settings, {"network": network or segmenter()})


def chosen(labeler: Student, clip: Street) -> dict[int, list[int]]:
    xyxy = np.concatenate([frame.boxes for frame in clip.frames])
    frames = np.repeat(np.arange(len(clip.frames)), [len(frame.boxes) for frame in clip.frames])
    rows = labeler.choose(frames, xyxy, np.zeros(len(xyxy), np.int64))
    return {clip.frames[frames[row]].number: [0] for row in rows}


def lesson(labeler: Student, clip: Street, answers=None):
    told: list[tuple[int, int]] = []
    answers = {} if answers is None else answers
    rows = chosen(labeler, clip)
    study = labeler.study(clip, rows, answers, lambda *counts: told.append(counts))
    return labeler.lesson([study], [rows], sum(len(frame.boxes) for frame in clip.frames)), answers, told


def test_a_lesson_shows_the_car_without_its_shadow():
    made, answers, told = lesson(student(boxes=10), Street())
    arrays = made.arrays
    assert told[-1] == (10, 10)
    assert len(answers) == 10
    assert arrays["crops"].shape == (10, 80, 80, 4)
    assert arrays["whole"].all()
    for crop, target, weight, box in zip(
        arrays["crops"], arrays["targets"], arrays["weights"], arrays["boxes"], strict=True
    ):
        x0, y0, x1, y1 = np.rint(box).astype(int)
        assert not weight[: y0 - 2].any()
        assert not weight[:, x1 + 2 :].any()
        red = np.abs(crop[..., :3].astype(int) - RED).max(axis=2) < 40
        sure = weight == 255
        assert (red & sure)[y0:y1, x0:x1].sum() > 300
        assert (target[sure] > 127)[red[sure]].mean() > 0.97
    trust, provenance = (json.loads(made.metadata[key]) for key in ("trust", "provenance"))
    assert trust == {
        "network": True,
        "evidence": True,
        "exact": provenance["agreement"] >= BoxbgStudent.exact,
        "direct": False,
    }
    assert provenance["agreement"] > 0.75
    assert provenance["asked"] == 10


def test_what_the_teacher_has_said_is_not_asked_again(monkeypatch):
    clip = Street(count=20)
    first, answers, _ = lesson(student(boxes=8), clip)
    monkeypatch.setattr(Segmenter, "_run", None)
    again, _, _ = lesson(student(boxes=8), clip, dict(answers))
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name])


def test_a_file_that_is_no_segmenter_is_told_before_the_other_labeler_runs():
    labeler = instance(BoxbgStudent, BoxbgStudentSettings(), {"network": b"no network"})
    clip = Street(count=4)
    clip.frames = None
    with pytest.raises(LabelerError, match="cannot be loaded"):
        labeler.study(clip, {1: [0]}, {}, lambda done, total: None)


def test_a_student_without_a_step_of_training_is_refused():
    with pytest.raises(ValidationError, match="steps"):
        TeachingSettings(steps=0)


def test_a_student_that_nobody_taught_does_not_label():
    with pytest.raises(LabelerError, match="has not been taught"):
        list(student().label(Street(count=4)))


def described(labeler: Student, clip: Street, **facts) -> bytes:
    """The red segmenter with the metadata of the lesson, in place of a student."""
    made, _, _ = lesson(labeler, clip)
    return segmenter(metadata={**made.metadata, "size": "32", "evidence": "false", **facts})


def test_the_student_decides_which_pixels_are_the_cars():
    clip, labeler = Street(), student(boxes=10)
    inexact = json.dumps({"network": True, "evidence": True, "exact": False})
    labeler.learn(described(labeler, clip, trust=inexact), {})
    found = list(labeler.label(clip))
    with_boxes = [index for index, frame in enumerate(clip.frames) if len(frame.boxes)]
    assert np.mean([in_box_iou(found[index], clip, index) for index in with_boxes]) > 0.9


def test_where_the_teacher_cannot_be_relied_on_the_other_labeler_decides():
    clip, labeler = Street(), student(boxes=10)
    nothing = json.dumps({"network": False, "evidence": True, "exact": False})
    labeler.learn(described(labeler, clip, trust=nothing), {})
    expected = list(Boxbg(BoxbgSettings()).label(clip))
    for one, other in zip(labeler.label(clip), expected, strict=True):
        assert one.warm_up == other.warm_up
        if not one.warm_up:
            np.testing.assert_array_equal(one.values > labeler.neutral, other.values > Boxbg.neutral)


def test_a_teacher_that_sees_no_car_teaches_nothing():
    clip = Street()
    blind = instance(BoxbgStudent, BoxbgStudentSettings(), {"network": segmenter(steepness=-40)})
    made, _, _ = lesson(blind, clip)
    assert json.loads(made.metadata["trust"])["network"] is False
    assert not len(made.arrays["crops"])


def test_what_an_exact_labeler_finds_stays():
    clip, labeler = Street(), student(boxes=10)
    exact = json.dumps({"network": True, "evidence": True, "exact": True})
    labeler.learn(described(labeler, clip, trust=exact), {})
    finds = list(Boxbg(BoxbgSettings()).label(clip))
    for frame, one, other in zip(clip.frames, labeler.label(clip), finds, strict=True):
        for x0, y0, x1, y1 in frame.boxes.astype(int):
            kept = other.values[y0:y1, x0:x1] > Boxbg.neutral
            assert (one.values[y0:y1, x0:x1][kept] > labeler.neutral).all()


def test_on_a_moving_camera_a_teacher_that_was_asked_about_every_box_labels_itself(monkeypatch):
    clip = Street(count=12, pan=2)
    boxes = sum(len(frame.boxes) for frame in clip.frames)
    assert boxes > 8
    teacher = instance(EgoflowCutTeacher, EgoflowCutTeacherSettings(), {"network": segmenter()})
    expected = list(teacher.label(clip))
    labeler = beside_egoflow(boxes)
    student, answers = described(labeler, clip), {}
    made, _, _ = lesson(labeler, clip, answers)
    assert not len(made.arrays["crops"])
    monkeypatch.setattr(Segmenter, "_run", None)
    labeler.learn(student, answers)
    for one, other in zip(labeler.label(clip), expected, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert one.warm_up == other.warm_up
        for name, values in other.figures.items():
            np.testing.assert_array_equal(one.figures[name], values)


def test_with_one_box_more_than_the_teacher_is_asked_about_a_student_is_taught():
    clip = Street(count=12, pan=2)
    boxes = sum(len(frame.boxes) for frame in clip.frames)
    made, _, _ = lesson(beside_egoflow(boxes - 1), clip)
    assert len(made.arrays["crops"]) == boxes - 1
    assert json.loads(made.metadata["trust"])["direct"] is False


def test_a_teacher_of_no_use_is_told_where_it_labels_itself_too(caplog):
    clip, remarks = Street(count=12, pan=2), []
    for network in (segmenter(), segmenter(steepness=-40)):
        labeler = beside_egoflow(99, network)
        labeler.learn(described(labeler, clip), {})
        remarks.append([record.getMessage() for record in caplog.records])
    boxes = sum(len(frame.boxes) for frame in clip.frames)
    told = (
        f"the teacher's masks are whole in too few of {boxes} boxes: its masks add little to what egoflow-cut"
    )
    assert remarks == [[], [f"{told} finds (docs/learned.md)"]]


@pytest.mark.parametrize(("frames", "told"), [(1, "[01] of 1 box"), (2, "[0-2] of 2 boxes")])
def test_too_few_boxes_to_judge_a_teacher_by_are_told_as_such(caplog, frames, told):
    clip, labeler = Street(count=frames, pan=2), beside_egoflow(99)
    labeler.learn(described(labeler, clip), {})
    remark = caplog.records[-1].getMessage()
    expected = f"egoflow-cut sees something in {told} asked about, too few to tell whether the teacher can be"
    assert re.match(expected, remark)


def test_what_is_wrong_with_a_student_is_not_told_of_its_teacher():
    with pytest.raises(LabelerError, match=r"^the student's network: cannot be loaded"):
        student().learn(b"no network", {})
