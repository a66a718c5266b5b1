"""A student learns, the same wherever it was stopped, and its file says what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spotlabel.detector.teaching.course import Course, trained
from spotlabel.detector.teaching.graph import as_onnx
from spotlabel.detector.teaching.material import Material, shown
from spotlabel.detector.teaching.network import Student
from spotlabel.detector.teaching.school import taught

SIDE, SIZE = 40, 32
COURSE = Course(size=SIZE, steps=12, batch=4, seed=3)


def discs(count: int = 8) -> Material:
    """Bright ellipses in noise; the other labeler says that the upper half is foreground."""
    rng = np.random.default_rng(5)
    crops = rng.integers(60, 120, (count, SIDE, SIDE, 4)).astype(np.uint8)
    crops[..., 3] = np.where(np.arange(SIDE) < SIDE // 2, 255, 0)[:, None]
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    targets, boxes = np.zeros((count, SIDE, SIDE), np.uint8), np.zeros((count, 4), np.float32)
    weights = np.zeros_like(targets)
    for index in range(count):
        boxes[index] = [10, 10, 30, 30]
        inside = ((columns - 20) / 10) ** 2 + ((rows - 20) / 10) ** 2 < 1
        targets[index][inside] = 255
        crops[index, ..., :3][inside] = rng.integers(190, 255, 3)
        weights[index, 10:30, 10:30] = 255
    images = np.tile(np.array([0, 0, SIDE, SIDE], np.float32), (count, 1))
    return Material(crops, targets, weights, boxes, images, np.ones(count, np.bool_))


def weights_of(student: Student) -> list[bytes]:
    return [value.numpy().tobytes() for value in student.state_dict().values()]


def test_a_student_learns_to_tell_discs():
    material = discs()
    student = trained(material, Course(size=SIZE, steps=60, batch=8, seed=0))
    batch = shown(material, np.arange(8), SIZE, np.random.default_rng(1))
    with torch.no_grad():
        found = student(batch.crops) > 0
    truth = batch.targets > 0.5
    common, either = (found & truth & batch.within).sum(), ((found | truth) & batch.within).sum()
    assert common / either > 0.85


def test_equal_lessons_make_equal_students_whatever_was_set_before():
    torch.set_num_threads(1)
    first = weights_of(trained(discs(), COURSE))
    torch.manual_seed(99)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert weights_of(trained(discs(), COURSE)) == first
        assert torch.get_num_threads() == 2
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(threads)
    assert weights_of(trained(discs(), Course(size=SIZE, steps=12, batch=4, seed=4))) != first


class Killed(Exception):
    pass


def killed_at(step: int):
    def progress(done: int, total: int) -> None:
        assert total == COURSE.steps
        if done == step:
            raise Killed

    return progress


@pytest.mark.parametrize("step", [2, 5, 8, 12])
def test_a_course_goes_on_where_it_was_stopped(tmp_path, step):
    whole, state, done = weights_of(trained(discs(), COURSE)), tmp_path / "state", []
    with pytest.raises(Killed):
        trained(discs(), COURSE, state=state, mark="a", progress=killed_at(step), every=4)
    assert state.exists() == (step > 4)
    again = trained(
        discs(), COURSE, state=state, mark="a", progress=lambda *counts: done.append(counts), every=4
    )
    assert weights_of(again) == whole
    assert done[0] == (4 * ((step - 1) // 4) + 1, 12)


@pytest.mark.parametrize("damage", ["other", "cut", "text"])
def test_a_state_of_something_else_is_not_gone_on_from(tmp_path, damage):
    whole, state = weights_of(trained(discs(), COURSE)), tmp_path / "state"
    with pytest.raises(Killed):
        trained(discs(), COURSE, state=state, mark="a", progress=killed_at(9), every=4)
    if damage == "cut":
        state.write_bytes(state.read_bytes()[:-100])
    if damage == "text":
        state.write_text("no tensors")
    mark = "b" if damage == "other" else "a"
    assert weights_of(trained(discs(), COURSE, state=state, mark=mark)) == whole


def test_a_lesson_without_a_weight_teaches_nothing():
    material = discs()
    material.weights[:] = 0
    untaught = trained(material, Course(size=SIZE, steps=0, batch=4, seed=3))
    assert weights_of(trained(material, COURSE)) == weights_of(untaught)
    nobody = Material(**{name: array[:0] for name, array in vars(material).items()})
    assert weights_of(trained(nobody, COURSE)) == weights_of(untaught)


@pytest.mark.parametrize("size", [32, 64])
def test_the_file_says_what_the_student_says(size):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")
    student = trained(discs(), Course(size=size, steps=3, batch=4, seed=0))
    content = as_onnx(student, size, {"format": "a file"})
    assert content == as_onnx(student, size, {"format": "a file"})
    session = onnxruntime.InferenceSession(content)
    assert session.get_modelmeta().custom_metadata_map == {"format": "a file"}
    crops = np.random.default_rng(0).normal(size=(3, 5, size, size)).astype(np.float32)
    (found,) = session.run(None, {"crop": crops})
    with torch.no_grad():
        expected = student(torch.from_numpy(crops)).sigmoid().numpy()
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)


def test_a_lesson_becomes_a_file(tmp_path):
    course = {"size": SIZE, "steps": 2, "batch": 2, "seed": 0, "device": "cpu"}
    files = [
        taught(vars(discs()), course, {"a": "1"}, state=tmp_path / "s", mark="m", progress=lambda *_: None)
        for _ in range(2)
    ]
    assert files[0] == files[1]
