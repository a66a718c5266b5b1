"""The labelers that ask a network, on small scenes: cars that are red, and what the other evidence misses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from spotlabel.labelers import registry
from spotlabel.labelers.base import ClipFrame, Evidence, EvidenceKind, Settings, instance
from spotlabel.labelers.learned.fused import BoxbgTeacher, EgoflowCutTeacher, _Fused
from spotlabel.labelers.learned.settings import (
    BoxbgTeacherSettings,
    EgoflowCutTeacherSettings,
    FusedSettings,
    TeacherSettings,
)
from spotlabel.labelers.learned.teacher import Teacher
from tests.helpers.clips import Replayed, texture
from tests.helpers.segmenters import segmenter

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")
HEIGHT, WIDTH = 72, 112
RED, SHADOW = (40, 40, 200), 0.6


class Street(Replayed):
    """A red car drives over textured ground, out of the image on the right; its box holds a shadow too."""

    size, step = (HEIGHT, WIDTH), 1

    def __init__(self, count: int = 40, parked: bool = False, pan: int = 0) -> None:
        rng, self.frames, self.truth = np.random.default_rng(3), [], []
        wide = texture(HEIGHT, WIDTH + pan * count, seed=4)
        for index in range(count):
            ground = wide[:, pan * index : pan * index + WIDTH]
            image = np.repeat(ground[..., None] // 2 + 70, 3, axis=2).astype(np.float32)
            x = 30 if parked else 4 + 3 * index
            truth = np.zeros((HEIGHT, WIDTH), np.bool_)
            truth[24:44, x : x + 36] = True
            image[44:50, x : x + 36] *= SHADOW
            image[truth] = RED
            box = np.array([[x, 24, min(x + 36, WIDTH), 50]], np.float32)
            boxes = box[box[:, 2] - box[:, 0] > 4]
            noisy = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
            self.frames.append(ClipFrame(index + 1, noisy, boxes))
            self.truth.append(truth)


def made(labeler, settings: Settings, clip: Replayed) -> list[Evidence]:
    return list(instance(labeler, settings, {"network": segmenter()}).label(clip))


def in_box_iou(evidence: Evidence, clip: Street, index: int) -> float:
    x0, y0, x1, y1 = clip.frames[index].boxes[0].astype(int)
    found, truth = evidence.values[y0:y1, x0:x1] > 127, clip.truth[index][y0:y1, x0:x1]
    return (found & truth).sum() / (found | truth).sum()


def test_the_teacher_finds_cars_and_nothing_outside_boxes():
    clip = Street()
    for index, evidence in enumerate(made(Teacher, TeacherSettings(), clip)):
        assert evidence.values.dtype == np.uint8
        assert not evidence.warm_up
        outside = np.ones((HEIGHT, WIDTH), np.bool_)
        for x0, y0, x1, y1 in clip.frames[index].boxes.astype(int):
            outside[y0:y1, x0:x1] = False
            assert in_box_iou(evidence, clip, index) > 0.9
        assert not evidence.values[outside].any()


@pytest.mark.parametrize(
    ("labeler", "settings", "pan"),
    [(BoxbgTeacher, BoxbgTeacherSettings(), 0), (EgoflowCutTeacher, EgoflowCutTeacherSettings(), 2)],
)
def test_fused_evidence_has_the_car_without_its_shadow(labeler, settings, pan):
    clip = Street(pan=pan)
    found = made(labeler, settings, clip)
    assert len(found) == len(clip)
    with_boxes = [index for index, frame in enumerate(clip.frames) if len(frame.boxes)]
    assert np.mean([in_box_iou(found[index], clip, index) for index in with_boxes]) > 0.88
    again = made(labeler, settings.model_copy(update={"batch": 1}), clip)
    assert [one.values.tobytes() for one in again] == [one.values.tobytes() for one in found]


def test_a_parked_car_that_became_background_is_found():
    clip = Street(parked=True)
    found = made(BoxbgTeacher, BoxbgTeacherSettings(), clip)
    assert min(in_box_iou(found[index], clip, index) for index in range(len(clip))) > 0.9


class Told:
    """A labeler that says what it is told, after a look at the whole video and at some of it."""

    kind, neutral = EvidenceKind.BINARY, 0

    def __init__(self, says: list[np.ndarray | None]) -> None:
        self._says = says

    def label(self, clip) -> Iterator[Evidence]:
        assert [frame.number for frame in clip.sampled(2)] == [frame.number for frame in clip][::2]
        assert clip.size == (HEIGHT, WIDTH)
        assert len(clip) == len(self._says)
        for plane, _ in zip(self._says, clip, strict=True):
            nothing = np.zeros((HEIGHT, WIDTH), np.bool_)
            yield Evidence(nothing if plane is None else plane, warm_up=plane is None)


def told(says: list[np.ndarray | None], clip: Street, **settings) -> list[Evidence]:
    content = {"network": segmenter()}
    return list(_Fused(Told(says), FusedSettings(**settings), content).label(clip))


def test_frames_of_which_the_other_labeler_knows_nothing_are_the_networks():
    clip = Street(count=12)
    alone = made(Teacher, TeacherSettings(), clip)
    whole = np.ones((HEIGHT, WIDTH), np.bool_)
    says = [None if index in (0, 5) else whole for index in range(12)]
    for index, evidence in enumerate(told(says, clip)):
        assert not evidence.warm_up
        assert np.array_equal(evidence.values, alone[index].values) == (index in (0, 5))


def test_boxes_are_asked_about_once(monkeypatch):
    clip, asked = Street(count=30), []
    fused = _Fused(Told(clip.truth), FusedSettings(judged=8), {"network": segmenter()})
    ask = fused._segmenter.probabilities
    monkeypatch.setattr(
        fused._segmenter, "probabilities", lambda image, boxes: asked.extend(boxes) or ask(image, boxes)
    )
    list(fused.label(clip))
    assert len(asked) == sum(len(frame.boxes) for frame in clip.frames)


def test_a_video_without_boxes_has_no_foreground():
    clip = Street(count=9)
    clip.frames = [ClipFrame(f.number, f.image, np.zeros((0, 4), np.float32)) for f in clip.frames]
    assert not any(evidence.values.any() for evidence in told(clip.truth, clip))


@pytest.mark.parametrize("name", ["teacher", "boxbg-teacher", "egoflow-cut-teacher"])
def test_every_file_is_a_setting_with_advice(name):
    labeler = registry.load(name)
    assert set(labeler.files) == {"network"}
    assert "make teacher" in labeler.files["network"]
    assert "network" in labeler.settings_type.model_fields
