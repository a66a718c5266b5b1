"""A student beside another labeler: what it is taught, and that its network decides afterwards."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spotlabel.labelers.base import instance
from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned.settings import BoxbgStudentSettings, TeachingSettings
from spotlabel.labelers.learned.student import BoxbgStudent
from tests.helpers.segmenters import segmenter
from tests.labelers.learned.test_learned_labelers import HEIGHT, RED, WIDTH, Street, in_box_iou

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")


def student(**teaching) -> BoxbgStudent:
    settings = BoxbgStudentSettings(teaching=TeachingSettings(size=64, steps=60, batch=8, **teaching))
    return instance(BoxbgStudent, settings, {"network": segmenter()})


def chosen(labeler: BoxbgStudent, clip: Street) -> dict[int, list[int]]:
    xyxy = np.concatenate([frame.boxes for frame in clip.frames])
    frames = np.repeat(np.arange(len(clip.frames)), [len(frame.boxes) for frame in clip.frames])
    rows = labeler.choose(frames, xyxy, np.zeros(len(xyxy), np.int64))
    return {clip.frames[frames[row]].number: [0] for row in rows}


def lesson(labeler: BoxbgStudent, clip: Street, answers=None):
    told: list[tuple[int, int]] = []
    answers = {} if answers is None else answers
    made = labeler.lesson(clip, chosen(labeler, clip), answers, lambda *counts: told.append(counts))
    return made, answers, told


def test_a_lesson_shows_the_car_without_its_shadow():
    made, answers, told = lesson(labeler := student(boxes=10), clip := Street())
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
    assert json.loads(made.metadata["trust"]) == {"network": True, "evidence": True}
    assert json.loads(made.metadata["provenance"])["asked"] == 10
    assert labeler is not None
    assert (HEIGHT, WIDTH) == clip.size
