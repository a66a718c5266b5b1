"""Box segmenters: what they find, the same bytes however they are asked, files that cannot be used."""

from __future__ import annotations

import hashlib
import importlib
import json

import numpy as np
import pytest

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned import facts
from spotlabel.labelers.learned.crops import framed
from spotlabel.labelers.learned.facts import Facts, read_facts
from spotlabel.labelers.learned.segmenter import (
    Segmenter,
    as_probability,
    box_plane,
    box_segmenter,
    prepared,
)
from tests.helpers.clips import texture
from tests.helpers.segmenters import FACTS, segmenter

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")
RED = (20, 20, 220)


def scene(*cars: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Red ellipses on grey ground: image, boxes and which pixels are car, one plane a car."""
    image = np.repeat(texture(90, 120)[..., None] // 2 + 40, 3, axis=2)
    y, x = np.mgrid[:90, :120] + 0.5
    truth = np.stack([
        ((x - (x0 + x1) / 2) / ((x1 - x0) / 2)) ** 2 + ((y - (y0 + y1) / 2) / ((y1 - y0) / 2)) ** 2 < 1
        for x0, y0, x1, y1 in cars
    ])  # fmt: skip
    image[truth.any(axis=0)] = RED
    boxes = np.array(cars, np.float32)
    boxes[:, 0::2], boxes[:, 1::2] = boxes[:, 0::2].clip(0, 120), boxes[:, 1::2].clip(0, 90)
    return image, boxes, truth


def in_box(plane: np.ndarray, box: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = box.astype(int)
    return plane[y0:y1, x0:x1]


def told(readings: list[list[np.ndarray]]) -> list[list[bytes]]:
    return [[one.tobytes() for one in some] for some in readings]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize(
    "car",
    [(30, 20, 80, 60), (-30, 20, 30, 60), (100, 70, 150, 110), (10, -40, 70, 20), (-60, -50, 180, 140)],
    ids=["inside", "cut left", "cut right and below", "cut above", "fills the frame"],
)  # fmt: skip
def test_a_car_is_found_wherever_the_border_cuts_it(car):
    image, boxes, truth = scene(car)
    (readings,) = Segmenter(segmenter()).readings(image, boxes)
    assert len(readings) == (1 if car[0] == 30 else 3)
    for found in readings:
        assert iou(found > 127, in_box(truth[0], boxes[0])) > 0.92


def test_two_overlapping_cars_are_found_in_either_box():
    image, boxes, truth = scene((20, 20, 70, 60), (50, 35, 110, 80))
    found = Segmenter(segmenter()).readings(image, boxes)
    for (probability,), box in zip(found, boxes, strict=True):
        assert iou(probability > 127, in_box(truth.any(axis=0), box)) > 0.93


def test_same_bytes_twice_and_for_any_number_of_boxes_at_a_time():
    image, boxes, _ = scene(
        (30, 20, 80, 60), (-30, 20, 30, 60), (60, 50, 130, 100), (5, 5, 9, 80), (0, 0, 120, 90)
    )
    content = segmenter()
    runs = [told(Segmenter(content, batch=batch).readings(image, boxes)) for batch in (1, 1, 2, 3, 5, 64)]
    alone = [told(Segmenter(content).readings(image, box[None]))[0] for box in boxes]
    assert all(run == runs[0] for run in [*runs, alone])
    assert [len(found) for found in alone] == [1, 3, 3, 1, 3]


def test_a_file_that_takes_one_crop_at_a_time_is_given_one():
    image, boxes, _ = scene((30, 20, 80, 60), (60, 50, 130, 100))
    any_number = Segmenter(segmenter()).readings(image, boxes)
    one = Segmenter(segmenter(batch=1)).readings(image, boxes)
    assert told(one) == told(any_number)


def test_a_file_that_takes_four_crops_is_given_four():
    image, boxes, _ = scene(*((x, 20, x + 18, 60) for x in range(2, 102, 20)))
    assert len(boxes) == 5
    any_number = Segmenter(segmenter()).readings(image, boxes)
    for asked in (1, 2, 16):
        assert told(Segmenter(segmenter(batch=4), batch=asked).readings(image, boxes)) == told(any_number)


def test_boxes_without_pixels_get_nothing():
    image, _, _ = scene((30, 20, 80, 60))
    boxes = np.array([[200, 0, 210, 9], [3, 3, 8, 8], [5, 5, 5, 9]], np.float32)
    found = Segmenter(segmenter()).readings(image, boxes)
    assert [[one.shape for one in some] for some in found] == [[], [(5, 5)], []]
    assert Segmenter(segmenter()).readings(image, boxes[:0]) == []


def test_colours_are_scaled_and_ordered_as_the_file_says():
    crops = np.zeros((2, 1, 1, 3), np.uint8)
    crops[0, 0, 0], crops[1, 0, 0] = (10, 20, 40), (0, 0, 0)  # blue, green, red
    said = {**FACTS, "mean": (0.5, 0.25, 0.0), "deviation": (2, 1, 1)}
    rgb = prepared(crops, Facts(**{**said, "scaling": "maximum"}))
    assert rgb.shape == (2, 3, 1, 1)
    assert rgb[:, :, 0, 0].tolist() == [[0.25, 0.25, 0.25], [-0.25, -0.25, 0]]
    bgr = prepared(crops, Facts(**{**said, "channels": "BGR", "mean": (0, 0, 0)}))
    assert bgr[0, :, 0, 0].tolist() == pytest.approx([10 / 510, 20 / 255, 40 / 255])


def test_outputs_are_stretched_where_the_file_says_so():
    output = np.array([[[1.0, 2.0], [3.0, 5.0]], [[4.0, 4.0], [4.0, 4.0]]], np.float32)
    stretched = as_probability(output, Facts(**{**FACTS, "output": "min-max"}))
    assert stretched.tolist() == [[[0, 64], [128, 255]], [[0, 0], [0, 0]]]
    with pytest.raises(LabelerError, match=r"expected probabilities from 0 to 1, got 1 to 5"):
        as_probability(output, Facts(**FACTS))
    with pytest.raises(LabelerError, match="not finite"):
        as_probability(output * np.float32(np.nan), Facts(**FACTS))


def test_u2net_is_known_by_its_content(monkeypatch):
    content = segmenter(described=False)
    with pytest.raises(LabelerError, match="without the metadata of a box segmenter"):
        Segmenter(content)
    monkeypatch.setitem(facts.KNOWN, hashlib.sha256(content).hexdigest(), Facts(**FACTS))
    assert Segmenter(content).facts.size == 32
    assert facts.U2NET.size == 320


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (lambda: b"no network", "network: cannot be loaded"),
        (lambda: segmenter(size=4), r"metadata: size: .*greater than or equal to 8"),
        (lambda: segmenter(deviation=[1, 0, 1]), r"deviation.1: .*greater than 0"),
        (lambda: segmenter(metadata={"format": facts.FORMAT, "size": "thirty"}), "not JSON values"),
        (lambda: segmenter(metadata={"format": facts.FORMAT, "size": "32"}), "margin: Field required"),
        (lambda: segmenter(sigmoid=False), "expected probabilities from 0 to 1"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_a_line(content, problem):
    with pytest.raises(LabelerError, match=problem) as refused:
        Segmenter(content()).readings(*scene((30, 20, 80, 60))[:2])
    assert "\n" not in str(refused.value)


def test_metadata_beyond_the_facts_are_left_alone():
    entries = {key: json.dumps(value) for key, value in FACTS.items()}
    said = read_facts(b"", {"format": facts.FORMAT, "taught on": "gate-3", **entries})
    assert said == Facts(**FACTS)


def test_without_onnxruntime_a_line_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    content = segmenter()
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(LabelerError, match=r"pip install 'spotlabel\[learned\]'"):
        Segmenter(content)


def test_cuda_that_is_not_there_is_told():
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime for CUDA is installed")
    with pytest.raises(LabelerError, match="cuda needs onnxruntime-gpu"):
        Segmenter(segmenter(), device="cuda")


def test_a_network_that_asks_for_evidence_is_given_it_and_the_box():
    image = np.zeros((60, 80, 3), np.uint8)
    left = np.zeros((60, 80), np.bool_)
    left[:, :30] = True
    boxes = np.array([[10, 10, 50, 50], [60, 20, 80, 60]], np.float32)  # the second one is cut by the border
    asking = Segmenter(segmenter(evidence=True))
    (first,), (second,) = asking.readings(image, boxes, left)
    assert (first[:, :18] == 255).all()
    assert (first[:, 22:] == 0).all()
    assert (second == 0).all()
    (first,), _ = asking.readings(image, boxes)
    assert (first[2:-2, 2:-2] == 255).all()  # not known: the box alone speaks


def test_box_and_image_are_told_apart_from_what_is_around():
    (place,) = framed(np.array([[0, 20, 20, 40]], np.float32), (60, 80), 0.5)[0]
    plane = box_plane(place, (60, 80), 40)
    assert np.unique(plane[:, :10]).tolist() == [-1]
    assert (plane[10:30, 10:30] == 1).all()
    assert (plane == 1).sum() == 400
    assert (plane[:, 30:] == 0).all()


def with_trust(trust: str) -> bytes:
    entries = {"format": facts.FORMAT, **{key: json.dumps(value) for key, value in FACTS.items()}}
    return segmenter(metadata={**entries, "trust": trust})


@pytest.mark.parametrize("trust", ['{"network": false}', '{"network": true, "direct": true}'])
def test_a_student_that_nobody_taught_teaches_nobody(trust):
    with pytest.raises(LabelerError, match="a student that nobody taught"):
        box_segmenter(with_trust(trust), "cpu", 16)
    assert Segmenter(with_trust(trust)).metadata["trust"] == trust  # whoever keeps it reads its judgement


@pytest.mark.parametrize("trust", ['{"network": true, "direct": false}', '{"network": true}', "[", "7"])
def test_a_student_that_was_taught_is_a_segmenter_like_any_other(trust):
    image, boxes, _ = scene((30, 20, 80, 60))
    found = box_segmenter(with_trust(trust), "cpu", 16).readings(image, boxes)
    assert told(found) == told(Segmenter(segmenter()).readings(image, boxes))
