"""Cast shadow in boxes: what ``boxbg`` tells by where it lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spotlabel.labelers.base import ClipFrame
from spotlabel.labelers.boxbg.cues import Cues
from spotlabel.labelers.boxbg.shadows.crossing import crossing_shadow
from spotlabel.labelers.boxbg.shadows.detection import Patch, shadow_outside_boxes, shadow_pixels
from spotlabel.labelers.boxbg.shadows.enclosed import LEFT, RIGHT, enclosed_shadow, protrudes
from spotlabel.labelers.boxbg.shadows.vote import ShadowLayout, ShadowVotes
from tests.helpers.boxbg_videos import WIDTH, Video, iou, labelled

LIT, OBJECT, UMBRA = 1.0, 1.3, 0.2


def a_box_that_holds_a_shadow(body: float = OBJECT) -> tuple[np.ndarray, np.ndarray]:
    """Ratio and foreground, (24, 30): a body from column 8, and its shadow in rows 18 to 22 from column 2."""
    ratio, foreground = np.full((24, 30), LIT, np.float32), np.zeros((24, 30), bool)
    ratio[2:18, 8:28], foreground[2:18, 8:28] = body, True
    ratio[18:23, 2:28], foreground[18:23, 2:28] = UMBRA, True
    return ratio, foreground


def test_shadow_that_sticks_out_goes_with_the_foot() -> None:
    ratio, foreground = a_box_that_holds_a_shadow()
    shade = enclosed_shadow(ratio, foreground, LEFT, grounded=True)
    assert shade[18:23, 2:8].all()  # what sticks out
    assert shade[20:23, 8:28].all()  # the foot, from 40 % down what sticks out
    assert not shade[:18].any()
    assert not (shade & ~foreground).any()


def test_of_an_object_cut_by_the_image_only_what_sticks_out_goes() -> None:
    ratio, foreground = a_box_that_holds_a_shadow()
    shade = enclosed_shadow(ratio, foreground, LEFT, grounded=False)
    assert np.array_equal(np.argwhere(shade.any(axis=0)).ravel(), np.arange(2, 8))


def test_shadows_to_the_right_are_those_to_the_left_mirrored() -> None:
    ratio, foreground = a_box_that_holds_a_shadow()
    left, right = (
        enclosed_shadow(ratio, foreground, LEFT, True),
        enclosed_shadow(ratio[:, ::-1], foreground[:, ::-1], RIGHT, True),
    )
    assert np.array_equal(left, right[:, ::-1])


def test_a_bright_foot_stays() -> None:
    ratio, foreground = a_box_that_holds_a_shadow()
    ratio[18:23, 8:28] = OBJECT
    shade = enclosed_shadow(ratio, foreground, LEFT, grounded=True)
    assert np.array_equal(np.argwhere(shade.any(axis=0)).ravel(), np.arange(2, 8))


def test_a_foot_less_dark_than_the_shadow_stays() -> None:
    ratio, foreground = a_box_that_holds_a_shadow()
    ratio[20:23, 18:28] = 0.5
    shade = enclosed_shadow(ratio, foreground, LEFT, grounded=True)
    assert shade[20:23, 8:18].all()
    assert not shade[:, 18:].any()


def fully_dark(ratio: np.ndarray, foreground: np.ndarray) -> None:
    ratio[foreground] = UMBRA
    foreground[18:23, 2:8] = False


def high_up(ratio: np.ndarray, foreground: np.ndarray) -> None:
    foreground[5:9, 2:8], ratio[5:9, 2:8] = True, UMBRA


def lit(ratio: np.ndarray, foreground: np.ndarray) -> None:
    ratio[18:23, 2:8] = OBJECT


def apart(ratio: np.ndarray, foreground: np.ndarray) -> None:
    foreground[18:23, 5:8] = False


def alone(ratio: np.ndarray, foreground: np.ndarray) -> None:
    foreground[:, 8:] = False


def one_column(ratio: np.ndarray, foreground: np.ndarray) -> None:
    foreground[:, 2:7] = False


@pytest.mark.parametrize("change", [fully_dark, high_up, lit, apart, alone, one_column])
def test_nothing_sticks_out(change: Callable[[np.ndarray, np.ndarray], None]) -> None:
    ratio, foreground = a_box_that_holds_a_shadow()
    assert protrudes(ratio, foreground, LEFT)
    assert not protrudes(ratio, foreground, RIGHT)
    change(ratio, foreground)
    assert not protrudes(ratio, foreground, LEFT)
    assert not enclosed_shadow(ratio, foreground, LEFT, True).any()


def a_box_that_shadow_leaves() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Light, shadow beside the box and foreground in it, (20, 20): box in rows and columns 3 to 16."""
    ratio = np.full((20, 20), LIT, np.float32)
    outside, inside = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    ratio[3:17, 3:17], inside[3:17, 3:17] = OBJECT, True
    ratio[12:17, 12:20] = 0.4
    outside[12:17, 17:20] = True
    return ratio, outside, inside


def test_shadow_beside_a_box_goes_on_inside() -> None:
    ratio, outside, inside = a_box_that_shadow_leaves()
    expected = np.zeros((20, 20), bool)
    expected[12:17, 12:20] = True  # and beside it, lest cleaning brings it back in
    assert np.array_equal(crossing_shadow(ratio, outside, inside, 196), expected)


def test_shadow_ends_where_it_is_darker_or_not_connected() -> None:
    ratio, outside, inside = a_box_that_shadow_leaves()
    ratio[14:17, 12:15] = 0.25  # under the object
    ratio[5:8, 5:8] = 0.4  # a window
    expected = np.zeros((20, 20), bool)
    expected[12:17, 12:20] = True
    expected[14:17, 12:15] = False
    assert np.array_equal(crossing_shadow(ratio, outside, inside, 196), expected)


@pytest.mark.parametrize(("share", "goes"), [(0.34, True), (0.36, False)])
def test_shadow_takes_no_more_than_a_share_of_the_foreground(share: float, goes: bool) -> None:
    ratio, outside, inside = a_box_that_shadow_leaves()  # with 25 px of shadow inside
    assert crossing_shadow(ratio, outside, inside, round(25 / share)).any() == goes


def test_shadow_that_ends_at_the_box_is_left_alone() -> None:
    ratio, outside, inside = a_box_that_shadow_leaves()
    ratio[12:17, 12:17] = OBJECT
    assert not crossing_shadow(ratio, outside, inside, 196).any()


def test_an_object_that_reaches_out_of_its_box_is_no_shadow() -> None:
    ratio, outside, inside = a_box_that_shadow_leaves()
    ratio[inside] = 0.4
    assert not crossing_shadow(ratio, outside, inside, 196).any()


def test_specks_beside_a_box_are_no_shadow() -> None:
    ratio, outside, inside = a_box_that_shadow_leaves()
    outside[:] = False
    outside[12:15, 17] = True
    assert not crossing_shadow(ratio, outside, inside, 196).any()


def patch_of(ratio: np.ndarray, foreground: np.ndarray, boxes: list[list[int]], **others: Any) -> Patch:
    deviation = np.where(ratio < LIT, np.float32(9), np.float32(0))
    cues = Cues(np.zeros(ratio.shape, np.int32), deviation, ratio, ratio < LIT)
    return Patch(
        cues,
        foreground,
        np.array(boxes),
        **{"regions": np.zeros((0, 4), np.int64), "at_foot": False} | others,
    )


def test_where_boxes_overlap_all_must_say_that_it_is_shadow() -> None:
    ratio, foreground = a_box_that_holds_a_shadow()
    alone = shadow_pixels(patch_of(ratio, foreground, [[0, 0, 30, 24]]), ShadowLayout.ENCLOSED_LEFT, 3)
    assert alone[18:23, 2:8].all()
    both = shadow_pixels(
        patch_of(ratio, foreground, [[0, 0, 30, 24], [0, 12, 14, 24]]), ShadowLayout.ENCLOSED_LEFT, 3
    )
    assert not both[12:, :14].any()
    assert np.array_equal(both[:, 14:], alone[:, 14:])


def test_objects_cut_by_the_lower_border_have_no_foot_in_the_image() -> None:
    ratio, foreground = a_box_that_holds_a_shadow()
    patch = patch_of(ratio, foreground, [[0, 0, 30, 24]], at_foot=True)
    assert not shadow_pixels(patch, ShadowLayout.ENCLOSED_LEFT, 3)[:, 8:].any()


def test_small_boxes_and_unknown_light_tell_nothing() -> None:
    ratio, foreground = a_box_that_holds_a_shadow()
    assert not shadow_pixels(
        patch_of(ratio, foreground, [[0, 13, 30, 24]]), ShadowLayout.ENCLOSED_LEFT, 3
    ).any()
    assert not shadow_pixels(patch_of(ratio, foreground, [[0, 0, 30, 24]]), ShadowLayout.UNKNOWN, 3).any()


def test_what_is_dark_in_an_ignore_region_is_no_vote() -> None:
    ratio, outside, inside = a_box_that_shadow_leaves()
    box = [[3, 3, 17, 17]]
    foreground = inside | outside
    assert shadow_pixels(patch_of(ratio, foreground, box), ShadowLayout.CROSSING, 3)[12:17, 12:17].all()
    regions = np.array([[16, -5, 40, 40]])
    assert not shadow_pixels(
        patch_of(ratio, foreground, box, regions=regions), ShadowLayout.CROSSING, 3
    ).any()


def heard(boxes: list[tuple[float, float, int]]) -> ShadowLayout:
    """Verdict on boxes of 20 x 20 px: brightness of the body, share of the circumference that is dark beside
    the box, and whether something sticks out on the left (1), on the right (2) or on both sides (3)."""
    votes = ShadowVotes()
    for body, beside, out in boxes:
        ratio, different = np.full((26, 26), LIT, np.float32), np.zeros((26, 26), bool)
        ratio[4:23, 9:18], different[4:23, 9:18] = body, True
        for bit, columns in ((1, slice(4, 9)), (2, slice(18, 22))):
            if out & bit:
                ratio[19:23, columns], different[19:23, columns] = UMBRA, True
        outside = np.zeros((26, 26), bool)
        outside.ravel()[-round(80 * beside) - 3 : -3] = beside > 0
        votes.add(ratio, different, outside, (3, 3, 23, 23))
    return votes.decide()


def test_bright_objects_tell_what_shadow_is() -> None:
    bright, dark = [(1.3, 0.2, 0)] * 10, [(0.3, 0.2, 0)] * 10
    assert heard(bright + dark) == ShadowLayout.CROSSING
    overcast = [(1.3, 0.0, 0)] * 10
    assert heard(overcast + dark) == ShadowLayout.UNKNOWN  # dark objects that reach out of their boxes
    assert heard(bright[:5]) == ShadowLayout.UNKNOWN  # too few


def test_what_sticks_out_of_bright_objects_on_one_side_is_shadow() -> None:
    plain, out = (1.3, 0.0, 0), (1.3, 0.0, 1)
    assert heard([plain, out] * 10) == ShadowLayout.ENCLOSED_LEFT
    assert heard([plain, (1.3, 0.0, 2)] * 10) == ShadowLayout.ENCLOSED_RIGHT
    assert heard([plain, (1.3, 0.0, 3)] * 10) == ShadowLayout.UNKNOWN
    assert heard([plain] * 18 + [out] * 2) == ShadowLayout.UNKNOWN
    assert heard([(0.3, 0.0, 1)] * 10 + [plain] * 10) == ShadowLayout.UNKNOWN  # of dark ones alone


def test_dark_cars_in_an_ignore_region_do_not_tell_how_boxes_were_drawn() -> None:
    ratio, dark = np.full((26, 26), 0.3, np.float32), np.full((26, 26), 9, np.float32)
    cues = Cues(np.zeros((26, 26), np.int32), dark, ratio, np.ones((26, 26), bool))
    box, none, region = np.array([[3, 3, 23, 23]]), np.zeros((0, 4), np.int64), np.array([[-9, 20, 90, 90]])
    assert shadow_outside_boxes(cues, box, none, 3)[23:].all()
    assert not shadow_outside_boxes(cues, box, region, 3)[20:].any()


class DeeplyShaded(Video):
    """Patterned objects on ground that they shade deeply, down and to the left; tight or wide boxes."""

    def __init__(self, boxes_hold_shadows: bool) -> None:
        super().__init__(frames=60)
        rng = np.random.default_rng(5)
        for index, frame in enumerate(self.frames):
            coat = rng.integers(20, 236, (8, 10, 3)).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)
            x, y = 20 + (5 * index) % (WIDTH - 80), 12 + 22 * (index // 20)
            image = frame.image.astype(np.float32)
            image[y + 25 : y + 37, x - 8 : x + 37] *= 0.25
            image[y : y + 32, x : x + 40] = coat
            self.truth[index][y : y + 32, x : x + 40] = True
            wide = [x - 11, y - 3, x + 43, y + 40]
            tight = [x - 5, y - 3, x + 42, y + 34]
            box = np.array([wide if boxes_hold_shadows else tight], np.float32)
            self.frames[index] = ClipFrame(index, np.rint(image).astype(np.uint8), box)


@pytest.mark.parametrize("boxes_hold_shadows", [True, False])
def test_deep_shadow_is_background(boxes_hold_shadows: bool) -> None:
    video = DeeplyShaded(boxes_hold_shadows)
    with_rule, without = labelled(video), labelled(video, shadows=False)
    assert iou(with_rule, video) > 0.93
    gain = iou(with_rule, video) - iou(without, video)
    assert gain > (0.1 if boxes_hold_shadows else 0.005)  # boxes cut most of it off


def test_shadow_rules_leave_dark_objects_under_an_overcast_sky_alone() -> None:
    video = Video(frames=60)
    for index, frame in enumerate(video.frames):
        x, y = 20 + (5 * index) % (WIDTH - 80), 12 + 22 * (index // 20)
        image = frame.image.copy()
        image[y : y + 32, x : x + 40] = (190, 200, 210) if index % 2 else (12, 10, 14)
        video.truth[index][y : y + 32, x : x + 40] = True
        box = np.array([[x + 1, y - 3, x + 43, y + 34]], np.float32)  # cuts the object's left side
        video.frames[index] = ClipFrame(index, image, box)
    assert all(map(np.array_equal, labelled(video), labelled(video, shadows=False)))
