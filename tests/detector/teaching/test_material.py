"""What a student is shown lies where it says, however it is turned about."""

from __future__ import annotations

import numpy as np
import torch

from spotlabel.detector.teaching.losses import loss
from spotlabel.detector.teaching.material import Material, Shown, shown
from tests.detector.teaching.test_course import SIDE, SIZE, discs


def many(material: Material, count: int = 60) -> Shown:
    rows = np.arange(count) % len(material.crops)
    return shown(material, rows, SIZE, np.random.default_rng(2))


def test_targets_keep_to_their_boxes_and_objects_to_their_targets():
    batch = many(discs())
    colours = batch.crops[:, :3].mean(1)
    for index in range(len(colours)):
        within, target = batch.within[index], batch.targets[index] > 0.5
        assert not batch.weights[index][~within].any()
        assert torch.equal(batch.crops[index, 3] == 1, within)
        visible = batch.crops[index, 3] > -1
        assert colours[index][visible & target].mean() > colours[index][visible & ~target].mean() + 0.8


def test_objects_are_cut_off_by_artificial_borders_and_their_boxes_are_tight():
    batch = many(discs())
    outside = batch.crops[:, 3] == -1
    cut = outside.flatten(1).any(1)
    assert 0.15 < cut.float().mean() < 0.45
    for index in torch.nonzero(cut)[:, 0]:
        assert (batch.crops[index, :3][:, outside[index]] == -2).all()  # black, as outside a real image
        assert not batch.crops[index, 4][outside[index]].any()
        target = (batch.targets[index] > 0.5) & batch.within[index]
        for axis in (0, 1):
            rows, box = target.any(axis), batch.within[index].any(axis)
            assert (rows != box).sum() <= 4  # a pixel of the lesson's crop on either side


def test_the_other_labelers_evidence_is_left_out_of_some_crops():
    silent = (many(discs()).crops[:, 4] == 0).flatten(1).all(1)
    assert 0.05 < silent.float().mean() < 0.4


def test_boxes_that_are_not_trusted_are_not_cut_off():
    material = discs()
    material.whole[:] = False
    assert not (many(material).crops[:, 3] == -1).any()


def test_the_truth_costs_least():
    batch = many(discs())
    right = (batch.targets > 0.5).float() * 16 - 8
    costs = [float(loss(right * factor, batch)) for factor in (1.0, 0.1, -1.0)]
    assert costs[0] < 0.4 < costs[1] < costs[2]


def test_a_mask_that_misses_rows_of_its_box_costs_more():
    batch = many(discs(), 8)
    silent = Shown(
        batch.crops, batch.targets, torch.zeros_like(batch.weights), batch.within, batch.whole & False
    )
    whole, half = (torch.full((8, SIZE, SIZE), 6.0) for _ in range(2))
    half[:, : SIZE // 2] = -6
    assert loss(whole, silent) < 0.01
    assert loss(half, silent) > 0.3
    assert loss(half, silent, projection=0.0) == 0
    assert SIDE > SIZE
