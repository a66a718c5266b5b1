"""Patches of a frame side by side on one sheet."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.labelers.base import ClipFrame
from spotlabel.labelers.egomotion.background import background_differences, reference_frames
from spotlabel.labelers.egomotion.sheet import MARGIN, Patch, Sheet
from spotlabel.labelers.egomotion.window import views, windows
from tests.helpers.clips import ListClip
from tests.helpers.moving_scenes import Scene, turning

SIDES = st.tuples(st.integers(1, 60), st.integers(1, 60))


def view_of(image, boxes=()):
    clip = ListClip([image])
    clip.frames = [ClipFrame(1, image, np.array(boxes, np.float32).reshape(-1, 4))]
    return next(windows(views(clip, 0.05), 1)).view


@given(st.lists(SIDES, min_size=1, max_size=12))
def test_no_patch_comes_within_the_margin_of_another(sizes):
    sheet = Sheet([Patch(np.s_[0 : size[0], 0 : size[1]], size) for size in sizes])
    taken = np.zeros(sheet.shape, int)
    for (rows, columns), size in zip(sheet.slots, sizes, strict=True):
        assert (rows.stop - rows.start, columns.stop - columns.start) == size
        taken[rows.start - MARGIN : rows.stop + MARGIN, columns.start - MARGIN : columns.stop + MARGIN] += 1
        assert rows.start >= MARGIN
        assert columns.start >= MARGIN
        assert rows.stop + MARGIN <= sheet.shape[0]
        assert columns.stop + MARGIN <= sheet.shape[1]
    assert taken.max() == 1


@pytest.mark.parametrize("coarseness", [1, 2, 3, 4, 7])
def test_a_patch_shows_its_place_however_coarse(coarseness):
    # grey levels that rise with x and y: whatever is taken from any level, its value says from where
    y, x = np.mgrid[0:240, 0:320].astype(np.float32)
    image = np.rint(np.stack([x / 2, y / 2, (x + y) / 4], axis=2)).astype(np.uint8)
    place = np.s_[28:196, 56:224]
    sheet = Sheet([Patch(place, (168 // coarseness, 168 // coarseness))])
    seen = sheet.filled_by(view_of(image), np.eye(3))[sheet.slots[0]]
    side = 168 // coarseness
    centres = (np.arange(side) + 0.5) * 168 / side - 0.5
    assert np.abs(seen[..., 0] - (56 + centres[None, :]) / 2).max() <= 1
    assert np.abs(seen[..., 1] - (28 + centres[:, None]) / 2).max() <= 1


def test_a_view_is_halved_once_and_only_when_somebody_asks():
    image = np.arange(7 * 4 * 3, dtype=np.uint8).reshape(4, 7, 3) * 3
    view = view_of(image)
    assert "levels" not in vars(view)
    whole, half, quarter = view.levels
    assert whole is image
    assert half.shape == (2, 3, 3)
    assert quarter.shape == (1, 1, 3)
    assert half.tobytes() == cv2.resize(image, (3, 2), interpolation=cv2.INTER_AREA).tobytes()
    assert quarter.tobytes() == cv2.resize(half, (1, 1), interpolation=cv2.INTER_AREA).tobytes()
    assert view.levels[1] is half


def test_background_ends_at_the_frame_and_at_its_boxes():
    view = view_of(np.zeros((100, 120, 3), np.uint8), [[40, 30, 60, 50]])
    sheet = Sheet([Patch(np.s_[20:60, 30:70], (40, 40))])
    shown = sheet.background(view, np.eye(3))[sheet.slots[0]]
    assert np.array_equal(shown, view.background[20:60, 30:70] > 0)
    away = np.array([[1, 0, -50], [0, 1, 0], [0, 0, 1.0]])
    assert np.array_equal(sheet.background(view, away)[sheet.slots[0]].any(axis=0), np.arange(30, 70) >= 50)


def test_a_patch_is_compared_the_same_whatever_lies_beside_it():
    scene = Scene(turning(0.0, pan=(4.0, 2.0)), drive=(5.0, 0.0), count=9)
    window = list(windows(views(scene, 0.05), 4))[4]
    references = reference_frames(window, 4)
    patches = [
        Patch(np.s_[40:140, 40:220], (100, 180)),
        Patch(np.s_[10:90, 0:60], (40, 30)),
        Patch(np.s_[100:180, 150:240], (80, 90)),
    ]
    there, back = (
        background_differences(window.view, order, references) for order in (patches, patches[::-1])
    )
    for one, other in zip(there, back[::-1], strict=True):
        assert np.array_equal(one.difference, other.difference)
        assert np.array_equal(one.seen, other.seen)
        assert one.noise == other.noise
    assert background_differences(window.view, [], references) == []
