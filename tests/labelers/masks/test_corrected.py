"""Corrections put before what the rules made of a frame."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.labelers.masks.corrected import Decision, FrameRules, Vouched, correct, fill_of
from spotlabel.labelers.masks.owners.plane import NO_OWNER, contested_runs, owner_plane

NO_REGIONS = np.zeros((0, 4), np.int64)


def plane(*rows: str) -> np.ndarray:
    """``.`` background, ``?`` unknown, a letter foreground."""
    values = {".": 0, "?": 255}
    return np.array([[values.get(sign, 1) for sign in row] for row in rows], np.uint8)


def letters(owners: np.ndarray, mask: np.ndarray) -> list[str]:
    """Owners as letters, ``a`` for the first box, over the mask as :func:`plane` has it."""
    signs = {0: ".", 255: "?"}
    return [
        "".join(
            signs.get(value, "*" if owner == NO_OWNER else chr(ord("a") + owner))
            for value, owner in zip(row, owner_row, strict=True)
        )
        for row, owner_row in zip(mask.tolist(), owners.tolist(), strict=True)
    ]


def frame(
    rects: list[list[int]],
    *rows: str,
    unknown: tuple[int, ...] = (),
    regions: np.ndarray = NO_REGIONS,
    owned: bool = True,
) -> FrameRules:
    """A frame in which letters say whose foreground is; boxes in ``unknown`` claim nothing."""
    mask, places = plane(*rows), np.array(rects, np.int64)
    claims = np.array([row not in unknown for row in range(len(rects))])
    owners = np.full(mask.shape, NO_OWNER, np.uint16)
    for y, line in enumerate(rows):
        for x, sign in enumerate(line):
            if sign.isalpha():
                owners[y, x] = ord(sign) - ord("a")
    runs = contested_runs(mask, places, claims, owners) if owned else None
    return FrameRules(mask, places, claims, runs, ~claims, regions)


def drawn(x: int, y: int, *rows: str) -> Vouched:
    return Vouched(Decision.MASK, plane(*rows), x, y)


def seen(made: FrameRules, said: Mapping[int, Vouched]) -> list[str]:
    """The corrected frame as a reader of a store finds it."""
    mask, claims, runs = correct(made, said)
    assert runs is not None
    return letters(owner_plane(mask, made.rects, claims, runs), mask)


A_AND_B = ([[0, 0, 4, 3], [3, 0, 6, 3]], "aaab..", "aaab..", ".aabb.")


def test_a_persons_mask_takes_the_place_of_the_boxes_own_pixels():
    assert seen(frame(*A_AND_B), {0: drawn(0, 1, "xx")}) == ["...b..", "aa.b..", "...bb."]


def test_a_persons_pixel_is_taken_from_another_box():
    assert seen(frame(*A_AND_B), {0: drawn(3, 0, "x", "x")}) == ["...a..", "...a..", "...bb."]


def test_what_lies_outside_the_box_is_cut():
    assert seen(frame(*A_AND_B), {0: drawn(3, 1, "xxx")}) == ["...b..", "...a..", "...bb."]


def test_nothing_to_be_seen():
    assert seen(frame(*A_AND_B), {0: Vouched(Decision.BACKGROUND)}) == ["...b..", "...b..", "...bb."]


def test_nobody_can_tell():
    assert seen(frame(*A_AND_B), {0: Vouched(Decision.UNKNOWN)}) == ["???b..", "???b..", "???bb."]


def test_the_lower_of_two_persons_masks_has_their_common_pixels():
    rects = [[0, 0, 3, 3], [0, 0, 3, 2], [0, 0, 3, 3]]
    made = frame(rects, "aaa", "aaa", "...")
    assert seen(made, {0: drawn(0, 0, "x"), 1: drawn(0, 0, "xx")}) == ["ab.", "...", "..."]
    assert seen(made, {0: drawn(0, 0, "xx"), 2: drawn(0, 0, "xxx")}) == ["aac", "...", "..."]


def test_a_box_that_was_left_unknown_is_known_where_no_other_reason_is():
    rects = [[0, 0, 3, 2], [2, 0, 4, 2]]
    made = frame(rects, "????", "????", unknown=(0, 1))
    assert seen(made, {0: drawn(1, 0, "xx")}) == [".aa?", "..??"]


def test_a_persons_pixel_is_foreground_in_an_ignore_region_and_the_rest_of_it_stays_unknown():
    made = frame([[0, 0, 3, 2]], "a??", "a??", regions=np.array([[1, 0, 3, 2]]))
    assert seen(made, {0: drawn(0, 0, "xx")}) == ["aa?", ".??"]


def test_without_owners_foreground_in_another_box_stays():
    made = frame(A_AND_B[0], *A_AND_B[1:], owned=False)
    mask, claims, runs = correct(made, {0: drawn(0, 1, "xx")})
    assert runs is None
    assert claims.tolist() == [True, True]
    assert mask.tolist() == plane("...x..", "xx.x..", "...xx.").tolist()


def test_a_mask_outside_its_box_leaves_the_box_empty():
    assert seen(frame(*A_AND_B), {1: drawn(0, 0, "x")}) == ["aaa...", "aaa...", ".aa..."]


def test_fill_counts_what_lies_in_the_box():
    assert fill_of(drawn(3, 0, "xxx", "xx."), [0, 0, 4, 2]) == pytest.approx(2 / 8)
    assert fill_of(Vouched(Decision.UNKNOWN), [0, 0, 4, 2]) == 0
    assert fill_of(drawn(0, 0, "x"), [2, 2, 2, 4]) == 0


@st.composite
def frames(draw: st.DrawFn) -> tuple[FrameRules, dict[int, Vouched]]:
    """Any made frame that fits together, and anything a person may say of its boxes."""
    height, width, count = draw(st.integers(1, 8)), draw(st.integers(1, 8)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = random.integers(0, [width, height], (count, 2))
    rects = np.concatenate(
        [low, np.minimum(low + random.integers(0, 6, (count, 2)), [width, height])], axis=1
    )
    claims = random.random(count) < 0.7
    owners = np.full((height, width), NO_OWNER, np.uint16)
    for row in random.permutation(np.flatnonzero(claims)).tolist():
        x0, y0, x1, y1 = rects[row].tolist()
        owners[y0:y1, x0:x1] = row
    owners[random.random(owners.shape) < 0.4] = NO_OWNER
    mask = (owners != NO_OWNER).astype(np.uint8)
    left_unknown = ~claims & (random.random(count) < 0.5)
    for x0, y0, x1, y1 in rects[left_unknown].tolist():
        part = mask[y0:y1, x0:x1]
        part[part == 0] = 255
    runs = contested_runs(mask, rects, claims, owners)
    made = FrameRules(mask, rects, claims, runs, left_unknown, NO_REGIONS)
    said = {}
    for row in random.permutation(count)[: draw(st.integers(1, count))].tolist():
        decision = Decision(draw(st.sampled_from(list(Decision))))
        shape = tuple(random.integers(1, 6, 2))
        picture = (random.random(shape) < 0.6).astype(np.uint8)
        x, y = random.integers(0, [width, height]).tolist()
        picture = picture[: height - y, : width - x]
        said[row] = Vouched(decision, picture, x, y) if decision == Decision.MASK else Vouched(decision)
    return made, said


@given(frames())
def test_corrections_change_their_boxes_alone_and_owners_stay_readable(case):
    made, said = case
    before = owner_plane(made.mask, made.rects, made.claims, made.runs)
    mask, claims, runs = correct(made, said)
    after = owner_plane(mask, made.rects, claims, runs)
    inside = np.zeros(mask.shape, bool)
    drawn_by_anyone = np.zeros(mask.shape, bool)
    for row, vouched in said.items():
        x0, y0, x1, y1 = made.rects[row].tolist()
        inside[y0:y1, x0:x1] = True
        part, x, y = vouched.within([x0, y0, x1, y1])
        drawn_by_anyone[y : y + part.shape[0], x : x + part.shape[1]] |= part > 0
    assert (mask[~inside] == made.mask[~inside]).all()
    assert (after[~inside] == before[~inside]).all()
    others = (before != NO_OWNER) & ~np.isin(before, list(said)) & ~drawn_by_anyone
    assert (after[others] == before[others]).all()
    assert (mask[drawn_by_anyone] == 1).all()
    assert np.isin(after[drawn_by_anyone], list(said)).all()
    assert not np.isin(after[~drawn_by_anyone], list(said)).any()
    assert ((mask == 1) == (after != NO_OWNER)).all()


@given(frames())
def test_owners_and_their_runs_say_the_same(case):
    made, _ = case
    owners = owner_plane(made.mask, made.rects, made.claims, made.runs)
    assert (contested_runs(made.mask, made.rects, made.claims, owners) == made.runs).all()
