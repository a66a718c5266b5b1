"""What UA-DETRAC and UAVDT do to detections before matching, and which sequences form a subset."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.detector.evaluation.average_precision import EvaluationError
from spotlabel.detector.evaluation.traffic import detrac, uavdt
from spotlabel.detector.evaluation.traffic.subsets import by_attribute, read_list
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.evaluations import found, truth

IGNORE = [(10, 12, 5, 5), (11, 12, 5, 5), (11, 11, 19, 19)]


def test_uavdt_drops_what_is_strictly_inside_a_rectangle_of_the_frame():
    detections = found(*[(1, *box, 0.5) for box in IGNORE], (2, 11, 12, 5, 5, 0.5))
    objects = truth((1, 90, 90, 5, 5), regions=[(1, 10, 10, 20, 20)], frames=2)
    assert uavdt.inside_regions(objects, detections).tolist() == [False, True, False, False]
    result = uavdt.match(objects, detections)
    assert (result.in_regions, len(result.score)) == (1, 3)
    exempt = truth((1, 90, 90, 5, 5), regions=[(1, 10, 10, 20, 20)], frames=2, name="M0209")
    assert uavdt.match(exempt, detections).in_regions == 0


def test_uavdt_needs_one_rectangle_to_hold_the_whole_box():
    halves = truth((1, 90, 90, 5, 5), regions=[(1, 0, 0, 20, 40), (1, 18, 0, 22, 40)])
    assert uavdt.match(halves, found((1, 10, 10, 20, 5, 0.5))).in_regions == 0


def test_test_sets_have_their_published_length():
    assert len(set(detrac.TEST_SEQUENCES)) == 40
    assert len(uavdt.TEST_LENGTHS) == 20
    assert sum(uavdt.TEST_LENGTHS.values()) == 16_592


def test_detrac_drops_what_is_half_ignored():
    regions = np.array([[10.0, 10, 20, 20]])
    assert detrac.region_coverage(np.array(IGNORE, np.float64), regions).tolist() == [1, 1, 1]
    # The region's last column is 30: columns 26..35 of the box lie half in, 27..36 less.
    edges = np.array([[25.0, 12, 10, 5], [26, 12, 10, 5], [500, 400, 20, 20]])
    assert detrac.region_coverage(edges, regions).tolist() == [0.5, 0.4, 0]
    objects = truth((1, 500, 400, 20, 20), regions=[(0, 10, 10, 20, 20)])
    result = detrac.match(objects, found(*[(1, *box, 0.9 - i / 10) for i, box in enumerate(edges.tolist())]))
    assert result.in_regions == 1
    assert result.hit.tolist() == [False, True]


def test_detrac_counts_the_union_of_regions_once():
    regions = np.array([[100.0, 100, 9, 9], [100, 100, 9, 9], [110, 100, 9, 9]])
    assert detrac.region_coverage(np.array([[99.0, 99, 40, 10]]), regions).tolist() == [0.5]
    assert (
        detrac.region_coverage(np.array([[900.0, 500, 100, 100]]), np.array([[900.0, 500, 900, 900]])) < 0.5
    )


rectangles = st.lists(
    st.tuples(st.integers(1, 14), st.integers(1, 10), st.integers(1, 16), st.integers(1, 12)), max_size=3
)


@settings(max_examples=100)
@given(rectangles, st.integers(1, 14), st.integers(1, 10), st.integers(1, 16), st.integers(1, 12))
def test_detrac_coverage_counts_pixels(regions, x, y, w, h):
    ignored = {
        (row, column)
        for left, top, width, height in regions
        for row in range(top, min(top + height, 10) + 1)
        for column in range(left, min(left + width, 14) + 1)
    }
    covered = sum(
        (row, column) in ignored for row in range(y + 1, y + h + 1) for column in range(x + 1, x + w + 1)
    )
    share = detrac.region_coverage(
        np.array([[x, y, w, h]], np.float64), np.array(regions, np.float64).reshape(-1, 4), (10, 14)
    )
    assert share.tolist() == [covered / (w * h)]


def test_detrac_clamps_by_shifting():
    boxes = np.array([[-20.0, 100, 60, 40], [950, 530, 60, 40], [5, -7, 2000, 30]])
    assert detrac.clamp(boxes).tolist() == [[1, 100, 60, 40], [950, 530, 11, 11], [5, 1, 956, 30]]


def test_detrac_refuses_what_its_toolkit_refuses():
    objects = truth((1, 5, 5, 10, 10), name="MVI_1")
    flat = found((1, 5, 5, 10, 10, 0.5), (3, 7, 7, 0, 10, 0.4))
    with pytest.raises(EvaluationError, match=r"MVI_1: frame 3: box \[7.0, 7.0, 0.0, 10.0\].*without width"):
        detrac.match(objects, flat)
    assert detrac.match(objects, flat, degenerate="drop").hit.tolist() == [True]
    for score in (1.5, -0.1):
        with pytest.raises(EvaluationError, match=r"frame 1.*score outside \[0, 1\]"):
            detrac.match(objects, found((1, 5, 5, 10, 10, score)))
    with pytest.raises(ValueError, match="hold for all frames"):
        detrac.match(truth((1, 5, 5, 1, 1), regions=[(1, 1, 1, 9, 9)]), flat)


def test_subsets_by_weather_and_from_lists(tmp_path):
    weather = {
        "A": {detrac.WEATHER: "night"},
        "B": {detrac.WEATHER: "cloudy"},
        "C": {},
        "D": {detrac.WEATHER: "night"},
    }
    truths = [truth(name=name, attributes=attributes) for name, attributes in weather.items()]
    assert by_attribute(truths, detrac.WEATHER) == {"cloudy": ["B"], "night": ["A", "D"]}
    path = tmp_path / "easy.txt"
    path.write_text("MVI_39031\r\n\nMVI_39051")
    assert read_list(path) == ["MVI_39031", "MVI_39051"]
    for content, problem in (
        ("A\nA\n", "line 2: 'A': expected one sequence name, each once"),
        ("A\n\nB 3\n", "line 3: 'B 3'"),
        ("\n", "no sequence names"),
    ):
        path.write_text(content)
        with pytest.raises(DatasetError, match=rf"easy\.txt: .*{problem}|easy\.txt: {problem}"):
            read_list(path)
    with pytest.raises(DatasetError, match=r"hard\.txt: cannot be read"):
        read_list(tmp_path / "hard.txt")
