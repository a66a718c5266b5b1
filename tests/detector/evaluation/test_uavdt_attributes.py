"""UAVDT by sequence attribute and by kind of object."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from spotlabel.detector.evaluation.traffic import uavdt
from spotlabel.detector.evaluation.traffic.uavdt_attributes import (
    ATTRIBUTES,
    TEST_ATTRIBUTES,
    read_attributes,
    subsets,
)
from spotlabel.pipeline.cli.main import main
from spotlabel.pipeline.errors import DatasetError
from tests.helpers.evaluations import found, truth

# Positions in the toolkit's list of test sequences, from 1, as its script for sequence attributes has them.
TOOLKIT = {
    "daylight": [3, 4, 5, 6, 7, 8, 10, 11, 17, 18, 19, 20],
    "night": [1, 2, 12, 14, 16],
    "fog": [9, 13, 15],
    "low-alt": [1, 2, 4, 10, 11, 16, 19, 20],
    "medium-alt": [3, 5, 7, 8, 12, 13, 14, 15, 17, 18],
    "high-alt": [6, 9],
    "front-view": [3, 4, 5, 6, 7, 8, 12, 13, 14, 16, 17, 20],
    "side-view": [2, 4, 5, 6, 8, 11, 16, 18, 19],
    "bird-view": [1, 9, 10, 15],
    "long-term": [4, 12],
}


def test_test_sequences_have_the_attributes_of_the_toolkit() -> None:
    names = list(uavdt.TEST_LENGTHS)
    assert list(TEST_ATTRIBUTES) == names
    expected = {attribute: [names[i - 1] for i in places] for attribute, places in TOOLKIT.items()}
    assert subsets(names, TEST_ATTRIBUTES) == expected
    assert tuple(expected) == ATTRIBUTES


def test_every_test_sequence_has_one_weather_one_altitude_and_a_view() -> None:
    for attributes in TEST_ATTRIBUTES.values():
        held = set(attributes)
        assert len(held & set(ATTRIBUTES[:3])) == 1
        assert len(held & set(ATTRIBUTES[3:6])) == 1
        assert held & set(ATTRIBUTES[6:9])


def test_long_sequences_are_long() -> None:
    lengths = {name: uavdt.TEST_LENGTHS[name] for name in TEST_ATTRIBUTES}
    long = {name for name, attributes in TEST_ATTRIBUTES.items() if "long-term" in attributes}
    assert min(lengths[n] for n in long) > max(lengths[n] for n in lengths if n not in long)


def test_attribute_files(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "M0203_attr.txt").write_text("0,1,0,1,0,0,1,0,1,0")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "M0101 _attr.txt").write_text("1, 0, 0, 0, 0, 1, 0, 1, 0, 1\r\n")
    assert read_attributes(tmp_path, "M0203") == ("night", "low-alt", "front-view", "bird-view")
    assert read_attributes(tmp_path / "test", "M0203") == read_attributes(tmp_path, "M0203")
    assert read_attributes(tmp_path, "M0101") == ("daylight", "high-alt", "side-view", "long-term")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0,1,0,1,0,0,1,0,1", r"line 1: 9 columns, expected 10"),
        ("0,1,0,1,0,0,1,0,1,2", r"expected one row of 10 numbers 0 or 1"),
        ("0,1,0,1,0,0,1,0,1,0\n" * 2, r"expected one row of 10"),
        ("", r"expected one row of 10"),
        ("night", r"line 1"),
    ],
)
def test_bad_attribute_files_are_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "M0203_attr.txt").write_text(text)
    with pytest.raises(DatasetError, match=rf"M0203_attr\.txt: .*{problem}|M0203_attr\.txt: {problem}"):
        read_attributes(tmp_path, "M0203")


def test_missing_and_doubled_attribute_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no attribute files of M0203, expected one M0203_attr\.txt"):
        read_attributes(tmp_path, "M0203")
    (tmp_path / "M0203_attr.txt").write_text("")
    (tmp_path / "M0203 _attr.txt").write_text("")
    with pytest.raises(DatasetError, match="2 attribute files of M0203"):
        read_attributes(tmp_path, "M0203")
    with pytest.raises(DatasetError, match="none: no such folder of attribute files"):
        read_attributes(tmp_path / "none", "M0203")


def test_kinds_of_objects_share_their_pairs() -> None:
    boxes = ((1, 0, 0, 10, 10), (1, 30, 0, 10, 10), (2, 0, 0, 10, 10))
    labels = {"category": [1, 3, 1], "occlusion": [1, 4, 2], "out_of_view": [2, 1, 1]}
    objects = truth(*boxes, labels={name: np.array(values) for name, values in labels.items()})
    detections = found((1, 0, 0, 10, 9, 0.9), (1, 60, 0, 10, 10, 0.8), (2, 0, 0, 10, 10, 0.7))
    prepared = [(objects, uavdt.find_pairs(objects, detections))]
    figures = {}
    for name, kind in uavdt.KINDS.items():
        curve = uavdt.evaluate_objects(prepared, *kind)
        figures[name] = (curve.objects, curve.hits, curve.uncounted)
    assert figures == {
        "car": (2, 2, 0),
        "truck": (0, 0, 2),
        "bus": (1, 0, 2),
        "no occlusion": (1, 1, 1),
        "large occlusion": (1, 1, 1),
        "medium occlusion": (0, 0, 2),
        "small occlusion": (1, 0, 2),
        "in view": (2, 1, 1),
        "medium out of view": (1, 1, 1),
        "small out of view": (0, 0, 2),
    }


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """M0205 (night, low, side) finds its object, M0209 (daylight, low, front and side, long) does not."""
    gt, results = tmp_path / "GT", tmp_path / "found"
    gt.mkdir()
    results.mkdir()
    for name, left in (("M0205", 10), ("M0209", 400), ("M0101", 10)):
        (gt / f"{name}_gt_whole.txt").write_text("1,1,10,10,20,20,1,1,1\n")
        (gt / f"{name}_gt_ignore.txt").write_text("")
        (results / f"{name}.txt").write_text(f"1,-1,{left},10,20,20,0.9,1,-1\n")
    return gt, results


def evaluated(folders: tuple[Path, Path], *more: object):
    paths = ["--truth", str(folders[0]), "--detections", str(folders[1])]
    return CliRunner().invoke(main, ["evaluate", "uavdt", *paths, *map(str, more), "--json"])


def test_subsets_of_the_toolkit_need_no_files(folders: tuple[Path, Path]) -> None:
    data = json.loads(evaluated(folders).stdout)
    assert {name: row["ap"] for name, row in data["subset"].items()} == {
        "daylight": 0,
        "night": 100,
        "low-alt": 50,
        "front-view": 0,
        "side-view": 50,
        "long-term": 0,
    }
    assert data["objects"]["no occlusion"]["objects"] == 3
    assert data["objects"]["truck"]["ap"] is None


def test_attribute_files_replace_the_lists_of_the_toolkit(folders: tuple[Path, Path], tmp_path: Path) -> None:
    attributes = tmp_path / "M_attr"
    attributes.mkdir()
    for name in ("M0205", "M0209"):
        (attributes / f"{name}_attr.txt").write_text("0,0,1,0,0,1,0,0,1,0\n")
    result = evaluated(folders, "--attributes", attributes)
    assert result.exit_code == 2
    assert "M_attr: no attribute files of M0101" in result.stderr
    (attributes / "M0101_attr.txt").write_text("1,0,0,0,0,1,0,0,1,0\n")
    data = json.loads(evaluated(folders, "--attributes", attributes).stdout)
    counts = {name: (row["found"], row["objects"]) for name, row in data["subset"].items()}
    assert counts == {"daylight": (1, 1), "fog": (1, 2), "high-alt": (2, 3), "bird-view": (2, 3)}
