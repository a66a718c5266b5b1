"""Samples of boxes: what is drawn, and that every box of a stratum has the same chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.audit.proposal import (
    Population,
    allocate,
    propose,
    read_proposal,
    systematic,
    write_proposal,
)
from spotlabel.pipeline.boxes import size_of
from spotlabel.pipeline.errors import DatasetError, SpotlabelError


def population(name: str, kinds: list[tuple[str, str, str]], track: int = 5) -> Population:
    count = len(kinds)
    return Population(
        name, np.arange(count) + 10, np.zeros(count, np.int64), np.full(count, track, np.int64),
        np.tile(np.array([0, 1.25, 8, 9], np.float32), (count, 1)), kinds,
    )  # fmt: skip


CAR, BUS = ("car", "small", "high"), ("bus", "large", "low")


def test_small_strata_have_more_than_their_share_and_no_box_comes_twice():
    videos = [population("a", [CAR] * 900), population("b", [CAR] * 700 + [BUS] * 100)]
    made = propose(videos, 50, seed=3)
    assert [(s.class_name, s.size, s.believability, s.boxes, s.drawn) for s in made.strata] == [
        ("bus", "large", "low", 100, 10),
        ("car", "small", "high", 1600, 40),
    ]
    keys = [(box.video, box.frame) for box in made.boxes]
    assert len({*keys}) == 50
    cars = [box.video for box in made.boxes if box.class_name == "car"]
    assert cars.count("a") in (22, 23)  # 900 of 1600, evenly
    assert {box.stratum for box in made.boxes if box.class_name == "bus"} == {0}


def test_the_same_seed_draws_the_same_and_another_one_others():
    videos = [population("a", [CAR] * 300)]
    assert propose(videos, 20, 1) == propose(videos, 20, 1) != propose(videos, 20, 2)


def test_of_few_boxes_all_are_drawn():
    made = propose([population("a", [CAR] * 3)], 200, 0)
    assert sorted(box.frame for box in made.boxes) == [10, 11, 12]


def test_too_small_a_sample_is_refused():
    with pytest.raises(SpotlabelError, match=r"2 kinds of boxes .*: ask for at least 4"):
        propose([population("a", [CAR] * 3 + [BUS] * 3)], 3, 0)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=30), st.integers(0, 400))
def test_allocation_keeps_its_promises(sizes, more):
    strata = np.array(sizes, np.int64)
    least = np.minimum(strata, 2)
    count = int(least.sum()) + more
    drawn = allocate(strata, count)
    assert (drawn >= least).all()
    assert (drawn <= strata).all()
    assert drawn.sum() == min(count, strata.sum())


def test_every_box_of_a_stratum_has_the_same_chance():
    random = np.random.default_rng(0)
    times = np.zeros(7)
    for _ in range(4000):
        drawn = systematic(7, 3, random)
        assert len({*drawn}) == 3
        times[drawn] += 1
    assert times / 4000 == pytest.approx(np.full(7, 3 / 7), abs=0.03)


def test_a_sample_is_read_as_it_was_written(tmp_path: Path):
    path = tmp_path / "manual" / "proposal.json"
    assert read_proposal(path) is None
    made = propose([population("a\tb", [CAR] * 5 + [BUS]), population("c", [CAR] * 4, track=-1)], 8, 0)
    write_proposal(path, made)
    assert read_proposal(path) == made
    lines = path.with_suffix(".tsv").read_text().splitlines()
    assert len(lines) == 9
    assert all(line.count("\t") == 10 for line in lines)
    assert made.of("c")[made.of("c").keys().__iter__().__next__()].xyxy == (0, 1.25, 8, 9)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("proposal 1", "proposal 9", "spotlabel: expected 'proposal 1'"),
        ('"stratum": 0', '"stratum": 7', "stratum is 7, of 1"),
        ('"xyxy"', '"edges"', "xyxy is None"),
        ("1.25", f"1{'0' * 400}", "expected four numbers"),
        ("1.25", "true", "expected four numbers"),
        ('"frame": 1', '"frame": "x', "no valid JSON"),
    ],
)
def test_a_file_that_is_no_sample_is_told(tmp_path: Path, old, new, told):
    path = tmp_path / "proposal.json"
    write_proposal(path, propose([population("a", [CAR] * 5)], 2, 0))
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError) as error:
        read_proposal(path)
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)


def test_sizes_are_those_of_coco():
    sizes = {32: "medium", 31.9: "small", 95.9: "medium", 96: "large"}
    for side, name in sizes.items():
        assert size_of(np.array([2, 3, 2 + side, 3 + side], np.float32)) == name
