"""What learned labelers say of boxes beside their evidence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spotlabel.labelers import registry
from spotlabel.labelers.base import box_figures
from spotlabel.labelers.learned.figures import PAIR_FIGURES
from spotlabel.labelers.learned.fused import Fused
from spotlabel.labelers.learned.settings import FusedSettings
from spotlabel.labelers.masks.figures import FIGURES, DecidedBy
from tests.helpers.segmenters import segmenter
from tests.labelers.learned.test_learned_labelers import Street, Told
from tests.labelers.learned.test_student import described, student

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")


def told(says: list[np.ndarray | None], clip: Street, **network: object) -> list[dict[str, float]]:
    """Figures of the one box of each frame."""
    fused = Fused(Told(says), FusedSettings(), {"network": segmenter(**network)}, adds_only=False)
    figures = [evidence.figures for evidence in fused.label(clip)]
    assert all(set(one) == set(PAIR_FIGURES) for one in figures)
    return [{name: float(column[0]) for name, column in one.items()} for one in figures]


def test_agreement_is_high_where_both_are_right_and_low_where_one_is_wrong():
    clip = Street(count=12)
    elsewhere = clip.truth[5] & (np.arange(clip.size[1]) < 33)  # the left of the car
    says = [elsewhere if index == 5 else truth for index, truth in enumerate(clip.truth)]
    found = told(says, clip)
    assert all(one["network_iou"] > 0.9 for index, one in enumerate(found) if index != 5)
    assert found[5]["network_iou"] < 0.5
    assert {one["decided_by"] for one in found} == {DecidedBy.BOTH}


def test_the_reliability_of_a_video_shows_in_who_decided():
    clip = Street(count=12)
    halves = [truth & (np.arange(72) < 34)[:, None] for truth in clip.truth]  # not to be relied on
    assert {one["decided_by"] for one in told(halves, clip)} == {DecidedBy.OUTWEIGHED}
    silent: list[np.ndarray | None] = [np.zeros(clip.size, np.bool_) for _ in clip.truth]
    found = told([*silent[:-1], None], clip)
    assert np.isnan([one["network_iou"] for one in found]).all()
    assert {one["decided_by"] for one in found[:-1]} <= {DecidedBy.NETWORK, DecidedBy.LABELER}
    assert found[-1]["decided_by"] == DecidedBy.NETWORK


def test_a_network_that_cannot_be_relied_on_is_no_witness():
    clip = Street(count=12)
    found = told(list(clip.truth), clip, deviation=[99, 99, 99])  # all is grey to it
    assert np.isnan([one["network_iou"] for one in found]).all()


@pytest.mark.parametrize(
    ("trust", "decided"),
    [
        ({"network": True, "evidence": True, "exact": False}, DecidedBy.OUTWEIGHED),
        ({"network": True, "evidence": True, "exact": True}, DecidedBy.BOTH),
        ({"network": False, "evidence": True, "exact": False}, DecidedBy.LABELER),
    ],
)
def test_a_student_says_who_decided(trust: dict[str, bool], decided: DecidedBy):
    clip, labeler = Street(), student(boxes=10)
    labeler.learn(described(labeler, clip, trust=json.dumps(trust)), {})
    for frame, evidence in zip(clip.frames, labeler.label(clip), strict=True):
        assert {len(column) for column in evidence.figures.values()} == {len(frame.boxes)}
        whole = [
            by for by, box in zip(evidence.figures["decided_by"], frame.boxes, strict=True) if box[2] < 110
        ]
        assert set(whole) <= {decided}
        asked = np.isfinite(evidence.figures["network_iou"])
        assert asked.all() if trust["network"] else not asked.any()


@pytest.mark.parametrize(
    "name",
    ["boxbg-teacher", "boxbg-student", "egoflow-cut", "egoflow-cut-teacher", "egoflow-cut-student", "boxbg"],
)
def test_the_figures_of_a_labeler_are_known(name: str):
    figures = box_figures(registry.load(name))
    assert set(figures) <= set(FIGURES)
    assert bool(figures) == (name != "boxbg")
