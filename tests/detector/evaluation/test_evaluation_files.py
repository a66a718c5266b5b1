"""Detections and ground-truth files: formats, errors with file and line, real sequences, COCO."""

import re

import numpy as np
import pytest
import torch

from spotlabel.detector.centernet.decode import decode
from spotlabel.detector.evaluation.average_precision import evaluate
from spotlabel.detector.evaluation.records import Truth
from spotlabel.detector.evaluation.traffic import uavdt
from spotlabel.detector.evaluation.traffic.files import Compat, read_detections, write_detections
from spotlabel.detector.evaluation.traffic.truth import read_uavdt_truth
from spotlabel.detector.geometry import inverse, padding_matrix, transform_boxes
from spotlabel.pipeline.errors import DatasetError
from tests.helpers import brute_force_ap
from tests.helpers.centre_targets import centre_targets

UAVDT_SEQUENCES = ("M0205", "M0208", "M0403", "M0601")


def test_read_both_layouts(tmp_path):
    (tmp_path / "a.txt").write_text("2,1,10.5,20,30,40,0.9\n\n1,1,-3,4,5,6,2e-3\n")
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbf7,-1,1,2,3,4,0.5,1,-1\r\n")
    a, b = read_detections(tmp_path / "a.txt", "ua-detrac"), read_detections(tmp_path / "b.txt", "uavdt")
    assert a.frame.tolist() == [2, 1]
    assert a.boxes.tolist() == [[10.5, 20, 30, 40], [-3, 4, 5, 6]]
    assert a.score.tolist() == [0.9, 0.002]
    assert (b.frame.tolist(), b.boxes.tolist(), b.score.tolist()) == ([7], [[1, 2, 3, 4]], [0.5])
    for content in ("", "\n  \n"):
        (tmp_path / "c.txt").write_text(content)
        assert len(read_detections(tmp_path / "c.txt", "uavdt")) == 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("1,1,2,3,4,5,0.5\n\n1,1,2,nan,4,5,0.5\n", "line 3: column 4: 'nan', expected a finite number"),
        ("1,1,2,3,4,5,inf\n", "line 1: column 7: 'inf', expected a finite number"),
        ("1,1,2,3,4,5,0.5\n1,1,2,3,4,5\n", "line 2: 6 columns, expected 7"),
        ("1,-1,2,3,4,5,0.5,1,-1\n", "line 1: 9 columns, expected 7"),
        ("1,1,2,3,4,5,0.5\n1,1,x,3,4,5,0.5\n", "line 2: column 3: 'x' is not a number"),
        ("frame,index,l,t,w,h,score\n", "line 1: column 1: 'frame' is not a number"),
        ("1,1,2,3,4,5,0.5\n\n0,1,2,3,4,5,0.5\n", "line 3: frame 0: expected a whole number, 1 or more"),
        ("1,1,2,3,4,5,1_0\n", "line 1: column 7: '1_0' is not a number"),
        ("1.5,1,2,3,4,5,0.5\n", "line 1: frame 1.5: expected a whole number"),
        ("1,1,2,3,4,5,\xff\n", r"line 1: column 7: '\\xff' is not a number"),
    ],
)
def test_bad_lines_are_named(tmp_path, content, problem):
    path = tmp_path / "bad.txt"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DatasetError, match=re.escape(f"{path}: ") + ".*" + re.escape(problem)) as caught:
        read_detections(path, "ua-detrac")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no\.txt: cannot be read"):
        read_detections(tmp_path / "no.txt", "uavdt")


FRAME = np.array([2, 1, 1, 1, 2])
XYXY = np.array(
    [[10.25, 20, 30.5, 40], [-5.5, 2, 20, 700], [100.9, 3, 99.2, 9], [9, 3, 12, 9], [2000, 5, 2010, 9]]
)
SCORE = np.array([0.5, 0.25, 0.75, 0.125, 0.0625])


def write(tmp_path, benchmark, compat):
    path = tmp_path / "out.txt"
    write_detections(path, benchmark, FRAME, XYXY, SCORE, image=(540, 960), compat=compat)
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]
    return path.read_text()


def test_clean_files(tmp_path):
    assert write(tmp_path, "ua-detrac", Compat.CLEAN) == (
        "1,1,0.50,2.50,20.00,538.00,0.25\n1,2,9.50,3.50,3.00,6.00,0.125\n2,1,10.75,20.50,20.25,20.00,0.5\n"
    )
    assert write(tmp_path, "uavdt", Compat.CLEAN) == (
        "1,-1,0.00,2.00,20.00,538.00,0.25,1,-1\n1,-1,9.00,3.00,3.00,6.00,0.125,1,-1\n"
        "2,-1,10.25,20.00,20.25,20.00,0.5,1,-1\n"
    )


def test_spotnet_files_are_sorted_as_text_with_sizes_one_larger(tmp_path):
    assert write(tmp_path, "ua-detrac", Compat.SPOTNET) == (
        "1,1,-5,2,26,699,0.25\n1,2,100,3,0,7,0.75\n1,3,9,3,4,7,0.125\n"
        "2,1,10,20,21,21,0.5\n2,2,2000,5,11,5,0.0625\n"
    )


def test_clean_files_come_back(tmp_path):
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 400, (300, 2))
    xyxy = np.concatenate([low, low + rng.uniform(1, 100, (300, 2))], 1)
    frame, score = rng.integers(1, 9, 300), rng.random(300).astype(np.float32).astype(np.float64)
    for benchmark, origin in (("ua-detrac", 0.5), ("uavdt", 0)):
        path = tmp_path / f"{benchmark}.txt"
        write_detections(path, benchmark, frame, xyxy, score, image=(540, 960))
        back = read_detections(path, benchmark)
        order = np.lexsort((-score, frame))
        assert back.frame.tolist() == frame[order].tolist()
        assert back.score == pytest.approx(score[order], rel=1e-7)
        corners = np.concatenate([back.boxes[:, :2], back.boxes[:, :2] + back.boxes[:, 2:]], 1) - origin
        assert corners == pytest.approx(xyxy[order], abs=0.0101)


def test_nothing_unfinished_is_left_behind(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("before")
    with pytest.raises(ValueError, match="NaN"):
        write_detections(path, "uavdt", FRAME, XYXY, SCORE * np.nan, image=(540, 960))
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def uavdt_pair(shared_data, name):
    truth = read_uavdt_truth(shared_data / "uavdt/UAV-benchmark-MOTD_v1.0/GT", name)
    return truth, read_detections(shared_data / f"uavdt/detections/{name}.txt", "uavdt")


@pytest.mark.realdata
def test_published_files_are_written_byte_for_byte(shared_data, tmp_path):
    files = [(shared_data / f"uavdt/detections/{name}.txt", "uavdt") for name in ("M0208", "M0601")]
    files.append((shared_data / "ua-detrac/detections/MVI_39511_Det_SpotNet.txt", "ua-detrac"))
    for path, benchmark in files:
        published = read_detections(path, benchmark)
        xyxy = published.boxes.copy()
        xyxy[:, 2:] += xyxy[:, :2] - 1
        again = tmp_path / path.name
        write_detections(
            again,
            benchmark,
            published.frame,
            xyxy,
            published.score,
            image=(540, 1024),
            compat=Compat.SPOTNET,
        )
        assert again.read_bytes() == path.read_bytes()


@pytest.mark.realdata
def test_uavdt_average_precision_of_four_sequences(shared_data):
    pairs = {name: uavdt_pair(shared_data, name) for name in UAVDT_SEQUENCES}
    matches = {name: uavdt.match(*pair) for name, pair in pairs.items()}
    result = evaluate(matches.values())
    assert (result.objects, result.hits, result.in_regions, result.outside) == (48_074, 38_071, 4_856, 0)
    assert result.percent == 68.57
    assert [evaluate([matches[name]]).percent for name in UAVDT_SEQUENCES] == [87.85, 5.02, 83.98, 13.15]
    prepared = [(truth, uavdt.find_pairs(truth, found)) for truth, found in pairs.values()]
    kinds = {name: uavdt.evaluate_objects(prepared, *kind) for name, kind in uavdt.KINDS.items()}
    for label in ("category", "occlusion", "out_of_view"):
        of_label = [kinds[name] for name, kind in uavdt.KINDS.items() if kind[0] == label]
        assert sum(curve.objects for curve in of_label) == result.objects
        assert all(len(c.score) + c.uncounted == len(result.score) for c in of_label)
    assert kinds["car"].uncounted > 0
    assert kinds["small occlusion"].objects == 657
    assert kinds["no occlusion"].ap > kinds["small occlusion"].ap


@pytest.mark.realdata
def test_a_real_sequence_agrees_with_brute_force(shared_data):
    truth, found = uavdt_pair(shared_data, "M0205")
    frames = [{"objects": [], "regions": [], "found": []} for _ in range(truth.frames)]
    for number, box in zip(truth.frame.tolist(), truth.boxes.tolist(), strict=True):
        frames[number - 1]["objects"].append(box)
    for number, box in zip(truth.region_frame.tolist(), truth.regions.tolist(), strict=True):
        frames[number - 1]["regions"].append(box)
    for number, box, score in zip(*(c.tolist() for c in vars(found).values()), strict=True):
        frames[number - 1]["found"].append((score, box))
    result = evaluate([uavdt.match(truth, found)])
    outcomes, objects = brute_force_ap.judge(frames)
    assert (result.objects, result.hits) == (objects, sum(hit for _, hit in outcomes))
    assert result.ap == pytest.approx(brute_force_ap.area_ap(outcomes, objects), abs=1e-9)
    assert result.ap11 == pytest.approx(brute_force_ap.interpolated_ap(outcomes, objects), abs=1e-9)


def test_perfect_network_outputs_score_one(tmp_path):
    rng = np.random.default_rng(2)
    matrix = padding_matrix((540, 1024), (640, 1152)) / 4
    rows = []
    for number in range(1, 9):
        places = rng.permutation(60)[:20]
        centre = np.stack([places % 10, places // 10], 1) * [100, 88] + rng.uniform(45, 55, (20, 2))
        half = rng.uniform(8, 42, (20, 2))
        boxes = np.concatenate([centre - half, centre + half], 1)
        targets = centre_targets(transform_boxes(boxes, matrix), np.zeros(20, int), 1, (160, 288))
        maps = np.zeros((2, 2, 160 * 288))
        maps[0][:, targets.ind[:20]], maps[1][:, targets.ind[:20]] = targets.wh[:20].T, targets.reg[:20].T
        wh, reg = torch.from_numpy(maps.reshape(2, 1, 2, 160, 288))
        found = decode(torch.from_numpy(targets.hm)[None], wh, reg)[0].numpy()
        found[:, :4] = transform_boxes(found[:, :4], inverse(matrix))
        rows.append((np.full(20, number), boxes, np.full(100, number), found))
    frame, boxes, found_frame, found = (np.concatenate(column) for column in zip(*rows, strict=True))
    path = tmp_path / "S.txt"
    write_detections(path, "uavdt", found_frame, found[:, :4], found[:, 4], image=(540, 1024))
    native = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    result = evaluate([uavdt.match(Truth("S", 8, frame, native), read_detections(path, "uavdt"))])
    assert (result.ap, result.hits) == (1, 160)
