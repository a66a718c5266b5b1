"""``spotlabel evaluate coco`` as a user runs it: right figures, one line for a bad file."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from spotlabel.detector.evaluation.coco.metrics import CocoDetections, CocoTruth, coco_figures
from spotlabel.pipeline.cli.main import main

pytest.importorskip("pycocotools", reason="pycocotools is not installed")

TRUTH = {
    "images": [{"id": 30}, {"id": 10}],
    "categories": [{"id": 7, "name": "car"}, {"id": 2, "name": "bus"}],
    "annotations": [
        {"id": 0, "image_id": 30, "category_id": 7, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0},
        {"id": 5, "image_id": 10, "category_id": 7, "bbox": [50, 50, 40, 40]},
        {"id": 9, "image_id": 10, "category_id": 2, "bbox": [0, 0, 100, 200]},
        {"id": 8, "image_id": 10, "category_id": 2, "bbox": [200, 0, 100, 200], "iscrowd": 1},
    ],
}
FOUND = [
    {"image_id": 30, "category_id": 7, "bbox": [10, 10, 20, 20], "score": 0.9},
    {"image_id": 10, "category_id": 7, "bbox": [0, 0, 100, 200], "score": 0.8},
    {"image_id": 10, "category_id": 7, "bbox": [50, 50, 40, 40], "score": 0.5},
    {"image_id": 10, "category_id": 2, "bbox": [220, 20, 50, 50], "score": 0.95},
]


def evaluate(folder: Path, *more: str, truth: object = TRUTH, found: object = FOUND):
    for name, content in (("truth.json", truth), ("found.json", found)):
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).write_text(text)
    paths = ["--truth", str(folder / "truth.json"), "--detections", str(folder / "found.json")]
    return CliRunner().invoke(main, ["evaluate", "coco", *paths, *more])


def test_figures_by_category(tmp_path: Path) -> None:
    result = evaluate(tmp_path, "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    # Cars: hit, false alarm, hit: precision 1 up to recall 1/2 (51 of 101 points), 2/3 after.
    car = 100 * (51 + 50 * 2 / 3) / 101
    assert data["categories"]["car"] == {
        "AP": pytest.approx(car, abs=1e-3),
        "AP50": pytest.approx(car, abs=1e-3),
        "objects": 2,
    }
    assert data["categories"]["bus"] == {"AP": 0, "AP50": 0, "objects": 1}
    assert data["figures"]["AP"] == pytest.approx(car / 2, abs=1e-3)
    assert (data["images"], data["objects"], data["detections"]) == (2, 3, 4)


def test_class_agnostic_forgives_categories(tmp_path: Path) -> None:
    bare = [{key: row[key] for key in ("image_id", "bbox", "score")} for row in FOUND]
    for found in (FOUND, bare):
        result = evaluate(tmp_path, "--class-agnostic", "--json", found=found)
        assert result.exit_code == 0, result.output
        data = json.loads(result.stdout)
        # The detection in the crowd is neither right nor wrong; the other three each find an object.
        assert data["figures"]["AP"] == 100
        assert data["categories"] == {"object": {"AP": 100, "AP50": 100, "objects": 3}}
        assert data["class_agnostic"] is True


def test_table_and_report(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report's plot needs matplotlib (spotlabel[train])")
    result = evaluate(tmp_path, "--report", str(tmp_path / "report"))
    assert result.exit_code == 0, result.output
    assert "mean over IoU 0.50 to 0.95" in result.stdout
    assert "car" in result.stdout
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert written == json.loads(evaluate(tmp_path, "--json").stdout)
    text = (tmp_path / "report" / "report.md").read_text()
    assert "| bus | 0.00 | 0.00 | 1 |" in text
    assert (tmp_path / "report" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_found_is_zero(tmp_path: Path) -> None:
    data = json.loads(evaluate(tmp_path, "--json", found=[]).stdout)
    assert data["figures"]["AP"] == 0
    assert data["figures"]["APm"] == 0
    assert data["figures"]["AR100"] == 0


def _row(**changes: object) -> list[dict[str, object]]:
    return [FOUND[0], {**FOUND[1], **changes}]


def _without(key: str) -> list[dict[str, object]]:
    return [{name: value for name, value in FOUND[0].items() if name != key}]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (_row(score=math.nan), "result[1]: score is nan, expected a finite number"),
        (_row(score=math.inf), "result[1]: score is inf"),
        (_row(score="0.5"), "result[1]: score is '0.5'"),
        (_row(score=True), "result[1]: score is True"),
        (_row(image_id=31), "result[1]: image_id 31 is not among the images of the annotations"),
        (_row(category_id=1), "result[1]: category_id 1 is not among the categories"),
        (_row(bbox=[1, 2, 3]), "result[1]: bbox is [1, 2, 3], expected [left, top, width, height]"),
        (_row(bbox=[1, 2, math.nan, 4]), "result[1]: bbox is [1, 2, nan, 4]"),
        (_row(bbox=[1, 2, -3, 4]), "width and height must not be negative"),
        (_without("score"), "result[0]: has no 'score'"),
        (_without("image_id"), "result[0]: has no 'image_id'"),
        (_without("category_id"), "result[0]: has no 'category_id'"),
        ([FOUND], "result[0]: expected an object, found [{"),
        ({"annotations": FOUND}, "expected a list, found {"),
        ("[{]", "line 1: no valid JSON"),
        ("", "line 1: no valid JSON"),
        ("null", "expected a list, found nothing"),
    ],
)
def test_bad_results_get_one_line(tmp_path: Path, found: object, message: str) -> None:
    result = evaluate(tmp_path, found=found)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"error: {tmp_path / 'found.json'}: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def _truth(**changes: object) -> dict[str, object]:
    return {**copy.deepcopy(TRUTH), **changes}


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([1], "expected an object with images, annotations and categories"),
        (_truth(images=None), "images: expected a list, found nothing"),
        (_truth(images=[{"id": 30}, {"id": 30}]), "images[1]: id 30 a second time"),
        (_truth(images=[{"id": 30}]), "annotations[1]: image_id 10 is not among the images"),
        (_truth(categories=[{"id": 7}]), "annotations[2]: category_id 2 is not among the categories"),
        (_truth(annotations=[{**TRUTH["annotations"][0], "area": "x"}]), "annotations[0]: area is 'x'"),
        (_truth(annotations=[]), "COCO's figures need at least one object"),
    ],
)
def test_bad_annotations_get_one_line(tmp_path: Path, truth: object, message: str) -> None:
    result = evaluate(tmp_path, truth=truth)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_missing_files_get_one_line(tmp_path: Path) -> None:
    evaluate(tmp_path)
    (tmp_path / "found.json").unlink()
    paths = ["--truth", str(tmp_path / "truth.json"), "--detections", str(tmp_path / "found.json")]
    result = CliRunner().invoke(main, ["evaluate", "coco", *paths])
    assert result.exit_code == 2
    assert "found.json: cannot be read: No such file" in result.stderr


def test_columns_that_disagree_are_refused() -> None:
    boxes, ones = np.ones((1, 4)), np.ones(1)
    none, index = np.zeros(0), np.zeros(1, np.int64)
    with pytest.raises(ValueError, match="COCO ground truth: area"):
        CocoTruth(1, ("a",), index, index, boxes, none, np.zeros(1, bool))
    with pytest.raises(ValueError, match="COCO detections: boxes"):
        CocoDetections(index, index, boxes[:, :3], ones)
    truth = CocoTruth(1, ("a",), index, index, boxes, ones, np.zeros(1, bool))
    assert coco_figures(truth, CocoDetections(index, index, boxes, ones)).summary["AP"] == pytest.approx(1)
