"""Average precision by the rules of UA-DETRAC and UAVDT: known answers, properties, a brute-force oracle."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.detector.evaluation.average_precision import (
    EvaluationError,
    area,
    evaluate,
    interpolated,
)
from spotlabel.detector.evaluation.matching import iou_matrix, match_sequence
from spotlabel.detector.evaluation.records import Detections, Truth
from spotlabel.detector.evaluation.traffic import detrac, uavdt
from spotlabel.detector.evaluation.traffic.subsets import evaluate_subsets
from tests.helpers import brute_force_ap
from tests.helpers.evaluations import found, truth


def ap(truths, detections):
    return evaluate([match_sequence(truths, detections, 0.7)])


TWO = truth((1, 0, 0, 10, 10), (1, 50, 50, 10, 10))


def test_hit_false_alarm_hit():
    result = ap(TWO, found((1, 0, 0, 10, 10, 0.9), (1, 30, 30, 5, 5, 0.8), (1, 50, 50, 10, 10, 0.7)))
    assert result.ap == pytest.approx(0.833333, abs=1e-6)
    assert result.percent == 83.33
    assert result.ap11 == pytest.approx(0.848485, abs=1e-6)
    assert interpolated(result.recall, result.precision, 101) == pytest.approx(0.834983, abs=1e-6)
    assert result.recall.tolist() == [0.5, 0.5, 1]
    assert result.precision.tolist() == [1, 0.5, 2 / 3]
    assert (result.objects, result.hits) == (2, 2)
    assert str(result) == (
        "AP 83.33 (11-point 84.85): 2 of 2 objects, 3 detections, 0 more in ignore regions, "
        "0 outside the evaluated frames"
    )


def test_an_overlap_of_exactly_the_threshold_is_a_hit():
    one = truth((1, 0, 0, 10, 10))
    assert iou_matrix(one.boxes, np.array([[0, 0, 10, 7.0]])) == 0.7
    assert ap(one, found((1, 0, 0, 10, 7, 0.5))).ap == 1
    assert ap(one, found((1, 0, 0, 10, 6.999, 0.5))).ap == 0


def test_a_second_detection_of_an_object_is_a_false_alarm():
    result = ap(truth((1, 0, 0, 10, 10)), found((1, 0, 0, 10, 9, 0.9), (1, 0, 0, 10, 10, 0.8)))
    assert result.hits == 1
    assert result.precision.tolist() == [1, 0.5]


def test_a_detection_takes_the_best_free_object_and_the_later_of_equals():
    objects = truth((1, 0, 0, 10, 10), (1, 0, 0, 10, 8), (1, 0, 0, 10, 8))
    outcome = match_sequence(objects, found((1, 0, 0, 10, 8, 0.9)), 0.7, np.array([True, True, False]))
    # Objects that count come before the others, whatever their overlap.
    assert (outcome.hit.tolist(), outcome.uncounted) == ([True], 0)
    twice = match_sequence(objects, found((1, 0, 0, 10, 8, 0.9), (1, 0, 0, 10, 10, 0.8)), 0.7)
    assert twice.hit.tolist() == [True, True]
    # The later of two equals goes first, so the other detection still finds the earlier one.
    equals = truth((1, 0, 0, 10, 10), (1, 0, 2, 10, 10), (1, 0, -2, 10, 10))
    only_middle = match_sequence(equals, found((1, 0, 0, 10, 12, 0.9), (1, 0, 3, 10, 10, 0.8)), 0.7)
    assert only_middle.hit.tolist() == [True, False]


def test_objects_that_do_not_count_swallow_their_detections():
    objects = truth((1, 0, 0, 10, 10), (1, 50, 50, 10, 10), labels={"category": np.array([1, 3])})
    detections = found((1, 50, 50, 10, 10, 0.9), (1, 50, 50, 10, 9, 0.8), (1, 0, 0, 10, 10, 0.7))
    prepared = [(objects, uavdt.find_pairs(objects, detections))]
    result = uavdt.evaluate_objects(prepared, *uavdt.KINDS["car"])
    assert (result.ap, result.objects, result.uncounted) == (1, 1, 2)
    assert ap(objects, detections).ap == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_no_detections_and_no_objects():
    nothing = ap(TWO, found())
    assert (nothing.ap, nothing.ap11, nothing.objects) == (0, 0, 2)
    pointless = ap(truth(), found((1, 0, 0, 5, 5, 0.3)))
    assert np.isnan(pointless.ap)
    assert np.isnan(pointless.ap11)


def test_frames_beyond_the_fixed_length_do_not_count():
    long = truth((1, 0, 0, 10, 10), (5, 0, 0, 10, 10), frames=4)
    result = ap(long, found((1, 0, 0, 10, 10, 0.5), (5, 0, 0, 10, 10, 0.9), (7, 0, 0, 1, 1, 0.9)))
    assert (result.ap, result.objects, result.outside) == (1, 1, 2)


def test_pooling_is_not_a_mean_and_subsets_pool_again():
    easy = match_sequence(truth((1, 0, 0, 10, 10)), found((1, 0, 0, 10, 10, 0.5)), 0.7)
    hard = match_sequence(TWO, found((1, 0, 0, 10, 10, 0.4), (1, 20, 20, 9, 9, 0.9)), 0.7)
    pooled = evaluate([easy, hard]).ap
    assert pooled == pytest.approx(2 / 3 * 2 / 3)
    assert pooled != pytest.approx((evaluate([easy]).ap + evaluate([hard]).ap) / 2)
    matches = {"E": easy, "H": hard}
    results = evaluate_subsets(matches, {"all": ["E", "H"], "night": ["H"]})
    assert results["all"].ap == pooled
    assert results["night"].ap == evaluate([hard]).ap
    with pytest.raises(EvaluationError, match="subset 'rainy': no results for X"):
        evaluate_subsets(matches, {"rainy": ["E", "X"]})


def test_columns_that_disagree_are_refused():
    with pytest.raises(ValueError, match=r"score has shape \(1,\), expected \(2,\)"):
        Detections(np.ones(2, np.int64), np.zeros((2, 4)), np.zeros(1))
    with pytest.raises(ValueError, match=r"truth of S: boxes has shape \(1, 3\)"):
        Truth("S", 1, np.ones(1, np.int64), np.zeros((1, 3)))


boxes = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 10), st.integers(1, 10))


@st.composite
def scenes(draw):
    """A few frames of crowded boxes with distinct scores; detections often copy an object."""
    frames = []
    for _ in range(draw(st.integers(1, 4))):
        objects = draw(st.lists(boxes, max_size=6))
        choice = st.one_of(boxes, st.sampled_from(objects)) if objects else boxes
        frames.append(
            {
                "objects": objects,
                "regions": draw(st.lists(boxes, max_size=2)),
                "found": draw(st.lists(choice)),
            }
        )
    total = sum(len(f["found"]) for f in frames)
    scores = iter(draw(st.permutations([k / max(total, 1) for k in range(total)])))
    for frame in frames:
        frame["found"] = [(next(scores), box) for box in frame["found"]]
    return frames


def columns(frames):
    objects = truth(
        *[(n, *box) for n, f in enumerate(frames, 1) for box in f["objects"]],
        regions=[(n, *box) for n, f in enumerate(frames, 1) for box in f["regions"]],
        frames=len(frames),
    )
    return objects, found(*[(n, *box, s) for n, f in enumerate(frames, 1) for s, box in f["found"]])


@settings(max_examples=200)
@given(scenes(), st.sampled_from([0.3, 0.5, 0.7]))
def test_agrees_with_brute_force(frames, iou):
    result = evaluate([uavdt.match(*columns(frames), iou)])
    outcomes, objects = brute_force_ap.judge(frames, iou)
    assert (result.objects, result.hits) == (objects, sum(hit for _, hit in outcomes))
    if objects:
        assert result.ap == pytest.approx(brute_force_ap.area_ap(outcomes, objects), abs=1e-12)
        for points, figure in ((11, result.ap11), (101, interpolated(result.recall, result.precision, 101))):
            assert figure == pytest.approx(
                brute_force_ap.interpolated_ap(outcomes, objects, points), abs=1e-12
            )
    else:
        assert np.isnan(result.ap)


IMAGE = (14, 16)


@settings(max_examples=200)
@given(scenes(), st.lists(boxes, max_size=3), st.integers(-6, 6))
def test_ua_detrac_agrees_with_brute_force(frames, regions, shift):
    for frame in frames:
        frame["found"] = [(s, (x + shift, y, w, h)) for s, (x, y, w, h) in frame["found"]]
    objects, detections = columns([{**frame, "regions": []} for frame in frames])
    areas = np.array(regions, np.float64).reshape(-1, 4)
    objects = replace(objects, regions=areas, region_frame=np.zeros(len(areas), np.int64))
    result = evaluate([detrac.match(objects, detections, 0.5, image=IMAGE)])
    kept = brute_force_ap.detrac_frames(frames, regions, IMAGE)
    outcomes, count = brute_force_ap.judge(kept, 0.5)
    assert (result.objects, result.hits) == (count, sum(hit for _, hit in outcomes))
    assert result.in_regions == len(detections) - len(outcomes)
    if count:
        assert result.ap == pytest.approx(brute_force_ap.area_ap(outcomes, count), abs=1e-12)


@settings(max_examples=50)
@given(scenes(), st.randoms(use_true_random=False))
def test_row_order_and_monotone_score_maps_change_nothing(frames, random):
    objects, detections = columns(frames)
    rows = list(range(len(detections)))
    random.shuffle(rows)
    shuffled = detections.select(np.array(rows, np.int64))
    squashed = Detections(shuffled.frame, shuffled.boxes, np.tanh(shuffled.score) / 2)
    before, after = (evaluate([uavdt.match(objects, d)]) for d in (detections, squashed))
    assert np.array_equal(before.recall, after.recall, equal_nan=True)
    assert np.array_equal(before.precision, after.precision)


def test_area_of_a_curve_that_rises_again():
    recall = np.array([0.2, 0.2, 0.4, 0.6])
    precision = np.array([1, 0.5, 0.6, 0.7])
    assert area(recall, precision) == pytest.approx(0.2 * 1 + 0.4 * 0.7)
