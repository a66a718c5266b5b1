"""Results files: clean rows, rows like SpotNet's, COCO JSON; each read back by the project's own readers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spotlabel.detector.errors import PredictionError
from spotlabel.detector.evaluation.traffic.files import Compat, read_detections
from spotlabel.detector.evaluation.voc.files import read_comp4
from spotlabel.detector.prediction.predictor import Prediction
from spotlabel.detector.prediction.results import FrameResult, coco_rows, write_coco, write_text, write_voc

SIZE = (540, 960)


def found(*rows):
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Prediction(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), np.zeros(SIZE, np.float32))


FRAMES = [
    FrameResult.of(
        1,
        SIZE,
        found(
            [121.9, 60.2, 346.4, 195.9, 0.75, 0],
            [-108.7, 299.5, 144.2, 684.9, 0.5, 1],  # leaves the image at the left and at the bottom
            [12.0, 30.0, 9.5, 40.0, 0.25, 0],  # turned inside out
            [980.0, 10.0, 990.0, 20.0, 0.125, 0],  # outside
            [7.0, 8.0, 9.0, 10.0, 0.0, 0],  # a filler
        ),
        0.0,
    ),
    FrameResult.of(2, SIZE, found(), 0.0),
    FrameResult.of(4, SIZE, found([0.25, 0.5, 10.25, 20.5, 0.10080145299434662, 2]), 0.0),
]


def text(tmp_path, benchmark, **more):
    path = tmp_path / "S.txt"
    write_text(path, benchmark, FRAMES, **more)
    assert [p.name for p in tmp_path.iterdir()] == ["S.txt"]
    return path.read_text()


def test_clean_rows_are_sorted_clipped_and_in_the_benchmarks_coordinates(tmp_path):
    assert text(tmp_path, "ua-detrac") == (
        "1,1,122.40,60.70,224.50,135.70,0.75\n1,2,0.50,300.00,144.20,240.50,0.5\n"
        "4,1,0.75,1.00,10.00,20.00,0.10080145\n"
    )
    assert text(tmp_path, "uavdt") == (
        "1,-1,121.90,60.20,224.50,135.70,0.75,1,-1\n1,-1,0.00,299.50,144.20,240.50,0.5,1,-1\n"
        "4,-1,0.25,0.50,10.00,20.00,0.10080145,1,-1\n"
    )
    back = read_detections(tmp_path / "S.txt", "uavdt")
    assert back.frame.tolist() == [1, 1, 4]
    assert back.score == pytest.approx([0.75, 0.5, 0.10080145299434662], rel=1e-7)


def test_spotnet_rows_are_truncated_one_larger_sorted_as_text_and_complete(tmp_path):
    rows = (
        "1,1,-108,299,253,386,0.5\n"  # "-" sorts before digits, "121" before "7": text, not numbers
        "1,2,12,30,-2,11,0.25\n"
        "1,3,121,60,226,136,0.75\n"
        "1,4,7,8,3,3,0.0\n"
        "1,5,980,10,11,11,0.125\n"
        "4,1,0,0,11,21,0.10080145\n"
    )
    assert text(tmp_path, "ua-detrac", compat=Compat.SPOTNET) == rows
    uavdt = text(tmp_path, "uavdt", compat=Compat.SPOTNET, only={1})
    assert uavdt.splitlines()[:2] == ["1,-1,-108,299,253,386,0.5,1,-1", "1,-1,12,30,-2,11,0.25,1,-1"]
    assert len(uavdt.splitlines()) == 5
    assert len(read_detections(tmp_path / "S.txt", "uavdt")) == 5


def test_frames_that_are_counted_from_0_are_written_from_1(tmp_path):
    frames = [FrameResult.of(n, SIZE, found([0, 0, 5, 5, 0.5, 0]), 0) for n in (0, 1)]
    for compat in Compat:
        write_text(tmp_path / "S.txt", "uavdt", frames, compat=compat)
        assert read_detections(tmp_path / "S.txt", "uavdt").frame.tolist() == [1, 2]


def test_every_image_is_clipped_to_its_own_size(tmp_path):
    frames = [FrameResult.of(n, (h, 50), found([0, 0, 80, 80, 0.5, 0]), 0) for n, h in ((1, 30), (2, 60))]
    write_text(tmp_path / "S.txt", "uavdt", frames)
    assert read_detections(tmp_path / "S.txt", "uavdt").boxes.tolist() == [[0, 0, 50, 30], [0, 0, 50, 60]]


def test_a_sequence_without_detections_is_an_empty_file(tmp_path):
    for frames in ([], FRAMES[1:2]):
        write_text(tmp_path / "S.txt", "ua-detrac", frames)
        assert (tmp_path / "S.txt").read_text() == ""


def test_a_smallest_score_leaves_out_rows_and_fillers():
    rows = FRAMES[0].found
    assert rows.attention == {}
    assert FrameResult.of(1, SIZE, rows, 0.25).found.score.tolist() == [0.75, 0.5, 0.25]
    assert rows.at_least(0).score.tolist() == [0.75, 0.5, 0.25, 0.125]


def test_a_box_that_is_not_finite_is_refused(tmp_path):
    frames = [FrameResult.of(1, SIZE, found([0, 0, np.inf, np.nan, 0.5, 0]), 0)]
    with pytest.raises(ValueError, match="NaN or infinity"):
        write_text(tmp_path / "S.txt", "uavdt", frames, compat=Compat.SPOTNET)
    assert list(tmp_path.iterdir()) == []


def test_coco_results(tmp_path):
    rows = coco_rows(FRAMES, ["a/1", 17, 4], [10, 20, 30])
    assert rows == [
        {"image_id": "a/1", "category_id": 10, "bbox": [121.9, 60.2, 224.5, 135.7], "score": 0.75},
        {"image_id": "a/1", "category_id": 20, "bbox": [0, 299.5, 144.2, 240.5], "score": 0.5},
        {"image_id": 4, "category_id": 30, "bbox": [0.25, 0.5, 10, 20], "score": 0.10080145},
    ]
    write_coco(tmp_path / "r.json", rows)
    assert json.loads((tmp_path / "r.json").read_text()) == rows
    write_coco(tmp_path / "r.json", [])
    assert json.loads((tmp_path / "r.json").read_text()) == []


def test_pycocotools_reads_the_results(tmp_path):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    truth = coco.COCO()
    truth.dataset = {"images": [{"id": n} for n in (1, 2, 4)], "categories": [{"id": 1}], "annotations": []}
    truth.createIndex()
    write_coco(tmp_path / "r.json", coco_rows(FRAMES, [1, 2, 4], [1, 1, 1]))
    loaded = truth.loadRes(str(tmp_path / "r.json"))
    assert [loaded.anns[k]["bbox"] for k in sorted(loaded.anns)] == [
        [121.9, 60.2, 224.5, 135.7],
        [0, 299.5, 144.2, 240.5],
        [0.25, 0.5, 10, 20],
    ]


@pytest.mark.realdata
def test_published_files_come_back_byte_for_byte(shared_data, tmp_path):
    path = shared_data / "uavdt/detections/M0208.txt"
    published = read_detections(path, "uavdt")
    frames = []
    for number in np.unique(published.frame).tolist():
        rows = published.select(published.frame == number)
        assert len(rows) == 100
        boxes = rows.boxes.copy()
        boxes[:, 2:] += boxes[:, :2] - 1
        surest = np.argsort(-rows.score, kind="stable")
        prediction = Prediction(boxes[surest], rows.score[surest], np.zeros(100, np.int64))
        frames.append(FrameResult.of(number, (540, 1024), prediction, 0))
    write_text(tmp_path / "M0208.txt", "uavdt", frames, compat=Compat.SPOTNET)
    assert (tmp_path / "M0208.txt").read_bytes() == path.read_bytes()


def test_vocs_files_are_read_back_by_its_evaluation(tmp_path):
    names = {1: "000005", 2: "000007", 4: "2007_000032"}
    files = write_voc(tmp_path / "r", "test", FRAMES, names, ("car", "bus", "van"))
    assert [file.name for file in files] == [f"comp4_det_test_{name}.txt" for name in ("car", "bus", "van")]
    assert files[1].read_text() == "000005 0.5 1.00 300.50 144.20 540.00\n"
    numbers = {"000005": 1, "000007": 2, "2007_000032": 3}
    car, van = read_comp4(files[0], numbers), read_comp4(files[2], numbers)
    assert (car.frame.tolist(), car.score.tolist()) == ([1], [0.75])
    assert van.frame.tolist() == [3]
    with pytest.raises(PredictionError, match="names of image files without blanks"):
        write_voc(tmp_path / "r", "test", FRAMES, {**names, 2: "a b"}, ("car", "bus", "van"))
