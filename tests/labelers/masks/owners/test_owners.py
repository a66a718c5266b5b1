"""Whose pixels: literal scenes of two objects, and what holds for any boxes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.labelers.masks import OwnerSettings
from spotlabel.labelers.masks.owners import NO_OWNER, Claimed, FrameOwners, owner_plane, window, with_owners
from spotlabel.labelers.masks.shapes import GRID, box_shapes

SIZE = (60, 90)
RULES = ("tracks", "lower-edge", "smaller-box", "nearest-edge")


def frame(
    mask: np.ndarray,
    boxes: list[tuple[int, int, int, int]],
    tracks: list[int] | None = None,
    occluded: list[bool] | None = None,
    claims: list[bool] | None = None,
) -> Claimed:
    rects = np.array(boxes, np.int64).reshape(-1, 4)
    n = len(rects)
    return Claimed(
        mask=mask,
        rects=rects,
        claims=np.array(claims or [True] * n, np.bool_),
        shapes=box_shapes((mask == 1).astype(np.uint8), rects),
        tracks=np.array(list(range(n)) if tracks is None else tracks, np.int64),
        occluded=np.array(occluded or [False] * n, np.bool_),
        overlap=np.ones(n, np.float32),
    )


def planes(frames: list[Claimed], **options: object) -> list[np.ndarray]:
    found = list(with_owners(frames, OwnerSettings.model_validate(options)))
    assert all(isinstance(one, FrameOwners) for one in found)
    return [
        owner_plane(one.mask, one.rects, owners.claims, owners.runs)
        for one, owners in zip(frames, found, strict=True)
        if owners is not None
    ]


def triangle(left: int, top: int, side: int) -> np.ndarray:
    """The lower right half of a square: the object leaves the upper left corner of its box free."""
    plane = np.zeros(SIZE, np.bool_)
    plane[top : top + side, left : left + side] = np.fliplr(np.tri(side, dtype=np.bool_))
    return plane


def passing(positions: list[int]) -> tuple[list[Claimed], list[np.ndarray]]:
    """A square behind a triangle that drives past it; boxes are what is seen of each. Also the truth."""
    frames, truth = [], []
    for x in positions:
        front, back = triangle(30, 20, 36), np.zeros(SIZE, np.bool_)
        back[14:40, x : x + 26] = True
        back &= ~front
        boxes = [(30, 20, 66, 56)]
        owner = np.where(front, 0, NO_OWNER)
        if back.any():
            y, columns = np.nonzero(back)
            boxes.append((columns.min(), y.min(), columns.max() + 1, y.max() + 1))
            owner[back] = 1
        frames.append(frame((front | back).astype(np.uint8), boxes))
        truth.append(owner)
    return frames, truth


def test_what_shows_past_the_outline_of_the_front_object_is_the_other_ones() -> None:
    frames, truth = passing([0, 1, 2, 3, 20, 22, 24, 26])
    found = planes(frames)
    right = {"tracks": 0, "lower-edge": 0}
    count = 0
    for rule in right:
        for one, owner, seen in zip(planes(frames, rule=rule), truth, frames, strict=True):
            a, b = seen.rects.tolist()
            shared = np.zeros(SIZE, np.bool_)
            shared[max(a[1], b[1]) : min(a[3], b[3]), max(a[0], b[0]) : min(a[2], b[2])] = True
            shared &= seen.mask == 1
            right[rule] += np.count_nonzero(one[shared] == owner[shared])
            count += np.count_nonzero(shared) if rule == "tracks" else 0
    assert count > 500
    assert right["lower-edge"] < 0.7 * count
    assert right["tracks"] > 0.95 * count
    assert len(found) == len(frames)


def test_the_annotation_tells_who_is_hidden_where_lower_edges_do_not() -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[10:40, 10:60] = 1
    boxes = [(10, 10, 40, 40), (30, 10, 60, 40)]
    for hidden, owner in (([False, True], 0), ([True, False], 1)):
        (plane,) = planes([frame(mask, boxes, occluded=hidden)])
        assert (plane[18:32, 31:34] == owner).all()


def test_the_order_of_a_frame_gives_way_to_the_order_of_the_frames_around_it() -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[10:44, 10:60] = 1
    clear, jitter = [(10, 10, 40, 44), (30, 10, 60, 40)], [(10, 10, 40, 42), (30, 10, 60, 44)]
    frames = [frame(mask, boxes) for boxes in (clear, clear, jitter, clear, clear)]
    assert (planes(frames)[2][14:38, 32:36] == 0).all()
    assert (planes(frames, window=0)[2][14:38, 32:36] == 1).all()
    unnamed = [frame(mask, boxes, tracks=[-1, -1]) for boxes in (clear, clear, jitter, clear, clear)]
    assert (planes(unnamed)[2][14:38, 32:36] == 1).all()


def test_a_box_that_claims_nothing_takes_nothing() -> None:
    mask = np.ones(SIZE, np.uint8)
    boxes = [(0, 0, 40, 40), (20, 0, 60, 60)]
    (found,) = with_owners([frame(mask, boxes, claims=[True, False])], OwnerSettings())
    assert found is not None
    assert not len(found.runs)
    assert found.contested.tolist() == pytest.approx([0, np.nan], nan_ok=True)
    assert np.isnan(found.won).all()


def test_what_is_said_of_each_box() -> None:
    mask = np.ones(SIZE, np.uint8)
    boxes = [(0, 0, 40, 40), (20, 0, 60, 60), (70, 0, 80, 10)]
    (found,) = with_owners([frame(mask, boxes)], OwnerSettings(rule="lower-edge"))
    assert found is not None
    assert found.contested.tolist() == pytest.approx([0.5, 1 / 3, 0])
    assert found.won[:2].tolist() == [0, 1]
    assert found.by_depth[:2].tolist() == [1, 1]
    assert found.runs.tolist() == [[800, 1]]


def test_frames_without_pixels_keep_their_place() -> None:
    one = frame(np.ones(SIZE, np.uint8), [(0, 0, 40, 40), (20, 0, 60, 60)])
    found = list(with_owners([None, one, None, None, one, None], OwnerSettings(window=1)))
    assert [owners is None for owners in found] == [True, False, True, True, False, True]


def test_no_more_frames_are_held_than_the_window_says() -> None:
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield frame(np.ones(SIZE, np.uint8), [(0, 0, 40, 40), (20, 0, 60, 60)])

    found = with_owners(endless(), OwnerSettings(window=3))
    for done in range(1, 12):
        assert next(found) is not None
        assert taken == done + 3


def test_of_very_many_boxes_the_lower_edge_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.random.default_rng(5).choice(np.array([0, 1, 1, 255], np.uint8), SIZE)
    boxes = [(0, 0, 40, 40), (20, 0, 60, 59), (30, 10, 80, 50), (85, 3, 88, 6)]
    frames = [frame(mask, boxes)] * 2
    wanted = planes(frames, rule="lower-edge")
    assert (planes(frames)[1] != wanted[1]).any()
    monkeypatch.setattr(window, "MANY_BOXES", 2)
    for found, simple in zip(planes(frames), wanted, strict=True):
        assert (found == simple).all()


def test_memory_and_work_do_not_grow_with_pairs_of_boxes() -> None:
    random = np.random.default_rng(1)
    corners = random.integers(0, 300, (6000, 2))
    rects = np.concatenate([corners, corners + random.integers(20, 40, corners.shape)], axis=1)
    mask = random.integers(0, 2, (400, 400)).astype(np.uint8)
    n = len(rects)
    shapes, yes = np.zeros((n, GRID, GRID), np.uint8), np.ones(n, np.bool_)
    one = Claimed(mask, rects, yes, shapes, np.arange(n), ~yes, np.ones(n, np.float32))
    tracemalloc.start()
    (found,) = with_owners([one], OwnerSettings())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60e6  # of 600,000 pairs: 100 MB
    assert found is not None
    plane = owner_plane(mask, rects, yes, found.runs)
    y, x = np.nonzero(plane != NO_OWNER)
    for at in range(0, len(y), 997):
        row = int(plane[y[at], x[at]])
        over = (rects[:, :2] <= [x[at], y[at]]).all(axis=1) & (rects[:, 2:] > [x[at], y[at]]).all(axis=1)
        assert over[row]
        assert rects[row, 3] == rects[over, 3].max()


BOX = st.tuples(st.integers(0, 70), st.integers(0, 40), st.integers(1, 20), st.integers(1, 20))


@given(
    st.lists(BOX, min_size=1, max_size=7, unique=True),
    st.integers(0, 2**32 - 1),
    st.sampled_from(RULES),
    st.randoms(use_true_random=False),
)
def test_a_foreground_pixel_in_a_box_has_one_owner_that_holds_it_whatever_the_order(
    corners: list[tuple[int, int, int, int]], seed: int, rule: str, random
) -> None:
    mask = np.random.default_rng(seed).choice(np.array([0, 1, 1, 1, 255], np.uint8), SIZE)
    boxes = [(x, y, x + w, y + h) for x, y, w, h in corners]
    held = np.zeros((len(boxes), *SIZE), np.bool_)
    for plane, (x0, y0, x1, y1) in zip(held, boxes, strict=True):
        plane[y0:y1, x0:x1] = True
    (owners,) = planes([frame(mask, boxes)], rule=rule)
    owned = owners != NO_OWNER
    assert (owned == ((mask == 1) & held.any(axis=0))).all()
    y, x = np.nonzero(owned)
    assert held[owners[y, x], y, x].all()

    order = list(range(len(boxes)))
    random.shuffle(order)
    (shuffled,) = planes([frame(mask, [boxes[i] for i in order], tracks=order)], rule=rule)
    assert (np.array([*order, NO_OWNER])[np.minimum(shuffled, len(order))] == owners).all()
