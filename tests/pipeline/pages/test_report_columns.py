"""Figures of the report on literal stores: which boxes are judged and doubtful, why pixels are unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotlabel.labelers.masks import PRESETS
from spotlabel.pipeline.boxes import BoxFlag, BoxTable
from spotlabel.pipeline.pages.report.choose import chosen_boxes
from spotlabel.pipeline.pages.report.columns import BoxColumns, box_columns
from spotlabel.pipeline.pages.report.tally import Tally, tally
from spotlabel.pipeline.pages.report.timeline import timeline
from spotlabel.pipeline.pages.report.unknown import (
    COLOURS,
    NOT_BELIEVED,
    OTHER_CLASS,
    REGIONS,
    unknown_pixels,
)
from spotlabel.pipeline.store import FrameState, MaskReader, MaskWriter
from tests.helpers.stores import info

SIZE = (6, 10)
NAN = np.nan


def settings(**changes: Any) -> dict[str, Any]:
    return {**PRESETS["default"].model_dump(mode="json"), "box_padding": 0, **changes}


def store(path: Path, **changes: Any) -> MaskReader:
    """Four frames: two known ones of two boxes each, a warm-up frame with a box, an unreadable one."""
    boxes = BoxTable(
        np.array([0, 2, 4, 5, 5], np.int64),
        np.array([[0, 0, 4, 4], [2, 0, 6, 4], [0, 0, 4, 4], [6, 2, 10, 6], [0, 0, 2, 2]], np.float32),
        np.array([0, 1, 0, 0, 0], np.int16),
        np.array([7, -1, 7, 8, 7], np.int64),
        np.array([0, BoxFlag.OCCLUDED, BoxFlag.CLIPPED, BoxFlag.OCCLUDED | BoxFlag.CLIPPED, 0], np.uint8),
    )
    attributes = {
        "class_names": ["car", "dog"], "settings": settings(classes=["car"], **changes), "native_origin": 0.0,
        "labeler": "boxbg", "labeler_version": 1, "labeler_settings": {}, "camera": "fixed",
        "evidence_fingerprint": {},
    }  # fmt: skip
    first = np.zeros(SIZE, np.uint8)
    first[:4, :4] = 255  # of the car, which is not believed, but for a column of the dog's that is known
    first[:4, 2:6] = 255
    second = np.zeros(SIZE, np.uint8)
    second[0, :4], second[5, :3] = 1, 255
    states = (FrameState.OK, FrameState.OK, FrameState.WARM_UP, FrameState.UNREADABLE)
    masks = (first, second, np.full(SIZE, 255, np.uint8), None)
    believed = ([False, False], [True, True], [False], [])
    fill = ([0.1, 0.9], [0.5, 0.75], [0.0], [])
    score = ([0.05, 0.95], [0.45, 1.0], [NAN], [])
    with MaskWriter.writing(path, info(4, SIZE, **attributes), boxes) as writer:
        for index, state in enumerate(states):
            cues = {"believability": np.array(score[index], np.float32)}
            mask = masks[index]
            writer.put(
                index, np.full(SIZE, 255, np.uint8) if mask is None else mask, state,
                np.array(fill[index], np.float32), np.array(believed[index], np.bool_), cues,
            )  # fmt: skip
    return MaskReader(path)


@pytest.fixture
def masks(tmp_path: Path) -> MaskReader:
    return store(tmp_path / "a.h5")


def test_boxes_of_other_classes_and_of_unknown_frames_are_not_judged(masks: MaskReader) -> None:
    boxes = box_columns(masks)
    assert boxes.judged.tolist() == [True, False, True, True, False]
    assert boxes.doubtful.tolist() == [True, False, True, False, False]
    assert boxes.not_believed.tolist() == [True, False, False, False, True]
    assert boxes.other_class.tolist() == [False, True, False, False, False]
    assert boxes.whole == {2: "warm-up frames", 3: "unreadable frames"}
    assert boxes.missed == {"min_fill": 1, "min_believability": 1}


def test_figures_by_class_size_and_visibility(masks: MaskReader) -> None:
    boxes = box_columns(masks)
    groups = boxes.groups()
    assert groups["class"]["car"] == Tally(
        4, 3, 2, 2, pytest.approx(0.1 + 0.5 + 0.75), (1, 0, 0, 0, 1, 0, 0, 0, 0, 1)
    )
    assert groups["class"]["dog"] == Tally(boxes=1)
    assert groups["size"]["small (under 32x32 px)"].boxes == 5
    counts = {name: part.boxes for name, part in groups["visibility"].items()}
    assert counts == {"occluded": 2, "truncated by the image border": 2, "neither": 2}


def test_unknown_pixels_count_once_and_for_the_first_reason(masks: MaskReader) -> None:
    found = list(unknown_pixels(masks, box_columns(masks)))
    assert found == [
        {"boxes not believed": 16, "boxes of other classes": 8},
        {"ignore regions": 3},
        {"warm-up frames": 60},
        {"unreadable frames": 60},
    ]


def test_every_reason_has_its_colour() -> None:
    whole = {
        f"{state.name.lower().replace('_', '-')} frames" for state in FrameState if state != FrameState.OK
    }
    assert COLOURS.keys() == {NOT_BELIEVED, OTHER_CLASS, REGIONS, *whole}


def test_over_time(masks: MaskReader) -> None:
    line = timeline(masks.numbers, box_columns(masks), np.array([0.4, 0.05, 1, 1]))
    assert line.as_data() == {
        "first_frame": [1, 2, 3, 4], "last_frame": 4, "boxes": [2, 2, 1, 0],
        "fill": [0.1, 0.625, None, None], "believed": [0, 1, None, None], "unknown": [0.4, 0.05, 1, 1],
    }  # fmt: skip


def test_long_videos_are_told_in_160_stretches() -> None:
    boxes = many(1000)
    line = timeline(np.arange(1, 1001), boxes, np.linspace(0, 1, 1000))
    assert len(line.first) == 160
    assert line.first[[0, -1]].tolist() == [1, 994]
    assert line.boxes.tolist() == [1] * 160
    assert line.unknown.mean() == pytest.approx(0.5, abs=1e-3)


def many(count: int, score: np.ndarray | None = None, tracks: np.ndarray | None = None) -> BoxColumns:
    """A box a frame, each a track of its own unless said otherwise."""
    everywhere = np.ones(count, np.bool_)
    table = BoxTable(
        np.arange(count + 1), np.tile(np.array([[0, 0, 4, 4]], np.float32), (count, 1)),
        np.zeros(count, np.int16), np.arange(count) if tracks is None else tracks, np.zeros(count, np.uint8),
    )  # fmt: skip
    score = np.linspace(0, 1, count, dtype=np.float32) if score is None else score
    return BoxColumns(
        table=table, frame=np.arange(count), class_names=np.full(count, "car"),
        rects=table.xyxy.astype(np.int64), judged=everywhere, believed=score >= 0.4, doubtful=score < 0.5,
        fill=score, believability=score, not_believed=~everywhere, other_class=~everywhere, missed={},
        whole={},
    )  # fmt: skip


def test_worst_weakest_and_median_by_believability() -> None:
    score = np.array([0.9, 0.1, 0.45, 0.7, 0.0, 0.41, 0.6, 0.8, 0.95, 0.65, 0.66], np.float32)
    boxes = many(11, score)
    taken = chosen_boxes("street", boxes, 1)
    lot = int(taken["random"][0])
    rest = [k for k in range(11) if k != lot]
    assert taken["worst"].tolist() == [min(rest, key=lambda k: score[k])]
    believed = [k for k in rest if score[k] >= 0.4 and k not in taken["worst"]]
    assert taken["weakest"].tolist() == [min(believed, key=lambda k: score[k])]
    middle = [k for k in believed if k not in taken["weakest"]]
    assert taken["median"].tolist() == [min(middle, key=lambda k: abs(score[k] - 0.65))]


def test_an_object_is_shown_once_and_groups_take_turns() -> None:
    boxes = many(90, tracks=np.arange(90) // 10)
    taken = chosen_boxes("street", boxes, 2)
    assert {group: len(rows) for group, rows in taken.items()} == {
        "worst": 2, "weakest": 2, "median": 2, "random": 2,
    }  # fmt: skip
    objects = np.concatenate([*taken.values()]) // 10
    assert len(set(objects.tolist())) == len(objects)
    few = chosen_boxes("street", many(30, tracks=np.arange(30) // 10), 6)
    assert sum(map(len, few.values())) == 3
    assert [*chosen_boxes("street", many(9, tracks=np.zeros(9, np.int64)), 6)] == ["worst"]


def test_the_lot_falls_on_the_same_boxes_whatever_the_masks_are() -> None:
    once = chosen_boxes("street", many(50), 3)["random"].tolist()
    other = np.linspace(1, 0.2, 50, dtype=np.float32)
    assert once == chosen_boxes("street", many(50, other), 3)["random"].tolist()
    assert once != chosen_boxes("drone", many(50), 3)["random"].tolist()


def test_no_judged_boxes_no_choice() -> None:
    assert chosen_boxes("street", many(0), 3) == {}


def test_tallies_add_up() -> None:
    def part(*score: float) -> Tally:
        values, yes = np.array(score, np.float32), np.ones(len(score), np.bool_)
        return tally(yes, values >= 0.4, values < 0.5, values, values)

    assert part(0.0, 0.45, 1.0) == part(0.0) + part(0.45, 1.0)
    assert part(0.0, 0.45, 1.0).histogram == (1, 0, 0, 0, 1, 0, 0, 0, 0, 1)
    assert Tally().mean_fill is None
    assert part(0.5, 1.0).mean_fill == 0.75
