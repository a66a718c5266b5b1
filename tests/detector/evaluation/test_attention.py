"""Attention maps against CDnet ground truth: the pure functions, then ``spotlabel evaluate attention``."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spotlabel.detector.evaluation.attention.boxes import inside_boxes, read_boxes, write_boxes
from spotlabel.detector.evaluation.attention.maps import (
    SWEEP,
    attention_greys,
    count_greys,
    normalise_attention,
)
from spotlabel.pipeline.cli.main import main
from spotlabel.pipeline.measures.pixels import PixelCounts, count
from tests.helpers.frame_files import encode

# Ground truth of one frame: static, shadow, outside the region, unknown, moving, moving.
LABELS = np.array([[0, 50, 85, 170, 255, 255]], np.uint8)


def test_normalised_maps_reach_from_zero_to_one() -> None:
    made = normalise_attention(np.array([[-3.0, -1.0], [1.0, 5.0]], np.float32))
    assert made.dtype == np.float32
    assert made.tolist() == [[0, 0.25], [0.5, 1]]
    assert attention_greys(made).tolist() == [[0, 64], [128, 255]]
    assert normalise_attention(np.full((2, 3), -7.5)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_extreme_logits_neither_overflow_nor_vanish() -> None:
    top = np.finfo(np.float32).max
    made = normalise_attention(np.array([[-top, 0, top]], np.float32))
    assert made.tolist() == [[0, 0.5, 1]]
    assert normalise_attention(np.array([[0, 1e-30]])).tolist() == [[0, 1]]
    half = normalise_attention(np.array([[-60000, 60000]], np.float16))
    assert half.tolist() == [[0, 1]]


@pytest.mark.parametrize("shape", [(3,), (1, 2, 2), (0, 4)])
def test_a_map_has_height_and_width(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a height and a width"):
        normalise_attention(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_logits_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        normalise_attention(np.array([[0, value, 1]]))


greys = arrays(np.uint8, (4, 5))
masks = arrays(np.bool_, (4, 5))


@settings(max_examples=60)
@given(greys, masks, masks, st.floats(0, 1))
def test_every_threshold_counts_as_the_mask_would(levels, truth, valid, threshold) -> None:
    expected = count((levels / 255 > threshold).astype(np.uint8), truth, valid)
    assert count_greys(levels, truth, valid).at(threshold) == expected


def test_counts_of_frames_add_up() -> None:
    truth, valid = np.array([[True, False]]), np.ones((1, 2), bool)
    first = count_greys(np.array([[200, 100]], np.uint8), truth, valid)
    second = count_greys(np.array([[10, 180]], np.uint8), truth, valid)
    assert (first + second).at(0.67) == PixelCounts(tp=1, fp=1, fn=1, tn=1)
    with pytest.raises(ValueError, match="shapes differ"):
        count_greys(np.zeros((1, 3), np.uint8), truth, valid)


def sequence(root: Path, name: str, truth: dict[int, np.ndarray], temporal: str, roi: np.ndarray) -> None:
    folder = root / name
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    for number, labels in truth.items():
        image = np.zeros((*labels.shape, 3), np.uint8)
        (folder / "input" / f"in{number:06d}.png").write_bytes(encode(image, ".png"))
        (folder / "groundtruth" / f"gt{number:06d}.png").write_bytes(encode(labels, ".png"))
    (folder / "temporalROI.txt").write_text(temporal)
    cv2.imwrite(str(folder / "ROI.bmp"), roi)


def write_map(folder: Path, number: int, levels: list[int], prefix: str = "in") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{prefix}{number:06d}.png").write_bytes(encode(np.array([levels], np.uint8), ".png"))


@pytest.fixture
def cdnet(tmp_path: Path) -> tuple[Path, Path]:
    """Two videos of 1x6 pixels; frame 1 lies before the evaluated range."""
    truth, maps = tmp_path / "cdnet", tmp_path / "maps"
    everywhere = np.full(LABELS.shape, 255, np.uint8)
    without_last = np.array([[255, 255, 255, 255, 255, 0]], np.uint8)
    sequence(truth / "baseline", "highway", dict.fromkeys((1, 2, 3), LABELS), "2 3", everywhere)
    sequence(truth / "cameraJitter", "traffic", dict.fromkeys((1, 2), LABELS), "2 2", without_last)
    for number in (2, 3):
        # Shadow called foreground; of two moving pixels one is found, the other has less than 0.67.
        write_map(maps / "highway", number, [0, 180, 255, 255, 171, 170])
    write_map(maps / "cameraJitter" / "traffic", 2, [0, 0, 255, 255, 255, 255], prefix="bin")
    return truth, maps


def run(*arguments: object):
    return CliRunner().invoke(main, ["evaluate", "attention", *map(str, arguments)])


def test_counts_by_label_region_and_range(cdnet: tuple[Path, Path]) -> None:
    result = run("--truth", cdnet[0], "--maps", cdnet[1], "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    highway, traffic = data["videos"]["baseline/highway"], data["videos"]["cameraJitter/traffic"]
    assert highway["frames"] == 2
    assert highway["thresholds"] == [{"threshold": 0.67, "recall": 0.5, "precision": 0.5, "f": 0.5}]
    # The pixel outside the region of interest is one that would have been found.
    assert traffic["thresholds"] == [{"threshold": 0.67, "recall": 1, "precision": 1, "f": 1}]
    assert data["mean"] == [{"threshold": 0.67, "f": 0.75}]
    assert data["published"]["mean_f"]["SpotNet"] == 0.806
    assert data["missing"] == []


def test_pixels_whose_middle_lies_in_a_sure_box_that_is_not_too_large() -> None:
    def inside(*rows: tuple[float, ...]) -> list[list[int]]:
        return inside_boxes((2, 4), np.array(rows, np.float64).reshape(-1, 5)).astype(int).tolist()

    assert inside() == [[0, 0, 0, 0], [0, 0, 0, 0]]
    assert inside((1, 0, 3, 1, 0.9), (3, 1, 4, 2, 0.16)) == [[0, 1, 1, 0], [0, 0, 0, 1]]
    assert inside((1, 0, 3, 1, 0.15)) == [[0, 0, 0, 0], [0, 0, 0, 0]]
    assert inside((0.4, 0, 1.6, 1, 0.9)) == [[1, 1, 0, 0], [0, 0, 0, 0]]
    assert inside((0.6, 0, 1.4, 1, 0.9)) == [[0, 0, 0, 0], [0, 0, 0, 0]]
    # Half of the picture counts, more does not; what lies outside of it is not counted.
    assert inside((0, 0, 2, 2, 0.9)) == [[1, 1, 0, 0], [1, 1, 0, 0]]
    assert inside((0, 0, 2.1, 2, 0.9)) == [[0, 0, 0, 0], [0, 0, 0, 0]]
    assert inside((-9, -9, 1, 9, 0.9)) == [[1, 0, 0, 0], [1, 0, 0, 0]]
    assert inside((9, 9, 19, 19, 0.9)) == [[0, 0, 0, 0], [0, 0, 0, 0]]


def test_maps_are_cut_to_the_boxes_beside_them(cdnet: tuple[Path, Path]) -> None:
    truth, maps = cdnet
    # A box on the last two pixels, and one on the shadow that is not sure enough.
    rows = np.array([[4, 0, 6, 1, 0.9], [1, 0, 2, 1, 0.1]])
    write_boxes(maps / "highway", dict.fromkeys((2, 3), rows))
    assert read_boxes(maps / "highway" / "boxes.json")[3].tolist() == [[4, 0, 6, 1, 0.9]]
    result = run("--truth", truth, "--maps", maps, "--json")
    assert result.exit_code == 0, result.output
    highway = json.loads(result.stdout)["videos"]["baseline/highway"]
    assert highway["in_boxes"] is True
    assert highway["thresholds"] == [{"threshold": 0.67, "recall": 0.5, "precision": 1, "f": 0.666667}]
    told = run("--truth", truth, "--maps", maps).stdout
    assert "here the maps are whole of cameraJitter/traffic." in told
    whole = json.loads(run("--truth", truth, "--maps", maps, "--json", "--whole-maps").stdout)
    assert whole["videos"]["baseline/highway"]["in_boxes"] is False
    assert whole["videos"]["baseline/highway"]["thresholds"][0]["precision"] == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"2": []}', "boxes.json: says nothing of frame 3 (is it of another run than the maps?)"),
        ("[]", "boxes.json: expected frame numbers, each with a list of boxes"),
        ('{"2": [[1, 2, 3, 4]], "3": []}', "boxes.json: 2: expected a list of [x0, y0, x1, y1, score]"),
        ('{"2": [[1, 2, 3, 4, NaN]], "3": []}', "boxes.json: 2: expected a list of [x0, y0, x1, y1, score]"),
        ('{"a": []}', "boxes.json: a: expected the number of a frame"),
        ("{", "boxes.json: line 1: no valid JSON"),
    ],
)
def test_boxes_that_cannot_be_used_are_named(cdnet: tuple[Path, Path], text: str, message: str) -> None:
    (cdnet[1] / "highway" / "boxes.json").write_text(text)
    result = run("--truth", cdnet[0], "--maps", cdnet[1])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_sweep_prints_f_over_the_threshold(cdnet: tuple[Path, Path]) -> None:
    result = run("--truth", cdnet[0], "--maps", cdnet[1], "--sweep", "--only", "highway")
    assert result.exit_code == 0, result.output
    table = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line[:2] == "0."}
    assert len(table) == len(SWEEP)
    assert table["0.05"] == ["0.8000", "0.8000"]  # 2 found, shadow too
    assert table["0.65"] == ["0.8000", "0.8000"]
    assert table["0.70"] == ["0.0000", "0.0000"]  # 171 is .6706: only the shadow is left
    assert table["0.80"] == ["0.0000", "0.0000"]
    assert "highest mean F at 0.05" in result.stdout
    assert "cameraJitter" not in result.stdout
    assert "here it is over highway" in result.stdout


def test_several_thresholds_and_the_report(cdnet: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report's plot needs matplotlib (spotlabel[train])")
    asked = ("--threshold", "0.5", "--threshold", "1", "--report", tmp_path / "report")
    result = run("--truth", cdnet[0], "--maps", cdnet[1], *asked)
    assert result.exit_code == 0, result.output
    data = json.loads((tmp_path / "report" / "report.json").read_text())
    assert data["mean"] == [{"threshold": 0.5, "f": 0.9}, {"threshold": 1, "f": 0}]
    text = (tmp_path / "report" / "report.md").read_text()
    assert "| SpotNet | 0.806 |" in text
    assert "| **here**, threshold 0.5 | 0.900 |" in text
    assert (tmp_path / "report" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_videos_without_maps_are_told(cdnet: tuple[Path, Path]) -> None:
    (cdnet[1] / "cameraJitter" / "traffic").rename(cdnet[1] / "elsewhere")
    result = run("--truth", cdnet[0], "--maps", cdnet[1])
    assert result.exit_code == 0, result.output
    assert "without maps: cameraJitter/traffic" in result.stdout


def test_bad_input_gets_one_line(cdnet: tuple[Path, Path], tmp_path: Path) -> None:
    truth, maps = cdnet
    (tmp_path / "empty").mkdir()
    cases = [
        ((truth, tmp_path / "none"), "none: no such folder of attention maps"),
        ((truth, tmp_path / "empty"), "empty: holds no maps of baseline/highway, cameraJitter/traffic"),
        ((tmp_path / "none", maps), "none: expected a folder"),
        ((truth, maps, "--only", "highwai"), "no sequence highwai; did you mean 'highway'?"),
        ((truth, tmp_path / "empty", "--only", "highway"), "highway: no such folder, expected the maps"),
    ]
    for (gt, folder, *more), message in cases:
        result = run("--truth", gt, "--maps", folder, *more)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


def test_bad_maps_are_named(cdnet: tuple[Path, Path]) -> None:
    truth, maps = cdnet
    path = maps / "highway" / "in000003.png"

    def message() -> str:
        result = run("--truth", truth, "--maps", maps)
        assert result.exit_code == 2, result.output
        assert result.stderr.count("\n") == 1
        return result.stderr

    write_map(maps / "highway", 3, [0, 1, 2])
    assert "in000003.png: expected height x width 1 x 6 like the frames, got 1 x 3" in message()
    path.write_bytes(path.read_bytes()[:40])
    assert "in000003.png" in message()
    path.unlink()
    assert "highway: no map of frame 3, which the benchmark evaluates" in message()


def test_truth_as_its_own_attention_is_perfect(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "cdnet" / "baseline" / "highway"
    truth, maps = tmp_path / "baseline" / "highway", tmp_path / "maps" / "highway"
    maps.mkdir(parents=True)
    (truth / "groundtruth").mkdir(parents=True)
    (truth / "input").symlink_to(source / "input")
    for name in ("ROI.bmp", "ROI.jpg"):
        if (source / name).exists():
            (truth / name).symlink_to(source / name)
    (truth / "temporalROI.txt").write_text("1000 1019")
    for number in range(1000, 1020):
        gt = source / "groundtruth" / f"gt{number:06d}.png"
        (truth / "groundtruth" / gt.name).symlink_to(gt)
        (maps / f"in{number:06d}.png").write_bytes(gt.read_bytes())
    result = run("--truth", truth, "--maps", tmp_path / "maps", "--json")
    assert result.exit_code == 0, result.output
    video = json.loads(result.stdout)["videos"]["highway"]
    assert video["frames"] == 20
    assert video["thresholds"] == [{"threshold": 0.67, "recall": 1, "precision": 1, "f": 1}]
