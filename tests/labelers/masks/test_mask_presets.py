"""Presets, overrides, and settings that are refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.masks import PRESETS, MaskSettings, make_mask, resolve
from tests.helpers.clips import NO_BOXES

ALL_KINDS = list(EvidenceKind)


def evidence_of(kind, seed, shape=(60, 80)):
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    blocks = np.kron(values[::4, ::4], np.ones((4, 4), np.uint8))
    return blocks > 128 if kind == EvidenceKind.BINARY else blocks


@given(
    st.sampled_from(ALL_KINDS),
    st.integers(0, 999),
    st.sampled_from(["paper", "spotnet-released"]),
    st.booleans(),
)
@settings(max_examples=60)
def test_published_presets_are_two_valued(kind, seed, preset, warm_up):
    boxes = np.array([[3, 4, 30, 40], [20.5, 10, 70, 55], [0, 0, 5, 5]], np.float32)
    regions = np.array([[10, 10, 50, 50]], np.float32)
    made = make_mask(
        evidence_of(kind, seed),
        kind,
        boxes,
        np.array([True, False, True]),
        regions,
        resolve(preset, {}),
        neutral=24,
        warm_up=warm_up,
    )
    assert set(np.unique(made.mask)) <= {0, 1}


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_paper_preset_is_threshold_median_boxes(kind):
    evidence = evidence_of(kind, 3)
    boxes = np.array([[3, 4, 30, 40], [20.5, 10, 70, 55]], np.float32)
    level = {EvidenceKind.BINARY: 0, EvidenceKind.MOTION: 16, EvidenceKind.DISTANCE: 24}[kind]
    expected = cv2.medianBlur((evidence > level).astype(np.uint8), 5)
    inside = np.zeros_like(expected)
    inside[4:40, 3:30] = inside[10:55, 20:70] = 1
    made = make_mask(evidence, kind, boxes, np.ones(2, bool), NO_BOXES, PRESETS["paper"], neutral=24)
    assert np.array_equal(made.mask, expected * inside)


def test_released_preset_on_a_fixed_camera_is_evidence_times_truncated_boxes():
    evidence = evidence_of(EvidenceKind.BINARY, 4)
    native = np.array([[3.9, 4.2, 30.7, 40.99], [20, 20, 20.9, 30]])
    expected = np.zeros(evidence.shape, np.uint8)
    for left, top, right, bottom in native:
        region = np.s_[int(top) : int(bottom), int(left) : int(right)]
        expected[region] = evidence[region]
    boxes = (native - 1).astype(np.float32)
    preset = PRESETS["spotnet-released"]
    made = make_mask(
        evidence, EvidenceKind.BINARY, boxes, np.ones(2, bool), NO_BOXES, preset, native_origin=1.0
    )
    assert expected.any()
    assert np.array_equal(made.mask, expected)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_default_preset_does_not_believe_an_empty_box(kind):
    evidence = np.zeros((60, 120), bool if kind == EvidenceKind.BINARY else np.uint8)
    evidence[10:40, 10:50] = 1 if kind == EvidenceKind.BINARY else 200
    evidence[24, 30] = 0
    boxes = np.array([[8, 8, 52, 42], [70, 10, 110, 50]], np.float32)
    made = make_mask(evidence, kind, boxes, np.ones(2, bool), NO_BOXES, resolve("default", {}), neutral=24)
    assert made.believed.tolist() == [True, False]
    assert made.mask[24, 30] == 1
    assert (made.mask[10:50, 70:110] == 255).all()
    assert (made.mask[:, 54:70] == 0).all()


@pytest.mark.realdata
def test_default_beats_filling_boxes_on_a_real_road(shared_data):
    folder = shared_data / "cdnet/baseline/highway"
    from spotlabel.labelers.baselines.opencv_subtractors import Mog2, Mog2Settings
    from tests.helpers.clips import ListClip, images, run

    numbers = range(560, 700, 2)
    frames = images(folder / "input", [f"in{number:06d}.jpg" for number in numbers])
    evidence = run(Mog2, ListClip(frames), Mog2Settings(history=70))
    filled, ours = np.zeros(3), np.zeros(3)
    for number, item in list(zip(numbers, evidence, strict=True))[40::3]:
        truth = cv2.imread(str(folder / f"groundtruth/gt{number:06d}.png"), cv2.IMREAD_GRAYSCALE)
        counted, vehicle = (truth != 85) & (truth != 170), truth == 255
        stats = cv2.connectedComponentsWithStats((vehicle | (truth == 170)).astype(np.uint8))[2][1:]
        stats = stats[stats[:, cv2.CC_STAT_AREA] >= 60]
        boxes = np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:4]], axis=1).astype(np.float32)
        chosen = np.ones(len(boxes), bool)
        for counts, values in ((filled, np.ones_like(item.values)), (ours, item.values)):
            mask = make_mask(values, EvidenceKind.BINARY, boxes, chosen, NO_BOXES, PRESETS["default"]).mask
            known = counted & (mask != 255)
            hit, said, there = (mask == 1) & vehicle & known, (mask == 1) & known, vehicle & known
            counts += [hit.sum(), said.sum(), there.sum()]
    f_filled, f_ours = (2 * hit / (said + there) for hit, said, there in (filled, ours))
    assert f_ours > 0.85
    assert f_ours > f_filled + 0.05


def test_overrides_replace_single_fields():
    changed = resolve("paper", {"motion_threshold": 1.5, "classes": ["car", "van"]})
    assert changed.classes == ("car", "van")
    assert changed.model_copy(update={"motion_threshold": 1.0, "classes": None}) == PRESETS["paper"]
    assert resolve("default", {}) == PRESETS["default"]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_survive_json(preset):
    kept = MaskSettings.model_validate_json(PRESETS[preset].model_dump_json())
    assert kept == PRESETS[preset]


@pytest.mark.parametrize(
    ("preset", "overrides", "expected"),
    [
        ("papr", {}, r"unknown mask preset 'papr'; did you mean 'paper'\?"),
        (
            "paper",
            {"motion_treshold": 1},
            r"unknown mask setting 'motion_treshold'; did you mean 'motion_threshold'",
        ),
        ("paper", {"motion_threshold": 0}, "motion_threshold: Input should be greater than 0, got 0"),
        ("paper", {"motion_threshold": 16}, "motion_threshold: Input should be less than 15.9375"),
        ("paper", {"motion_threshold": float("nan")}, "motion_threshold"),
        ("paper", {"distance_threshold": 255}, "distance_threshold"),
        ("paper", {"median": 4}, "median must be odd, or 0"),
        ("paper", {"close": 1}, "a kernel of 1 px does nothing"),
        ("paper", {"blur_sigma": 2.0}, "blur_sigma has no effect without blur"),
        ("paper", {"weak_boxes": "unknown"}, "weak_boxes=unknown has no effect with min_fill=0"),
        (
            "default",
            {"min_fill": 0, "min_believability": 0},
            "has no effect with min_fill=0 and min_believability=0",
        ),
        ("paper", {"classes": []}, "classes is empty"),
        (
            "paper",
            {"box_rounding": "floor"},
            "box_rounding: Input should be 'cover', 'nearest' or 'truncate'",
        ),
    ],
)
def test_impossible_settings_are_refused_in_one_line(preset, overrides, expected):
    with pytest.raises(LabelerError, match=expected) as caught:
        resolve(preset, overrides)
    assert "\n" not in str(caught.value)
