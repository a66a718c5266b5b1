"""The rules of masks: literal small arrays for each, and properties."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks import FrameMask, MaskSettings, make_mask, unknown_mask
from spotlabel.labelers.masks.boxes import pixel_rects
from tests.helpers.clips import NO_BOXES

KINDS = list(EvidenceKind)


def picture(text: str) -> np.ndarray:
    """Rows of ``.`` (0), ``#`` (1) and ``?`` (255), uint8."""
    return np.array([[{".": 0, "#": 1, "?": 255}[c] for c in row] for row in text.split()], np.uint8)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def mask_of(
    evidence: np.ndarray,
    box_rows: np.ndarray,
    *,
    selected: list[bool] | None = None,
    regions: np.ndarray = NO_BOXES,
    kind: EvidenceKind = EvidenceKind.BINARY,
    warm_up: bool = False,
    neutral: int = 0,
    native_origin: float = 0.0,
    **rules: object,
) -> FrameMask:
    chosen = np.ones(len(box_rows), bool) if selected is None else np.array(selected, bool)
    values = evidence.astype(bool) if kind == EvidenceKind.BINARY else evidence
    return make_mask(
        values,
        kind,
        box_rows,
        chosen,
        regions,
        MaskSettings.model_validate(rules),
        neutral=neutral,
        warm_up=warm_up,
        native_origin=native_origin,
    )


# One rule at a time


def test_foreground_is_evidence_inside_boxes():
    made = mask_of(picture("####. ####. .####"), boxes((1, 0, 3, 2)))
    assert np.array_equal(made.mask, picture(".##.. .##.. ....."))
    assert made.fill.tolist() == [1.0]
    assert made.believed.tolist() == [True]


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("cover", [0, 1, 4, 4]), ("nearest", [1, 1, 3, 3]), ("truncate", [1, 1, 3, 3])],
)
def test_box_rounding(rounding, expected):
    rects = pixel_rects(boxes((0.6, 1.4, 3.3, 3.1)), (9, 9), MaskSettings(box_rounding=rounding), 0.5)
    assert rects.tolist() == [expected]


def test_truncation_takes_native_numbers_as_array_indices():
    native_one = MaskSettings(box_rounding="truncate")
    assert pixel_rects(boxes((0, 0, 3, 3)), (9, 9), native_one, 1.0).tolist() == [[1, 1, 4, 4]]
    assert pixel_rects(boxes((6, 6, 9, 9)), (9, 9), native_one, 1.0).tolist() == [[7, 7, 9, 9]]


def test_padding_grows_boxes_and_stops_at_the_image():
    rects = pixel_rects(boxes((0.5, 2, 4, 3)), (4, 5), MaskSettings(box_padding=2))
    assert rects.tolist() == [[0, 0, 5, 4]]


def test_a_box_without_pixels_is_not_believed():
    evidence = picture("### ###")
    made = mask_of(evidence, boxes((1.2, 0.0, 1.4, 2.0), (0, 0, 1, 1)), box_rounding="nearest")
    assert made.fill.tolist() == [0.0, 1.0]
    assert made.believed.tolist() == [False, True]
    assert np.array_equal(made.mask, picture("#.. ..."))


def test_motion_threshold_is_in_px_per_frame():
    evidence = np.array([[15, 16, 17, 255]], np.uint8)
    made = mask_of(evidence, boxes((0, 0, 4, 1)), kind=EvidenceKind.MOTION, motion_threshold=1.0)
    assert made.mask.tolist() == [[0, 0, 1, 1]]
    made = mask_of(evidence, boxes((0, 0, 4, 1)), kind=EvidenceKind.MOTION, motion_threshold=0.95)
    assert made.mask.tolist() == [[0, 1, 1, 1]]


def test_distance_threshold_defaults_to_the_labelers_neutral():
    evidence = np.array([[24, 25, 100, 101]], np.uint8)
    everywhere = boxes((0, 0, 4, 1))
    assert mask_of(evidence, everywhere, kind=EvidenceKind.DISTANCE, neutral=24).mask.tolist() == [
        [0, 1, 1, 1]
    ]
    made = mask_of(evidence, everywhere, kind=EvidenceKind.DISTANCE, neutral=24, distance_threshold=100)
    assert made.mask.tolist() == [[0, 0, 0, 1]]


def test_blur_acts_before_the_threshold_and_not_on_binary_evidence():
    evidence = np.zeros((9, 9), np.uint8)
    evidence[4, 4] = 255
    everywhere = boxes((0, 0, 9, 9))
    rules = {"blur": 5, "blur_sigma": 1.0}
    moving = mask_of(evidence, everywhere, kind=EvidenceKind.MOTION, **rules).mask
    blurred = cv2.GaussianBlur(evidence, (5, 5), 1.0)
    assert np.array_equal(moving, blurred > 16)
    assert moving.sum() > 1
    assert mask_of(evidence, everywhere, **rules).mask.sum() == 1


def test_median_drops_specks_and_mends_pinholes():
    evidence = picture("....... .#..... ....... ..##### ..##.## ..##### ..#####")
    cleaned = mask_of(evidence, boxes((0, 0, 7, 7)), median=3).mask
    assert np.array_equal(cleaned, cv2.medianBlur(evidence, 3))
    assert cleaned[1, 1] == 0
    assert cleaned[4, 4] == 1


def test_open_drops_what_is_thin_and_close_bridges_gaps():
    evidence = picture("........ .###.### .###.### .###.### ........ ########")
    everywhere = boxes((0, 0, 8, 6))
    opened = mask_of(evidence, everywhere, open=3).mask
    assert np.array_equal(opened, picture("........ .###.### .###.### .###.### ........ ........"))
    closed = mask_of(evidence[:5], boxes((0, 0, 8, 5)), close=3).mask
    assert closed[1:4, 1:8].all()


def test_holes_are_what_foreground_surrounds():
    # An island in a hole; then a notch that reaches the image border.
    evidence = picture("####### #.....# #.#...# #.....# #######")
    assert mask_of(evidence, boxes((0, 0, 7, 5)), fill_holes=True).mask.all()
    notch = picture("##.## ##.## #####")
    assert np.array_equal(mask_of(notch, boxes((0, 0, 5, 3)), fill_holes=True).mask, notch)


def test_holes_are_filled_only_inside_boxes():
    evidence = np.pad(picture("##### #...# #...# #####"), 1)
    left, right = (1, 1, 3, 5), (4, 1, 6, 5)
    top, bottom = (1, 1, 6, 2), (1, 4, 6, 5)
    made = mask_of(evidence, boxes(left, right, top, bottom), fill_holes=True)
    # Column 3 of the hole is in no box.
    assert np.array_equal(made.mask[1:5, 1:6], picture("##### ##.## ##.## #####"))


def test_small_blobs_go_and_diagonals_connect():
    evidence = picture("#..... .#..#. ..#... ......")
    made = mask_of(evidence, boxes((0, 0, 6, 4)), min_blob=3)
    assert np.array_equal(made.mask, picture("#..... .#.... ..#... ......"))


def test_filled_holes_count_towards_a_blobs_size():
    ring = np.pad(picture("### #.# ###"), 1)
    everywhere = boxes((0, 0, 5, 5))
    assert mask_of(ring, everywhere, fill_holes=True, min_blob=9).mask.sum() == 9
    assert mask_of(ring, everywhere, min_blob=9).mask.sum() == 0
    assert mask_of(ring, everywhere, fill_holes=True, min_blob=10).mask.sum() == 0


def test_boxes_first_lets_kernels_reach_out_of_boxes():
    evidence = np.ones((7, 9), np.uint8)
    inner = boxes((2, 2, 7, 5))
    rules = {"blur": 3, "motion_threshold": 0.01, "kind": EvidenceKind.MOTION}
    assert mask_of(evidence * 100, inner, boxes_first=True, **rules).mask.sum() == 7 * 5
    assert mask_of(evidence * 100, inner, boxes_first=False, **rules).mask.sum() == 5 * 3


def test_other_classes_are_unknown_except_where_a_believed_box_has_foreground():
    evidence = picture("##.... ##.... ......")
    rows = boxes((0, 0, 3, 2), (1, 0, 6, 3))
    made = mask_of(evidence, rows, selected=[True, False], other_classes="unknown")
    assert np.array_equal(made.mask, picture("##???? ##???? .?????"))
    assert made.believed.tolist() == [True, False]
    made = mask_of(evidence, rows, selected=[True, False], other_classes="background")
    assert np.array_equal(made.mask, evidence)


def test_weak_boxes_become_unknown_except_for_believed_foreground():
    evidence = picture("####... ####... .......")
    rows = boxes((0, 0, 4, 2), (3, 0, 7, 3))
    made = mask_of(evidence, rows, weak_boxes="unknown", min_fill=0.5)
    assert made.fill.tolist() == pytest.approx([1.0, 2 / 12])
    assert made.believed.tolist() == [True, False]
    assert np.array_equal(made.mask, picture("####??? ####??? ...????"))
    kept = mask_of(evidence, rows, weak_boxes="keep", min_fill=0.5)
    assert np.array_equal(kept.mask, evidence)
    assert kept.believed.tolist() == [True, False]


def test_a_weak_boxs_own_foreground_is_unknown():
    made = mask_of(picture("#...."), boxes((0, 0, 5, 1)), weak_boxes="unknown", min_fill=0.5)
    assert np.array_equal(made.mask, picture("?????"))


def test_ignore_regions_are_unknown_even_inside_boxes():
    evidence = picture("###. ###. ....")
    rows, regions = boxes((0, 0, 3, 2)), boxes((1.5, 0.5, 4, 1.0))
    made = mask_of(evidence, rows, regions=regions)
    assert np.array_equal(made.mask, picture("#??? ###. ...."))
    assert made.fill.tolist() == [1.0]
    assert np.array_equal(
        mask_of(evidence, rows, regions=regions, ignore_regions="background").mask, evidence
    )


def test_warm_up_frames_are_unknown_or_kept():
    evidence = picture("##.. ....")
    made = mask_of(evidence, boxes((0, 0, 2, 2)), warm_up=True)
    assert np.array_equal(made.mask, unknown_mask((2, 4)))
    assert made.believed.tolist() == [False]
    assert made.fill.tolist() == [0.5]
    kept = make_mask(
        evidence.astype(bool),
        EvidenceKind.BINARY,
        boxes((0, 0, 2, 2)),
        np.ones(1, bool),
        NO_BOXES,
        MaskSettings(warm_up="keep"),
        warm_up=True,
    )
    assert np.array_equal(kept.mask, evidence)


def test_unknown_mask_is_unknown_everywhere():
    assert unknown_mask((2, 3)).tolist() == [[255] * 3] * 2


@pytest.mark.parametrize(
    ("evidence", "kind", "rows", "chosen", "expected"),
    [
        (
            np.zeros((4, 4), np.uint8),
            EvidenceKind.BINARY,
            boxes((0, 0, 1, 1)),
            np.ones(1, bool),
            "must be bool",
        ),
        (np.zeros((4, 4), bool), EvidenceKind.MOTION, boxes((0, 0, 1, 1)), np.ones(1, bool), "must be uint8"),
        (np.zeros((4, 4, 1), bool), EvidenceKind.BINARY, NO_BOXES, np.ones(0, bool), r"\(4, 4, 1\)"),
        (np.zeros((4, 4), bool), EvidenceKind.BINARY, boxes((0, 0, 1, 1)), np.ones(2, bool), "disagree"),
        (np.zeros((4, 4), bool), EvidenceKind.BINARY, boxes((0, 0, 1, 1)), np.ones(1, int), "disagree"),
    ],
)
def test_arrays_that_would_be_misread_are_refused(evidence, kind, rows, chosen, expected):
    with pytest.raises(ValueError, match=expected):
        make_mask(evidence, kind, rows, chosen, NO_BOXES, MaskSettings())
