"""Which box answers for which object; which boxes nobody may be asked about; which are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.detector.regions.boxes import iou
from spotlabel.detector.regions.matching import (
    NEGATIVE,
    POSITIVE,
    UNUSED,
    Objects,
    match,
    unlabelled_share,
    visible_objects,
)
from spotlabel.detector.regions.sampling import balanced_sample

OBJECT = [0.0, 0, 10, 10]
seeds = st.integers(0, 2**31 - 1)


def objects(*pictures: list[list[float]]) -> Objects:
    """Pictures with these boxes, all of class 0."""
    most = max(1, *map(len, pictures))
    boxes, present = torch.zeros(len(pictures), most, 4), torch.zeros(len(pictures), most, dtype=torch.bool)
    for number, own in enumerate(pictures):
        boxes[number, : len(own)] = torch.tensor(own).reshape(-1, 4)
        present[number, : len(own)] = True
    return Objects(boxes, torch.zeros(len(pictures), most, dtype=torch.int64), present)


def wide(overlap: float) -> list[float]:
    """A box that covers the object and overlaps it by this IoU."""
    return [0, 0, 10 / overlap, 10]


def test_thresholds():
    boxes = torch.tensor([wide(0.8), wide(0.5), wide(0.25), [50, 50, 60, 60]])
    found = match(boxes, objects([OBJECT]), 0.7, 0.3)
    assert found.label.tolist() == [[POSITIVE, UNUSED, NEGATIVE, NEGATIVE]]


def test_a_threshold_itself_counts():
    boxes = torch.tensor([wide(0.5)])  # 10 by 20 against 10 by 10: exactly a half
    assert match(boxes, objects([OBJECT]), 0.5, 0.5).label.tolist() == [[POSITIVE]]
    assert match(boxes, objects([OBJECT]), 0.7, 0.5).label.tolist() == [[UNUSED]]


def test_every_object_keeps_its_best_box_even_a_bad_one_and_all_that_are_as_good():
    boxes = torch.tensor([[5.0, 0, 25, 10], [5, 0, 25, 10], [40, 40, 50, 50], [8, 0, 28, 10]])
    found = match(boxes, objects([OBJECT]), 0.7, 0.3, keep_best=True)
    assert found.label.tolist() == [[POSITIVE, POSITIVE, NEGATIVE, NEGATIVE]]
    assert match(boxes, objects([OBJECT]), 0.7, 0.3).label.tolist() == [[NEGATIVE] * 4]


def test_an_object_that_nothing_touches_makes_nothing_positive():
    boxes = torch.tensor([[40.0, 40, 50, 50]])
    assert match(boxes, objects([OBJECT]), 0.7, 0.3, keep_best=True).label.tolist() == [[NEGATIVE]]


def test_a_kept_box_answers_for_the_object_that_it_fits_best():
    # The second object's best box fits the first object better.
    found = match(
        torch.tensor([[0.0, 0, 10, 11]]), objects([OBJECT, [0, 9, 10, 30]]), 0.7, 0.3, keep_best=True
    )
    assert found.label.tolist() == [[POSITIVE]]
    assert found.best.tolist() == [[0]]


def test_pictures_do_not_see_one_anothers_objects():
    boxes = torch.tensor([OBJECT, [50, 50, 60, 60]])
    found = match(boxes, objects([OBJECT], [], [[50, 50, 60, 60]]), 0.7, 0.3, keep_best=True)
    assert found.label.tolist() == [[POSITIVE, NEGATIVE], [NEGATIVE, NEGATIVE], [NEGATIVE, POSITIVE]]


@given(seed=seeds, keep=st.booleans())
def test_matching_is_the_rule_box_by_box(seed, keep):
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 30, (12, 2))
    boxes = torch.from_numpy(np.concatenate([corner, corner + rng.integers(1, 20, (12, 2))], 1)).float()
    there = boxes[: rng.integers(1, 5)]
    found = match(boxes[4:], objects(there.tolist()), 0.6, 0.3, keep_best=keep)
    table = iou(there, boxes[4:])
    for n in range(8):
        column = table[:, n].tolist()
        best = max(column)
        kept = keep and any(column[k] == max(table[k].tolist()) > 0 for k in range(len(there)))
        expected = POSITIVE if best >= 0.6 or kept else NEGATIVE if best < 0.3 else UNUSED
        assert found.label[0, n] == expected
        assert column[found.best[0, n]] == best


def test_objects_are_cut_at_the_picture_and_moved_to_the_front():
    boxes = torch.zeros(2, 20, 4)
    present = torch.zeros(2, 20, dtype=torch.bool)
    boxes[0, 3] = torch.tensor([-5.0, 5, 20, 50])
    boxes[0, 7] = torch.tensor([45.0, 45, 60, 60])  # behind the end of its picture
    boxes[0, 9] = torch.tensor([1.0, 2, 3, 4])
    present[0, [3, 7, 9]] = True
    classes = torch.arange(20).expand(2, 20)
    found = visible_objects(boxes, classes, present, torch.tensor([[40, 30], [40, 30]]))
    assert found.boxes.shape == (2, 8, 4)
    assert found.present.sum(1).tolist() == [2, 0]
    assert found.boxes[0, :2].tolist() == [[0, 5, 20, 40], [1, 2, 3, 4]]
    assert found.classes[0, :2].tolist() == [3, 9]
    assert not found.boxes[~found.present].any()


@given(seed=seeds)
def test_the_unlabelled_share_of_a_box_is_that_of_its_pixels(seed):
    rng = np.random.default_rng(seed)
    labelled = (rng.random((2, 1, 6, 9)) < 0.6).astype(np.float32)
    corner = rng.integers(-12, 30, (2, 5, 2)) / 4  # quarters of pixels, some off the canvas
    boxes = np.concatenate([corner, corner + rng.integers(1, 20, (2, 5, 2)) / 4], 2)
    found = unlabelled_share(torch.from_numpy(boxes).float(), torch.from_numpy(labelled))
    fine = np.pad(labelled[:, 0], ((0, 0), (10, 10), (10, 10)), constant_values=1).repeat(4, 1).repeat(4, 2)
    for b in range(2):
        for n in range(5):
            x0, y0, x1, y1 = (boxes[b, n] * 4 + 40).astype(int)
            assert found[b, n].item() == pytest.approx(1 - fine[b, y0:y1, x0:x1].mean(), abs=1e-5)


def test_sampling_takes_positives_up_to_their_share_then_negatives():
    label = torch.tensor([[1] * 6 + [0] * 20 + [-1] * 10, [1] * 2 + [0] * 20 + [-1] * 14])
    found = balanced_sample(label, 8, 0.5, torch.Generator().manual_seed(0))
    assert found.chosen.shape == (2, 8)
    assert found.positive.sum(1).tolist() == [4, 2]
    assert bool(found.valid.all())
    drawn = label.gather(1, found.chosen)
    assert torch.equal(drawn == 1, found.positive)
    assert bool((drawn >= 0).all())
    assert all(len(set(row)) == 8 for row in found.chosen.tolist())


def test_a_sample_of_too_few_is_filled_up_and_says_so():
    found = balanced_sample(torch.tensor([[-1, 1, 0, -1, -1], [-1] * 5]), 4, 0.5)
    assert found.valid.sum(1).tolist() == [2, 0]
    assert found.positive.sum(1).tolist() == [1, 0]
    assert found.chosen[0, :2].tolist() == [1, 2]
    assert balanced_sample(torch.zeros(1, 3, dtype=torch.int64), 9, 0.5).valid.tolist() == [[True] * 3]


def test_the_same_seed_draws_the_same_and_every_box_is_drawn_sooner_or_later():
    label = torch.tensor([[1] * 5 + [0] * 9])
    draws = [balanced_sample(label, 4, 0.5, torch.Generator().manual_seed(s)).chosen for s in range(60)]
    again = [balanced_sample(label, 4, 0.5, torch.Generator().manual_seed(s)).chosen for s in range(60)]
    assert all(torch.equal(a, b) for a, b in zip(draws, again, strict=True))
    assert set(torch.stack(draws).flatten().tolist()) == set(range(14))
