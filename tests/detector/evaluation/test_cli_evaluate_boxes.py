"""``spotlabel evaluate boxes``: detections in every format against a recipe's own boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from spotlabel.detector.evaluation.boxes.files import Found
from spotlabel.detector.evaluation.boxes.run import run_boxes
from spotlabel.detector.model import ModelSpec, save_model
from spotlabel.pipeline.boxes import BoxTable, RegionTable
from spotlabel.pipeline.cli.main import main
from spotlabel.pipeline.sequence import Annotations, Camera, Sequence
from tests.helpers.brute_force_ap import overlap
from tests.helpers.dataset_files import write_images
from tests.helpers.recipes import write

pytest.importorskip("pycocotools", reason="pycocotools is not installed")

# MOT rows, whose first pixel is 1: a car in frames 1 and 3, a bus in frame 2; 0-based left and top are 10.
TRUTH = "1,1,11,11,20,20,1,3,1\n2,2,11,11,20,20,1,8,1\n3,1,11,11,20,20,1,3,1\n"
# 0-based: exact, IoU 292 / 400 = .73, beside the object, exact but the least sure.
FOUND = [
    (1, 10, 10, 20, 20, 0.9, "car"),
    (2, 10, 10, 20, 14.6, 0.8, "bus"),
    (3, 40, 10, 15, 20, 0.7, "car"),
    (3, 10, 10, 20, 20, 0.6, "car"),
]
THIRD = 100 * (67 + 34 * 3 / 4) / 101  # recalls 0 to .66 at precision 1, the rest at 3 of 4
CLASSES = ["car", "bus"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return sequence(tmp_path, "a", TRUTH)


def sequence(root: Path, name: str, truth: str, numbers=(1, 2, 3)) -> Path:
    write_images(root / "data" / name / "img1", numbers, name="{:06d}.jpg")
    (root / "data" / name / "gt").mkdir()
    (root / "data" / name / "gt" / "gt.txt").write_text(truth)
    return root


def evaluate(
    root: Path, *more: object, dataset: dict[str, Any] | None = None, found: str = "found"
) -> Result:
    options = {"reader": "mot", "classes": {3: "car", 8: "bus"}, **(dataset or {})}
    recipe = {"data": str(root / "data"), "out": str(root / "out"), "dataset": options}
    path = write(root / "r.yaml", recipe)
    arguments = ["evaluate", "boxes", path, "--detections", root / found, *more]
    return CliRunner().invoke(main, [*map(str, arguments)])


def figures(root: Path, *more: object, **options: Any) -> dict[str, Any]:
    result = evaluate(root, *more, "--json", **options)
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def refused(root: Path, *more: object, **options: Any) -> str:
    result = evaluate(root, *more, **options)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def rows(form: str, first: int = 0) -> str:
    """:data:`FOUND` as text rows."""
    lines = []
    for counted, left, top, width, height, score, _ in FOUND:
        number = counted + first
        if form == "uavdt":
            lines.append(f"{number},-1,{left},{top},{width},{height},{score},1,-1")
        elif form == "ua-detrac":
            lines.append(f"{number},1,{left + 0.5},{top + 0.5},{width},{height},{score}")
        else:
            more = ",-1,-1,-1" if form == "mot" else ""
            lines.append(f"{number},-1,{left + 1},{top + 1},{width},{height},{score}{more}")
    return "\n".join(lines) + "\n"


def put(root: Path, name: str, content: object) -> None:
    path = root / "found" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def put_coco(root: Path) -> None:
    """As ``spotlabel detect`` writes it: place as image id, and a file that says what the ids are."""
    coco = [
        {"image_id": n, "category_id": CLASSES.index(name) + 1, "bbox": box, "score": score}
        for n, *box, score, name in FOUND
    ]
    put(root, "a.json", coco)
    images = [{"id": n, "frame": n, "file_name": f"{n:06d}.jpg"} for n in (1, 2, 3)]
    categories = [{"id": k, "name": name} for k, name in enumerate(CLASSES, 1)]
    put(root, "a--images.json", {"images": images, "categories": categories, "annotations": []})


def put_voc(root: Path) -> None:
    for kind in CLASSES:
        lines = [
            f"{n:06d} {score} {left + 1} {top + 1} {left + width} {top + height}\n"
            for n, left, top, width, height, score, name in FOUND
            if name == kind
        ]
        put(root, f"a/comp4_det_a_{kind}.txt", "".join(lines))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", rows("uavdt")),
        ("a.txt", rows("ua-detrac")),
        ("a_Det_SpotNet.txt", rows("ua-detrac")),
        ("a/det/det.txt", rows("mot")),
        ("a.txt", rows("mot of 7 columns")),
    ],
)
def test_rows_of_text_name_no_class(root: Path, name: str, content: str) -> None:
    put(root, name, content)
    data = figures(root)
    assert data["any_class"]
    assert data["figures"]["AP50"] == pytest.approx(THIRD, abs=1e-3)
    assert data["figures"]["AP70"] == pytest.approx(THIRD, abs=1e-3)
    # The bus is not found at .75: hit, false, false, hit: recall 1/3 at precision 1, 2/3 at 1/2.
    at_75 = 100 * (34 + 33 / 2) / 101
    assert data["figures"]["AP75"] == pytest.approx(at_75, abs=1e-3)
    # IoU .73 is a hit at .50 to .70.
    assert data["figures"]["AP"] == pytest.approx((THIRD + at_75) / 2, abs=1e-3)
    assert data["classes"] == {"object": {**data["classes"]["object"], "objects": 3}}
    assert data["notes"] == ["these detections name no class: all classes are taken for one"]


@pytest.mark.parametrize("put_found", [put_coco, put_voc])
def test_figures_by_class(root: Path, put_found: Any) -> None:
    put_found(root)
    data = figures(root)
    car = 100 * (51 + 50 * 2 / 3) / 101  # hit, false, hit
    assert data["classes"]["car"] == {
        **dict.fromkeys(("AP", "AP50", "AP70", "AP75"), pytest.approx(car, abs=1e-3)),
        "objects": 2,
    }
    assert data["classes"]["bus"] == {"AP": 50, "AP50": 100, "AP70": 100, "AP75": 0, "objects": 1}
    assert data["figures"]["AP70"] == pytest.approx((car + 100) / 2, abs=1e-3)
    assert data["notes"] == []
    assert figures(root, "--any-class")["figures"]["AP50"] == pytest.approx(THIRD, abs=1e-3)


def test_ids_of_an_annotations_file(root: Path) -> None:
    ids = {
        "images": [{"id": f"img{n}", "file_name": f"{n:06d}.jpg"} for n in (1, 2, 3)],
        "categories": [{"id": 7, "name": "car"}, {"id": 9, "name": "bus"}],
    }
    (root / "ids.json").write_text(json.dumps(ids))
    put(root, "a.json", [{"image_id": "img2", "category_id": 9, "bbox": [10, 10, 20, 20], "score": 1}])
    data = figures(root, "--coco-ids", root / "ids.json")
    assert (data["classes"]["bus"]["AP"], data["classes"]["car"]["AP"]) == (100, 0)
    assert "nothing says which classes its categories are" in refused(root)
    put(root, "a.json", [{"image_id": 2, "bbox": [10, 10, 20, 20], "score": 1}])
    assert figures(root, "--any-class")["figures"]["AR1"] == pytest.approx(100 / 3, abs=1e-3)


def test_a_dataset_that_counts_from_0(tmp_path: Path) -> None:
    sequence(
        tmp_path,
        "a",
        TRUTH.replace("1,1,", "0,1,").replace("2,2,", "1,2,").replace("3,1,", "2,1,"),
        (0, 1, 2),
    )
    put(tmp_path, "a.txt", rows("uavdt"))
    assert figures(tmp_path)["figures"]["AP50"] == pytest.approx(THIRD, abs=1e-3)
    put(tmp_path, "a.txt", rows("mot", first=-1))
    assert figures(tmp_path)["figures"]["AP50"] == pytest.approx(THIRD, abs=1e-3)


def test_regions_and_frames_that_do_not_count(root: Path) -> None:
    # The false alarm of frame 3 lies in a region of which an inactive row speaks.
    truth = TRUTH + "3,9,36,6,25,30,0,3,1\n"
    (root / "data" / "a" / "gt" / "gt.txt").write_text(truth)
    put(root, "a.txt", rows("uavdt"))
    data = figures(root)
    assert data["figures"]["AP50"] == pytest.approx(100)
    # Frame 3 was not annotated: what is found there is neither right nor wrong, its object not sought.
    (root / "data" / "two.txt").write_text("1-2\n")
    data = figures(root, dataset={"annotated": "two.txt"})
    assert data["classes"]["object"]["objects"] == 2
    assert data["figures"]["AP50"] == pytest.approx(100)
    assert data["sequences"]["a"]["left_out"] == 2
    assert "a: 2 detections in frames that were not annotated or have no image, left out" in data["notes"]


def test_what_has_no_partner_is_told(root: Path) -> None:
    sequence(root, "b", TRUTH)
    put(root, "a.txt", rows("uavdt") + "9,-1,1,1,5,5,.9,1,-1\n1,-1,-20,0,5,5,.9,1,-1\n")
    put(root, "c.txt", rows("uavdt"))
    data = figures(root)
    assert data["notes"][1:] == [
        "no detections of b: their objects count as not found",
        "the recipe has no such sequences, not read: c.txt",
        "a: 1 detections in frames that it does not have, left out",
        "a: 1 detections without area in the image, left out",
    ]
    assert data["classes"]["object"]["objects"] == 6
    assert data["figures"]["AR100"] == pytest.approx(100 / 6 * 2.5, abs=1e-3)
    put(root, "b.txt", rows("uavdt"))
    only = figures(root, "--only", "a")
    assert (list(only["sequences"]), only["classes"]["object"]["objects"]) == (["a"], 3)
    assert not any("b" in note.split() for note in only["notes"])


def test_classes_that_only_one_side_has_are_told(root: Path) -> None:
    put_coco(root)
    path = root / "found" / "a--images.json"
    path.write_text(path.read_text().replace("bus", "van"))
    data = figures(root)
    assert data["notes"] == [
        "detections of classes that no object is of, left out: van (1)",
        "no detections have the class bus",
    ]
    assert data["classes"]["bus"]["AP"] == 0
    path.write_text(path.read_text().replace("car", "lorry"))
    problem = refused(root)
    assert "no class of the detections (lorry, van) is one of the objects (bus, car); --any-class" in problem


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("c.txt", "", "no detections of the recipe's sequences: expected .txt, .json or a folder of comp4"),
        ("a.txt", "1,1,2,3,4\n", "a.txt: line 1: 5 columns, expected 7 to 10"),
        ("a.txt", "1,1,2,3,4,5,x\n", "a.txt: line 1: score is 'x', expected a number"),
        ("a.txt", "0,1,2,3,4,5,.5\n", "a.txt: line 1: frame is 0, expected 1 or more (ua-detrac rows)"),
        ("a.txt", "1,1,2,3,4,5,nan\n", "a.txt: line 1: score is nan, expected a finite number"),
        ("a/comp4_det_b_car.txt", "", "no comp4_det_a_<class>.txt (there is comp4_det_b_car.txt)"),
    ],
)
def test_one_line_says_what_is_wrong(root: Path, name: str, content: str, problem: str) -> None:
    put(root, name, content)
    assert problem in refused(root)


def test_more_of_what_is_wrong(root: Path) -> None:
    assert "no such file or folder of detections" in refused(root)
    put(root, "a.txt", rows("uavdt"))
    put(root, "a.json", [])
    assert "a.txt: a second file of a, the other is a.json (keep one in the folder)" in refused(root)
    assert "--only x: no such sequence" in refused(root, "--only", "x")
    (root / "data" / "a" / "gt" / "gt.txt").write_text("1,1,11,11,20,20,0,3,1\n")
    assert "there is no object in the annotated frames" in refused(root, found="found/a.txt")


def test_tables_and_report(root: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    put_coco(root)
    result = evaluate(root, "--report", root / "report", found="found/a.json")
    assert result.exit_code == 0, result.output
    assert "AP70" in result.stdout
    assert "IoU 0.70" in result.stdout
    assert {path.name for path in (root / "report").iterdir()} == {"report.json", "report.md", "curves.png"}
    text = (root / "report" / "report.md").read_text()
    assert "| bus | 50.00 | 100.00 | 100.00 | 0.00 | 1 |" in text
    assert "| a | 3 | 3 | 4 | 0 |" in text


@pytest.mark.parametrize("form", ["uavdt", "ua-detrac", "coco", "voc"])
def test_what_detect_writes_goes_in(root: Path, form: str) -> None:
    sequence(root, "b c", TRUTH)
    torch.manual_seed(0)
    spec = ModelSpec(preset="centernet", backbone="hourglass-tiny", class_names=("car", "bus"))
    save_model(root / "m.safetensors", spec.build(), spec)
    refused(root)  # writes the recipe
    arguments = ("detect", root / "m.safetensors", "--recipe", root / "r.yaml", "--out", root / "found")
    result = CliRunner().invoke(main, [*map(str, arguments), "--format", form, "--threads", "1"])
    assert result.exit_code == 0, result.output
    data = figures(root)
    assert all(of["file"] and of["detections"] for of in data["sequences"].values())
    assert data["any_class"] == (form in ("uavdt", "ua-detrac"))
    assert [note for note in data["notes"] if "no such sequences" in note or "does not have" in note] == []


class Frames:
    """Frames that nobody reads."""

    def __init__(self, count: int) -> None:
        self.size = (100, 100)
        self.numbers = np.arange(1, count + 1)

    def __len__(self) -> int:
        return len(self.numbers)

    def identity(self) -> dict[str, object]:
        return {}


def average_precision(frames: list[dict[str, list]], iou: float) -> float:
    """COCO's AP of one class in plain Python, with its rule for crowds."""
    outcomes, objects = [], 0
    for frame in frames:
        objects += len(frame["objects"])
        taken: set[int] = set()
        for score, box in sorted(frame["found"], key=lambda pair: -pair[0]):
            free = [(overlap(box, o), k) for k, o in enumerate(frame["objects"]) if k not in taken]
            best = max((pair for pair in free if pair[0] >= iou), default=None)
            if best:
                taken.add(best[1])
                outcomes.append((score, True))
            elif not any(share(box, region) >= iou for region in frame["regions"]):
                outcomes.append((score, False))
    hits, points = 0, []
    for n, (_, hit) in enumerate(sorted(outcomes, key=lambda pair: -pair[0]), 1):
        hits += hit
        points.append((hits / objects, hits / n))
    recalls = np.linspace(0, 1, 101)
    return float(np.mean([max((p for r, p in points if r >= wanted), default=0) for wanted in recalls]))


def share(box, region) -> float:
    """Share of a box that a region covers."""
    sides = (min(box[k] + box[k + 2], region[k] + region[k + 2]) - max(box[k], region[k]) for k in (0, 1))
    return float(np.prod([max(side, 0) for side in sides])) / (box[2] * box[3])


@pytest.mark.parametrize("seed", range(5))
def test_against_plain_python(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    frames, lines = [], []
    for number in range(1, 9):
        objects = [
            [*random.integers(0, 60, 2).tolist(), *random.integers(10, 40, 2).tolist()] for _ in range(3)
        ]
        region = [*random.integers(0, 60, 2).tolist(), *random.integers(20, 40, 2).tolist()]
        found = []
        for box in [*objects, *random.integers(15, 40, (3, 4)).tolist()]:
            moved = [*(side + int(random.integers(-3, 4)) for side in box[:2]), *box[2:]]
            moved = [max(moved[0], 0), max(moved[1], 0), *moved[2:]]
            found.append((float(random.random()), moved))
            lines.append(f"{number},-1,{','.join(map(str, moved))},{found[-1][0]!r},1,-1")
        frames.append({"objects": objects, "regions": [region], "found": found})
    (tmp_path / "s.txt").write_text("\n".join(lines))
    corners = np.array([box for frame in frames for box in frame["objects"]], np.float32)
    corners[:, 2:] += corners[:, :2]
    regions = np.array([frame["regions"][0] for frame in frames], np.float32)
    regions[:, 2:] += regions[:, :2]
    count = len(corners)
    table = BoxTable(
        np.arange(9) * 3, corners, np.zeros(count, np.int16), np.full(count, -1), np.zeros(count, np.uint8)
    )
    annotations = Annotations(table, RegionTable(np.arange(9), regions), ("car",))
    video = Sequence("s", Frames(8), Camera.FIXED, (), "made 1", lambda: annotations)
    result = run_boxes([video], tmp_path / "s.txt")
    for k, iou in enumerate(np.linspace(0.5, 0.95, 10)):
        expected = average_precision(frames, iou)
        assert result.figures.categories["object"].by_iou[k] == pytest.approx(expected, abs=1e-9)


def test_columns_that_disagree_are_refused() -> None:
    one, boxes = np.zeros(1, np.int64), np.zeros((2, 4))
    with pytest.raises(ValueError, match="boxes has shape"):
        Found(one, boxes, np.zeros(1), one, None)
