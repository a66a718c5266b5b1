"""Losses and decoder against the same formulas in plain Python, cell by cell, on a hundred random cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from spotlabel.detector.centernet.decode import decode
from spotlabel.detector.centernet.losses import centre_l1_loss, heatmap_loss, segmentation_loss

torch.set_num_threads(1)

BATCH, CLASSES, HEIGHT, WIDTH, SLOTS = 2, 3, 4, 5, 6
CASES = range(100)


def case(seed: int) -> dict[str, Tensor]:
    """Random outputs and targets; every fifth has no centre, no object at all, or saturated logits."""
    rng = np.random.default_rng(seed)
    shape = (BATCH, CLASSES, HEIGHT, WIDTH)
    logits = rng.normal(-1, 2, shape)
    target = rng.random(shape) ** 4
    centres = rng.random(shape) < 0.1
    mask = (rng.random((BATCH, SLOTS)) < 0.5).astype(np.float64)
    if seed % 5 == 0:
        centres[:] = False
    if seed % 5 == 1:
        centres[:], target[:], mask[:] = False, 0, 0
    if seed % 5 == 2:
        logits = np.where(rng.random(shape) < 0.5, 50.0, -50.0)
    target[centres] = 1
    found = {
        "logits": logits,
        "target": target,
        "prediction": rng.normal(0, 9, (BATCH, 2, HEIGHT, WIDTH)),
        "values": rng.normal(0, 9, (BATCH, SLOTS, 2)),
        "mask": mask,
        "seg": logits[:, :1],
        "soft": rng.random((BATCH, 1, HEIGHT, WIDTH)),
        "weight": (rng.random((BATCH, 1, HEIGHT, WIDTH)) < 0.7).astype(np.float64),
    }
    tensors = {name: torch.from_numpy(value) for name, value in found.items()}
    return {**tensors, "ind": torch.from_numpy(rng.integers(0, HEIGHT * WIDTH, (BATCH, SLOTS)))}


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def plain_heatmap_loss(logits: Tensor, target: Tensor, weight: Tensor) -> float:
    total, centres = 0.0, 0
    weights = weight.expand_as(target).flatten().tolist()
    for x, y, w in zip(logits.flatten().tolist(), target.flatten().tolist(), weights, strict=True):
        p = min(max(sigmoid(x), 1e-4), 1 - 1e-4)
        if y == 1:
            centres += 1
            total += (1 - p) ** 2 * math.log(p)
        else:
            total += w * (1 - y) ** 4 * p**2 * math.log(1 - p)
    return -total / max(centres, 1)


def plain_l1_loss(prediction: Tensor, values: Tensor, ind: Tensor, mask: Tensor) -> float:
    total = 0.0
    for b in range(BATCH):
        for k in range(SLOTS):
            y, x = divmod(int(ind[b, k]), WIDTH)
            for c in range(2):
                total += abs(float(prediction[b, c, y, x] - values[b, k, c])) * float(mask[b, k])
    return total / (2 * float(mask.sum()) + 1e-4)


def plain_segmentation_loss(seg: Tensor, soft: Tensor, weight: Tensor) -> float:
    terms = []
    columns = (seg.flatten().tolist(), soft.flatten().tolist(), weight.flatten().tolist())
    for x, y, w in zip(*columns, strict=True):
        # log(1 + exp(-|x|)) is the form that neither overflows nor loses digits.
        terms.append(w * (max(x, 0) - x * y + math.log1p(math.exp(-abs(x)))))
    return sum(terms) / max(float(weight.sum()), 1e-4)


@pytest.mark.parametrize("seed", CASES)
def test_losses_are_the_formulas(seed: int) -> None:
    c = case(seed)
    ones = torch.ones_like(c["weight"])
    found = heatmap_loss(c["logits"], c["target"])
    assert float(found) == pytest.approx(plain_heatmap_loss(c["logits"], c["target"], ones), rel=1e-9)
    weighted = heatmap_loss(c["logits"], c["target"], c["weight"])
    expected = plain_heatmap_loss(c["logits"], c["target"], c["weight"])
    assert float(weighted) == pytest.approx(expected, rel=1e-9)
    l1 = (c["prediction"], c["values"], c["ind"], c["mask"])
    assert float(centre_l1_loss(*l1)) == pytest.approx(plain_l1_loss(*l1), rel=1e-9)
    for weight in (None, c["weight"]):
        expected = plain_segmentation_loss(c["seg"], c["soft"], ones if weight is None else weight)
        assert float(segmentation_loss(c["seg"], c["soft"], weight)) == pytest.approx(expected, rel=1e-9)


def plain_peaks(scores: Tensor, image: int) -> list[tuple[float, int, int, int]]:
    """Score, class, y and x of the cells that no neighbour of their class exceeds, best first."""
    found = []
    for label in range(CLASSES):
        plane = scores[image, label].tolist()
        for y in range(HEIGHT):
            for x in range(WIDTH):
                around = [
                    plane[j][i]
                    for j in range(max(y - 1, 0), min(y + 2, HEIGHT))
                    for i in range(max(x - 1, 0), min(x + 2, WIDTH))
                ]
                if plane[y][x] == max(around):
                    found.append((plane[y][x], label, y, x))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("seed", range(0, 100, 5))
def test_the_best_peaks_over_all_classes_are_decoded(seed: int) -> None:
    c = case(seed)
    scores = c["logits"].sigmoid()
    wh, reg = c["prediction"].abs(), c["prediction"].sigmoid()
    count = 4
    found = decode(scores, wh, reg, count)
    for image in range(BATCH):
        for row, (score, label, y, x) in zip(found[image], plain_peaks(scores, image), strict=False):
            w, h = wh[image, :, y, x].tolist()
            cx, cy = x + float(reg[image, 0, y, x]), y + float(reg[image, 1, y, x])
            expected = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, score, label)
            assert row.tolist() == pytest.approx(expected, abs=1e-9)
