"""The labelers that ask a network, on small scenes: cars that are red, and what the other evidence misses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from spotlabel.labelers import registry
from spotlabel.labelers.base import ClipFrame, Evidence, EvidenceKind, Settings, instance
from spotlabel.labelers.boxbg.labeler import Boxbg
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.learned.fused import BoxbgTeacher, EgoflowCutTeacher, Fused
from spotlabel.labelers.learned.settings import (
    BoxbgTeacherSettings,
    EgoflowCutTeacherSettings,
    FusedSettings,
    TeacherSettings,
)
from spotlabel.labelers.learned.teacher import RIM, Teacher, painted
from tests.helpers.clips import Replayed, texture
from tests.helpers.segmenters import segmenter

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")
HEIGHT, WIDTH = 72, 112
RED, SHADOW = (40, 40, 200), 0.6


class Street(Replayed):
    """A red car drives over textured ground, out of the image on the right; its box holds a shadow too.

    With a stripe of the car's colour across the road, parts of the car look like the background.
    """

    size, step = (HEIGHT, WIDTH), 1

    def __init__(self, count: int = 40, parked: bool = False, pan: int = 0, stripe: bool = False) -> None:
        rng, self.frames, self.truth = np.random.default_rng(3), [], []
        wide = texture(HEIGHT, WIDTH + pan * count, seed=4)
        for index in range(count):
            ground = wide[:, pan * index : pan * index + WIDTH]
            image = np.repeat(ground[..., None] // 2 + 70, 3, axis=2).astype(np.float32)
            if stripe:
                image[:, 52:57] = RED
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
            outside[max(y0 - RIM, 0) : y1 + RIM, max(x0 - RIM, 0) : x1 + RIM] = False
            assert in_box_iou(evidence, clip, index) > 0.9
        assert not evidence.values[outside].any()


def boxbg_finds(clip: Street, index: int) -> np.ndarray:
    return list(Boxbg(BoxbgSettings()).label(clip))[index].values > Boxbg.neutral


def test_egoflow_cut_and_the_network_find_the_car_without_its_shadow():
    clip = Street(pan=2)
    found = made(EgoflowCutTeacher, EgoflowCutTeacherSettings(), clip)
    assert len(found) == len(clip)
    with_boxes = [index for index, frame in enumerate(clip.frames) if len(frame.boxes)]
    assert np.mean([in_box_iou(found[index], clip, index) for index in with_boxes]) > 0.88


def test_what_boxbg_takes_for_background_the_network_fills():
    clip, index = Street(stripe=True), 12  # the car stands half over the stripe
    hidden = clip.truth[index] & (np.arange(WIDTH) >= 52) & (np.arange(WIDTH) < 57)
    assert hidden.sum() == 100
    before = boxbg_finds(clip, index)
    assert before[hidden].mean() < 0.2
    found = made(BoxbgTeacher, BoxbgTeacherSettings(), clip)
    assert (found[index].values[clip.truth[index]] > 127).mean() > 0.98
    inside = np.zeros((HEIGHT, WIDTH), np.bool_)
    x0, y0, x1, y1 = clip.frames[index].boxes[0].astype(int)
    inside[y0:y1, x0:x1] = True
    assert (found[index].values[before & inside] > 127).all()


@pytest.mark.parametrize(
    ("labeler", "settings"),
    [(BoxbgTeacher, BoxbgTeacherSettings()), (EgoflowCutTeacher, EgoflowCutTeacherSettings())],
)
def test_same_bytes_for_any_number_of_boxes_at_a_time(labeler, settings):
    clip = Street(count=12)
    one = made(labeler, settings.model_copy(update={"batch": 1}), clip)
    assert [found.values.tobytes() for found in made(labeler, settings, clip)] == [
        found.values.tobytes() for found in one
    ]


def test_a_parked_car_whose_background_nobody_saw_is_found():
    clip = Street(parked=True)
    for evidence, truth in zip(made(BoxbgTeacher, BoxbgTeacherSettings(), clip), clip.truth, strict=True):
        assert (evidence.values[truth] > 127).mean() > 0.98


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
    return list(Fused(Told(says), FusedSettings(**settings), content, adds_only=False).label(clip))


def test_frames_of_which_the_other_labeler_knows_nothing_are_the_networks():
    clip = Street(count=12)
    alone = made(Teacher, TeacherSettings(), clip)
    whole = np.ones((HEIGHT, WIDTH), np.bool_)
    says = [None if index in (0, 5) else whole for index in range(12)]
    for index, evidence in enumerate(told(says, clip)):
        assert not evidence.warm_up
        assert np.array_equal(evidence.values, alone[index].values) == (index in (0, 5))


def test_they_stay_unknown_where_the_network_cannot_be_relied_on_either():
    clip = Street(count=12)
    blind = {"network": segmenter(deviation=[99, 99, 99])}  # all is grey to it
    says = [None if index in (0, 5) else truth for index, truth in enumerate(clip.truth)]
    found = list(Fused(Told(says), FusedSettings(), blind, adds_only=False).label(clip))
    assert [index for index, evidence in enumerate(found) if evidence.warm_up] == [0, 5]
    assert all(in_box_iou(found[index], clip, index) > 0.97 for index in range(12) if index not in (0, 5))


def test_a_labeler_that_knows_better_keeps_what_it_found():
    clip = Street(count=12)
    shadows = [truth | np.roll(truth, 6, axis=0) for truth in clip.truth]
    removed, kept = (
        list(Fused(Told(shadows), FusedSettings(), {"network": segmenter()}, adds_only=adds).label(clip))
        for adds in (False, True)
    )
    for index, (x0, y0, x1, y1) in enumerate(frame.boxes[0].astype(int) for frame in clip.frames):
        box = np.s_[y0:y1, x0:x1]
        assert (kept[index].values[box][shadows[index][box]] == 255).all()
        assert in_box_iou(removed[index], clip, index) > in_box_iou(kept[index], clip, index) + 0.1


def test_boxes_are_asked_about_once(monkeypatch):
    clip, asked = Street(count=30), []
    fused = Fused(Told(clip.truth), FusedSettings(judged=8), {"network": segmenter()}, adds_only=False)
    ask = fused._segmenter.readings
    monkeypatch.setattr(
        fused._segmenter,
        "readings",
        lambda image, boxes, mask: asked.extend(boxes) or ask(image, boxes, mask),
    )
    list(fused.label(clip))
    assert len(asked) == sum(len(frame.boxes) for frame in clip.frames)


def test_a_video_without_boxes_has_no_foreground():
    clip = Street(count=9)
    clip.frames = [ClipFrame(f.number, f.image, np.zeros((0, 4), np.float32)) for f in clip.frames]
    assert not any(evidence.values.any() for evidence in told(clip.truth, clip))


def test_values_go_on_beyond_boxes_but_not_into_others():
    boxes = np.array([[10, 10, 16, 20], [16, 10, 22, 20], [2, 0, 5, 3]], np.float32)
    values = [np.full((10, 6), 200, np.uint8), np.full((10, 6), 9, np.uint8), np.full((3, 3), 7, np.uint8)]
    plane = painted(boxes, values, (40, 40))
    assert plane[12, 9 - RIM : 24].tolist() == [0, *[200] * (RIM + 6), *[9] * 6, 9, 9]
    assert plane[20, 17] == 200
    assert plane[20 + RIM, 12] == 0
    assert plane[0, :3].tolist() == [7, 7, 7]
    assert not painted(boxes[:0], [], (40, 40)).any()


@pytest.mark.parametrize("name", ["teacher", "boxbg-teacher", "egoflow-cut-teacher"])
def test_every_file_is_a_setting_with_advice(name):
    labeler = registry.load(name)
    assert set(labeler.files) == {"network"}
    assert "make teacher" in labeler.files["network"]
    assert "network" in labeler.settings_type.model_fields


class Scene(Replayed):
    """Twelve frames of one red car on grey ground, whose box is given."""

    size, step = (HEIGHT, WIDTH), 1

    def __init__(self, car: tuple[int, int, int, int], box: tuple[int, int, int, int]) -> None:
        x0, y0, x1, y1 = car
        truth = np.zeros((HEIGHT, WIDTH), np.bool_)
        truth[y0:y1, x0:x1] = True
        image = np.repeat(texture(HEIGHT, WIDTH, seed=4)[..., None] // 2 + 70, 3, axis=2)
        image[truth] = RED
        boxes = np.array([box], np.float32)
        self.frames = [ClipFrame(number, image, boxes) for number in range(1, 13)]
        self.truth = [truth] * 12


@pytest.mark.parametrize(("down", "right"), [(6, 0), (-6, 0), (0, 6), (0, -6), (4, 4)])
def test_a_shadow_to_any_side_goes(down, right):
    x0, y0, x1, y1 = 40, 24, 76, 44
    box = (x0 + min(right, 0), y0 + min(down, 0), x1 + max(right, 0), y1 + max(down, 0))
    clip = Scene((x0, y0, x1, y1), box)
    shadowed = [truth | np.roll(truth, (down, right), (0, 1)) for truth in clip.truth]
    (found, *_) = told(shadowed, clip)
    assert in_box_iou(Evidence(shadowed[0].astype(np.uint8) * 255), clip, 0) < 0.86
    assert in_box_iou(found, clip, 0) > 0.9


@pytest.mark.parametrize("side", [False, True])
@pytest.mark.parametrize("car", [(40, 24, 76, 44), (0, 0, WIDTH, HEIGHT)], ids=["car", "fills the frame"])
def test_a_door_or_a_whole_side_of_the_grounds_own_grey_is_filled(car, side):
    clip = Scene(car, car)
    x0, y0, x1, y1 = car
    start, width = (x0, (x1 - x0) // 3) if side else ((x0 + x1) // 2, (x1 - x0) // 5)
    seen = clip.truth[0].copy()
    seen[y0:y1, start : start + width] = False
    (found, *_) = told([seen] * 12, clip)
    assert in_box_iou(Evidence(seen.astype(np.uint8) * 255), clip, 0) < 0.83
    assert in_box_iou(found, clip, 0) > 0.93
