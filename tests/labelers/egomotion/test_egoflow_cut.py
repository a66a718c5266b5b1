"""Labeler ``egoflow-cut``: outlines from background difference and colour."""

from __future__ import annotations

import logging
from dataclasses import replace

import cv2
import numpy as np
import pytest

from spotlabel.labelers.base import ClipFrame
from spotlabel.labelers.egomotion import grabcut
from spotlabel.labelers.egomotion.background import (
    BackgroundDifference,
    background_differences,
    reference_frames,
)
from spotlabel.labelers.egomotion.egoflow import Egoflow
from spotlabel.labelers.egomotion.egoflow_cut import EgoflowCut, EgoflowCutSettings
from spotlabel.labelers.egomotion.sheet import Patch
from spotlabel.labelers.egomotion.window import View, views, windows
from spotlabel.labelers.flow.farneback import Farneback
from tests.helpers.clips import ListClip, run, values
from tests.helpers.moving_scenes import RESTING, WIDTH, Scene, leaning, turning

CAMERAS = {
    "rest": RESTING,
    "pan": turning(0.0, pan=(4.0, 2.0)),
    "zoom": turning(0.0, zoom=0.02),
    "rotation": turning(2.0),
    "leaning": leaning,
}


def outlines(scene, **settings):
    return [item.values for item in run(EgoflowCut, scene, EgoflowCutSettings(**settings))]


def worked_sizes(monkeypatch):
    """Pixels of each box that is worked on from now on, put into the list as it happens."""
    sizes, cut = [], grabcut.grab_cut
    monkeypatch.setattr(
        grabcut, "grab_cut", lambda image, seeds: sizes.append(seeds.size) or cut(image, seeds)
    )
    return sizes


@pytest.mark.parametrize("camera", sorted(CAMERAS))
def test_outlines_follow_the_vehicle(camera):
    scene = Scene(CAMERAS[camera], drive=(5.0, 0.0), count=8)
    ours = scene.iou(outlines(scene))
    assert ours > 0.85
    for labeler in (Egoflow, Farneback):
        assert ours > scene.iou([item.values > 12 for item in run(labeler, scene)]) + 0.1


def test_exposure_drift_does_not_matter():
    scene = Scene(CAMERAS["pan"], drive=(5.0, 0.0), count=8, gain=0.12)
    assert scene.iou(outlines(scene)) > 0.9


def test_the_scene_behind_is_seen_where_the_vehicle_was_not():
    scene = Scene(CAMERAS["pan"], drive=(9.0, 0.0), count=13)
    window = list(windows(views(scene, 0.1), 6))[6]
    patch = Patch(np.s_[40:140, 40:220], (100, 180))
    (behind,) = background_differences(window.view, [patch], reference_frames(window, 6))
    truth = scene.truth[6][40:140, 40:220]
    assert behind.seen[truth].mean() > 0.9
    assert (behind.difference[truth & behind.seen] > grabcut.MIN_SIGMAS * behind.noise).mean() > 0.8
    ground = behind.seen & (cv2.dilate(truth.astype(np.uint8), np.ones((9, 9))) == 0)
    assert (behind.difference[ground] > grabcut.MIN_SIGMAS * behind.noise).mean() < 0.02


def test_what_never_moves_has_no_scene_behind_and_is_cut_by_colour():
    scene = Scene(CAMERAS["pan"], drive=(0.0, 0.0), count=8)
    window = list(windows(views(scene, 0.1), 6))[4]
    x0, y0, x1, y1 = (int(edge) for edge in window.view.boxes[0])
    place = np.s_[y0 - 12 : y1 + 12, x0 - 12 : x1 + 12]
    patch = Patch(place, window.view.background[place].shape)
    (behind,) = background_differences(window.view, [patch], reference_frames(window, 6))
    assert not behind.seen[18:-18, 18:-18].any()
    assert scene.iou(outlines(scene)) > scene.iou([np.ones(scene.size, bool)] * 8)


def test_colour_decides_where_boxes_hide_the_background(caplog):
    scene = Scene(CAMERAS["pan"], count=4)
    most = np.array([[4, 4, WIDTH - 4, 176], scene.frames[0].boxes[0]], np.float32)
    scene.frames = [ClipFrame(f.number, f.image, most) for f in scene.frames]
    with caplog.at_level(logging.WARNING, logger="spotlabel"):
        run(EgoflowCut, scene)
    assert "outlines by colour alone" in caplog.text
    assert "4 of 4 frames" in caplog.text


@pytest.mark.parametrize(
    ("count", "reach", "told"), [(2, 12, "2 of 2"), (3, 12, "1 of 3"), (12, 64, "10 of 12")]
)
def test_a_clip_too_short_to_compare_is_not_taken_for_a_camera_of_unknown_motion(count, reach, told, caplog):
    with caplog.at_level(logging.WARNING, logger="spotlabel"):
        run(EgoflowCut, Scene(CAMERAS["pan"], count=count), EgoflowCutSettings(reach=reach))
    assert (
        f"too short for a frame to compare with, a sixth of `reach` away or more, in {told} frames"
        in caplog.text
    )
    assert "camera's motion" not in caplog.text


def test_nothing_is_foreground_outside_boxes_and_large_boxes_are_worked_on_coarsely(monkeypatch):
    sizes = worked_sizes(monkeypatch)
    scene = Scene(CAMERAS["pan"], drive=(5.0, 0.0), count=6)
    coarse = outlines(scene, most_pixels=2000)
    assert sizes
    assert max(sizes) < 2100
    assert scene.iou(coarse) > 0.85
    for frame, mask in zip(scene.frames, coarse, strict=True):
        x0, y0, x1, y1 = frame.boxes[0].astype(int)
        outside = mask.copy()
        outside[y0 : y1 + 1, x0 : x1 + 1] = False
        assert not outside.any()


def test_vehicles_side_by_side_have_an_outline_each():
    one = Scene(CAMERAS["pan"], drive=(5.0, 0.0), count=6)
    frames, truths = [], []
    for frame, truth in zip(one.frames, one.truth, strict=True):
        image, both = frame.image.copy(), truth.copy()
        x0, y0, x1, y1 = frame.boxes[0].astype(int)
        rows, columns = np.nonzero(truth)
        image[rows - 50, columns] = frame.image[rows, columns]
        both[rows - 50, columns] = True
        frames.append(
            ClipFrame(
                frame.number, image, np.array([[x0, y0, x1, y1], [x0, y0 - 50, x1, y1 - 50]], np.float32)
            )
        )
        truths.append(both)
    one.frames, one.truth = frames, truths
    filled = one.iou([np.ones(one.size, bool)] * 6)
    assert one.iou(outlines(one)) > filled + 0.1


@pytest.mark.parametrize("box", [[10, 10, 12, 12], [-20, -20, 5, 5], [230, 170, 400, 400], [50, 50, 50, 60]])
def test_tiny_and_cut_boxes_are_no_trouble(box):
    scene = Scene(CAMERAS["pan"], count=3)
    scene.frames = [ClipFrame(f.number, f.image, np.array([box], np.float32)) for f in scene.frames]
    for item in run(EgoflowCut, scene):
        rows, columns = np.nonzero(item.values)
        assert (columns >= box[0]).all()
        assert (columns < box[2]).all()
        assert (rows >= box[1]).all()
        assert (rows < box[3]).all()


def test_a_clip_of_one_frame_is_cut_by_colour():
    scene = Scene(count=1)
    assert scene.iou(outlines(scene)) > scene.iou([np.ones(scene.size, bool)])


def test_colour_decides_where_no_scene_behind_was_seen():
    shape = (60, 80)
    box, vehicle = np.zeros(shape, bool), np.zeros(shape, bool)
    box[10:50, 10:70], vehicle[15:45, 20:60] = True, True
    image = np.where(vehicle[..., None], np.uint8([200, 40, 40]), np.uint8([40, 120, 60]))
    unseen = BackgroundDifference(np.full(shape, 255, np.uint8), np.zeros(shape, bool), 1.5)
    assert np.array_equal(grabcut.outline(image, box, unseen)[0], vehicle)
    half = BackgroundDifference(
        np.where(vehicle, np.uint8(90), np.uint8(1)), np.arange(80) < np.full(shape, 40), 1.5
    )
    assert np.array_equal(grabcut.outline(image, box, half)[0], vehicle)


def test_the_scene_behind_decides_where_colour_cannot():
    shape = (60, 80)
    box, vehicle = np.zeros(shape, bool), np.zeros(shape, bool)
    box[10:50, 10:70], vehicle[15:45, 20:60] = True, True
    image = np.random.default_rng(0).integers(60, 120, (*shape, 3), np.uint8)
    seen = BackgroundDifference(np.where(vehicle, np.uint8(90), np.uint8(1)), np.ones(shape, bool), 1.5)
    found, compared = grabcut.outline(image, box, seen)
    assert compared
    disc = np.ones((9, 9), np.uint8)  # the edge is colour's to draw, within 3 px and their corners
    assert found[cv2.erode(vehicle.astype(np.uint8), disc) > 0].all()
    assert not found[cv2.dilate(vehicle.astype(np.uint8), disc) == 0].any()


@pytest.mark.parametrize("kind", ["slow", "starter", "parallax"])
def test_hard_vehicles_are_outlined_better_than_by_their_box(kind):
    scene = {
        "slow": Scene(CAMERAS["pan"], drive=(0.7, 0.0), count=13),
        "starter": Scene(CAMERAS["pan"], drive=(5.0, 0.0), count=13, starts=6),
        "parallax": Scene(turning(0.0, pan=(1.0, 0.0)), drive=(5.0, 0.0), count=8, bridge=1.0),
    }[kind]
    filled = scene.iou([np.ones(scene.size, bool)] * len(scene.frames))
    assert scene.iou(outlines(scene)) > filled + 0.05


def test_all_boxes_of_a_frame_share_its_pixels(monkeypatch):
    sizes = worked_sizes(monkeypatch)
    scene = Scene(CAMERAS["pan"], drive=(5.0, 0.0), count=6)
    scene.frames = [replace(f, boxes=np.repeat(f.boxes, 8, axis=0)) for f in scene.frames]
    coarse = outlines(scene, most_in_all=20_000)
    assert sum(sizes) < 6 * 21_000
    assert len(sizes) == 6 * 8
    assert scene.iou(coarse) > 0.85


def test_same_outlines_twice_and_after_others_have_drawn_random_numbers():
    scene = Scene(CAMERAS["zoom"], count=4)
    first = values(run(EgoflowCut, scene))
    cv2.setRNGSeed(99)
    assert np.array_equal(first, values(run(EgoflowCut, scene)))


def test_outlines_are_those_of_coarser_frames_made_anew_each_time(monkeypatch):
    scene, settings = Scene(CAMERAS["zoom"], count=4), {"most_pixels": 10_000}
    kept, make = outlines(scene, **settings), View.levels.func
    made = []
    monkeypatch.setattr(View, "levels", property(lambda view: made.append(view) or make(view)))
    assert np.array_equal(outlines(scene, **settings), kept)
    assert len(made) > len(scene.frames)


def test_it_says_how_much_of_the_background_it_has_seen():
    fast, slow = (
        [
            float(item.figures["seen"][0])
            for item in run(EgoflowCut, Scene(CAMERAS["pan"], drive=drive, count=9))
        ]
        for drive in ((9.0, 0.0), (0.5, 0.0))
    )
    assert np.mean(fast) > np.mean(slow) + 0.3
    alone = run(EgoflowCut, Scene(count=1))[0]
    assert alone.figures["seen"].tolist() == [0.0]  # nothing to compare with: colour alone


def test_a_box_that_is_filled_altogether_is_told_unless_the_image_cuts_it():
    plain = np.full((180, 240, 3), 90, np.uint8)  # nothing to see: the outline is the box
    boxes = np.array([[60, 60, 120, 110], [0, 60, 50, 110], [300, 0, 310, 9]], np.float32)
    clip = ListClip([plain])
    clip.frames = [ClipFrame(1, plain, boxes)]
    (found,) = run(EgoflowCut, clip)
    assert found.values[60:110, 60:120].all()
    assert found.figures["flooded"].tolist() == pytest.approx([1.0, 0.0, np.nan], nan_ok=True)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 16), (3, 300), (97, 61)])
@pytest.mark.parametrize("kind", ["noise", "black", "stripes"])
def test_frames_and_boxes_of_any_size_have_outlines_inside_their_boxes(size, kind):
    width = size[1]
    image = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    if kind != "noise":
        image[:] = 0 if kind == "black" else (np.arange(width) // 2 % 2 * 255)[None, :, None]
    boxes = np.array(
        [[-1e6, -1e6, width / 2, 1e6], [width + 5, 0, width + 9, 9], [width / 3, 0, width / 3 + 0.2, 0.2]],
        np.float32,
    )
    inside = np.zeros(size, bool)
    inside[:, : -(-width // 2)] = True
    for some in (boxes, boxes[1:2], boxes[:0]):
        clip = ListClip([image, image[::-1].copy()])
        clip.frames = [ClipFrame(f.number, f.image, some) for f in clip.frames]
        for item in run(EgoflowCut, clip):
            assert item.values.shape == size
            assert not (item.values & ~inside).any()
            figures = np.stack([item.figures["seen"], item.figures["flooded"]])
            visible = some[:, 0] < width
            assert np.isnan(figures[:, ~visible]).all()
            assert ((figures[:, visible] >= 0) & (figures[:, visible] <= 1)).all()
            if not visible.any():
                assert not item.values.any()
