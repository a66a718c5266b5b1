"""PASCAL VOC's figures: known answers, the kit's rules, and a brute force that shares no code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.detector.evaluation.average_precision import EvaluationError
from spotlabel.detector.evaluation.records import Detections, Truth
from spotlabel.detector.evaluation.voc.files import read_comp4, read_voc_truth, write_comp4
from spotlabel.detector.evaluation.voc.metrics import VocTruth, voc_figures
from spotlabel.detector.evaluation.voc.published import ALS_CLASSES, MEANS
from spotlabel.pipeline.cli.main import main
from tests.helpers import brute_force_voc
from tests.helpers.still_files import write_voc


def sized(boxes):
    """Inclusive corners as left, top, width, height."""
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2] + 1], axis=1)


def truth_of(objects, classes=("car",)):
    """Objects: (picture, box, difficult[, class number])."""
    labels = {
        "class": np.array([row[3] if len(row) > 3 else 0 for row in objects], np.int64),
        "difficult": np.array([row[2] for row in objects], np.int64),
    }
    frame = np.array([row[0] for row in objects], np.int64)
    last = int(frame.max(initial=1))
    boxes = sized([row[1] for row in objects])
    return VocTruth(
        tuple(f"p{n}" for n in range(1, last + 1)), classes, Truth("t", last, frame, boxes, labels=labels)
    )


def found_of(found):
    """Detections: (picture, score, box)."""
    return Detections(
        np.array([row[0] for row in found], np.int64),
        sized([row[2] for row in found]),
        np.array([row[1] for row in found], np.float64),
    )


def car(objects, found):
    return voc_figures(truth_of(objects), {"car": found_of(found)}).classes["car"]


A, B, FAR = (1, 1, 10, 10), (51, 51, 60, 60), (100, 100, 110, 110)


def test_hit_false_alarm_hit() -> None:
    result = car([(1, A, 0), (1, B, 0)], [(1, 0.9, A), (1, 0.8, FAR), (1, 0.7, B)])
    assert result.ap == pytest.approx(0.833333, abs=1e-6)
    assert result.ap11 == pytest.approx(0.848485, abs=1e-6)


def test_the_last_pixel_counts_and_half_is_enough() -> None:
    # 5 of 10 columns with the pixel, 4 of 9 without it.
    assert car([(1, A, 0)], [(1, 0.5, (1, 1, 5, 10))]).hits == 1
    assert car([(1, A, 0)], [(1, 0.5, (1, 1, 4.99, 10))]).hits == 0


def test_difficult_objects_are_neither_found_nor_missed() -> None:
    result = car([(1, A, 1), (1, B, 0)], [(1, 0.9, A), (1, 0.8, A), (1, 0.7, B)])
    assert (result.objects, result.hits, result.uncounted, result.ap) == (1, 1, 2, 1)


def test_the_best_overlap_decides_even_where_that_object_is_taken() -> None:
    near = (1, 1, 10, 9)
    result = car([(1, A, 0), (1, near, 0)], [(1, 0.9, A), (1, 0.8, (1, 1, 10, 11))])
    # The second one overlaps the taken object more, so it is false; the other object stays unfound.
    assert (result.hits, len(result.score)) == (1, 2)
    assert car([(1, A, 0), (1, near, 0)], [(1, 0.9, A), (1, 0.8, near)]).hits == 2


def test_the_surest_detection_finds_the_object_in_whatever_order_they_come() -> None:
    rows = [(1, 0.3, A), (1, 0.9, A), (2, 0.5, A)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        result = car([(1, A, 0)], [rows[k] for k in order])
        assert result.precision.tolist() == [1, 0.5, 1 / 3]


def test_means_are_over_classes_with_objects_that_count() -> None:
    truth = truth_of([(1, A, 0, 0), (1, B, 0, 1), (1, B, 1, 2)], classes=("boat", "car", "cat"))
    figures = voc_figures(truth, {"car": found_of([(1, 0.5, B)]), "cat": found_of([(1, 0.5, FAR)])})
    assert (figures.ap07, figures.area) == (0.5, 0.5)
    assert np.isnan(figures.classes["cat"].ap)
    with pytest.raises(EvaluationError, match="at least one object that is not difficult"):
        voc_figures(truth_of([(1, A, 1)]), {})


corner = st.integers(1, 9)
box = st.tuples(corner, corner, corner, corner).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)
picture = st.integers(1, 3)
objects_of = st.lists(st.tuples(picture, box, st.booleans()), min_size=1, max_size=7)
scores = st.integers(0, 4).map(lambda k: k / 4)


@settings(max_examples=300)
@given(objects_of, st.lists(st.tuples(picture, scores, box), max_size=9))
def test_agrees_with_brute_force(objects, found) -> None:
    objects = [*objects, (1, (20, 20, 30, 30), False)]
    eleven, area = brute_force_voc.figures(objects, found)
    result = car(objects, found)
    assert result.ap11 == pytest.approx(eleven, abs=1e-12)
    assert result.ap == pytest.approx(area, abs=1e-12)


def test_published_figures_fit_together() -> None:
    assert np.mean(list(ALS_CLASSES.values())) == pytest.approx(MEANS["ALS"], abs=0.1)  # it cuts digits off


DIFFICULT = "<difficult>1</difficult>"
PICTURES = {
    "000001": ((100, 120), [("car", 1, 1, 10, 10), ("car", 51, 51, 60, 60), ("bus", 1, 1, 20, 20)]),
    "000002": ((100, 120), [("car", 1, 1, 10, 10, DIFFICULT)]),
}
RESULTS = {
    "car": """000001 0.9 1 1 10 10
000002 0.95 1 1 10 10
000001 .8 100 80 110 90

000001 0.7 51 51 60 60.0
""",
    "bus": "",
}


def evaluate(folder: Path, *more: str, results: dict[str, str] | None = None, pictures=None):
    write_voc(folder / "VOC2007", pictures or PICTURES, images=False)
    (folder / "results").mkdir(exist_ok=True)
    for name, text in (RESULTS if results is None else results).items():
        (folder / "results" / f"comp4_det_test_{name}.txt").write_text(text)
    paths = ["--truth", str(folder / "VOC2007"), "--detections", str(folder / "results"), "--split", "test"]
    return CliRunner().invoke(main, ["evaluate", "voc", *paths, *more])


def test_figures_of_files(tmp_path: Path) -> None:
    result = evaluate(tmp_path, "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["classes"]["car"] == {
        "AP07": 84.8485, "AP": 83.3333, "found": 2, "objects": 2, "detections": 3, "uncounted": 1,
    }  # fmt: skip
    assert data["classes"]["bus"]["AP07"] == 0
    assert data["mean"] == {
        "AP07": pytest.approx(84.8485 / 2, abs=1e-3),
        "AP": pytest.approx(83.3333 / 2, abs=1e-3),
    }
    assert (data["benchmark"], data["split"], data["pictures"], data["iou"]) == ("voc", "test", 2, 0.5)


def test_table_and_report(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report's plot needs matplotlib (spotlabel[train])")
    result = evaluate(tmp_path, "--report", str(tmp_path / "report"))
    assert result.exit_code == 0, result.output
    assert "84.85" in result.stdout
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert written == json.loads(evaluate(tmp_path, "--json").stdout)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "| car | 84.85 | 83.33 | 2 | 2 | 3 | 1 | 88.50 |" in text
    assert "| mean | 42.42 | 41.67 | 2 | 3 | 3 | 1 | 80.10 |" in text
    assert (tmp_path / "report" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_help_has_an_example() -> None:
    text = CliRunner().invoke(main, ["evaluate", "voc", "--help"]).stdout
    assert "spotlabel evaluate voc --truth VOCdevkit/VOC2007 --split test --detections results" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("000001 0.9 1 1 10", "line 1: 5 columns, expected picture, score, x0, y0, x1, y1"),
        ("000003 0.9 1 1 10 10", "line 1: picture '000003' is not in the split"),
        ("000001 high 1 1 10 10", "line 1: score is 'high', expected a finite number"),
        ("000001 0.9 1 nan 10 10", "line 1: y0 is 'nan', expected a finite number"),
        ("000001 0.9 1 1_0 10 10", "line 1: y0 is '1_0'"),
        ("000001 0.9 10 1 1 10", "line 1: x1 1 is below x0 10 (expected the corners x0, y0, x1, y1)"),
    ],
)
def test_bad_results_get_one_line(tmp_path: Path, line: str, message: str) -> None:
    result = evaluate(tmp_path, results={**RESULTS, "car": line})
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"error: {tmp_path / 'results' / 'comp4_det_test_car.txt'}: {message}")
    assert result.stderr.count("\n") == 1


def test_a_class_without_file_is_refused_and_a_file_without_class_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = evaluate(tmp_path, results={"car": RESULTS["car"]})
    assert result.exit_code == 2
    assert (
        "comp4_det_test_bus.txt: no such file (a class without detections needs an empty file)"
        in result.stderr
    )
    result = evaluate(tmp_path, results={**RESULTS, "cra": ""})
    assert result.exit_code == 0
    assert "comp4_det_test_cra.txt: left out, the ground truth has no object of this class" in caplog.text


def test_class_names_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    result = evaluate(tmp_path, pictures={"1": ((9, 9), [("x/../../car", 1, 1, 5, 5)])})
    assert result.exit_code == 2
    assert "leads out of" in result.stderr


def test_truth_without_area_and_missing_lists_get_one_line(tmp_path: Path) -> None:
    result = evaluate(tmp_path, pictures={"1": ((9, 9), [("car", 1, 1, 5, 5), ("car", 5, 5, 4, 7)])})
    assert result.exit_code == 2
    assert "1.xml: object 2: the box has no area, or is not finite" in result.stderr
    paths = ["--truth", str(tmp_path / "VOC2007"), "--detections", str(tmp_path), "--split", "val"]
    result = CliRunner().invoke(main, ["evaluate", "voc", *paths])
    assert result.exit_code == 2
    assert "val.txt: cannot be read" in result.stderr
    assert result.stderr.count("\n") == 1


def test_written_files_are_read_back(tmp_path: Path) -> None:
    xyxy = np.array([[0, 0, 10, 10], [2.25, 3.5, 7.25, 9], [1, 1, 5, 5]], np.float64)
    score = np.array([0.25, 0.1, 0.9])
    path = tmp_path / "comp4_det_test_car.txt"
    write_comp4(path, ["a", "b"], np.array([2, 1, 2]), xyxy, score)
    assert path.read_text() == (
        "a 0.1 3.25 4.50 7.25 9.00\nb 0.9 2.00 2.00 5.00 5.00\nb 0.25 1.00 1.00 10.00 10.00\n"
    )
    read = read_comp4(path, {"a": 1, "b": 2})
    assert read.frame.tolist() == [1, 2, 2]
    assert read.boxes.tolist() == [[3.25, 4.5, 5, 5.5], [2, 2, 4, 4], [1, 1, 10, 10]]
    with pytest.raises(ValueError, match="blanks"):
        write_comp4(path, ["a b"], np.array([1]), xyxy[:1], score[:1])
    with pytest.raises(ValueError, match="NaN"):
        write_comp4(path, ["a"], np.array([1]), xyxy[:1] * np.nan, score[:1])


def test_perfect_detections_written_from_the_truth_score_1(tmp_path: Path) -> None:
    truth = read_voc_truth(write_voc(tmp_path, PICTURES, images=False), "test")
    for k, name in enumerate(truth.classes):
        rows = truth.objects.labels["class"] == k
        boxes = truth.objects.boxes[rows]
        edges = np.concatenate([boxes[:, :2] - 1, boxes[:, :2] - 1 + boxes[:, 2:]], axis=1)
        write_comp4(
            tmp_path / f"{name}.txt", truth.pictures, truth.objects.frame[rows], edges, np.ones(len(edges))
        )
    numbers = {name: k for k, name in enumerate(truth.pictures, 1)}
    figures = voc_figures(
        truth, {name: read_comp4(tmp_path / f"{name}.txt", numbers) for name in truth.classes}
    )
    assert (figures.ap07, figures.area) == (1, 1)
