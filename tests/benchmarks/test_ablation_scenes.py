"""Scenes of the ablation: vehicles on the road, twins off it, and masks that fail as they should."""

import dataclasses

import numpy as np
import pytest
import torch

from benchmarks.ablation.data import as_tensors
from benchmarks.paired import scenes
from benchmarks.paired.vehicles import Vehicle, paint, parts_at
from spotlabel.detector.evaluation.matching import iou_matrix


@pytest.fixture(scope="module")
def many():
    return [scenes.make_scene(7, index) for index in range(40)]


def test_a_scene_is_a_function_of_seed_and_index():
    one, again = scenes.make_scene(5, 3), scenes.make_scene(5, 3)
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(again, field.name))
    for other in (scenes.make_scene(5, 4), scenes.make_scene(6, 3), scenes.make_scene(3, 5)):
        assert not np.array_equal(one.image, other.image)


def test_vehicles_stand_on_the_road_and_twins_off_it(many):
    for scene in many:
        assert scenes.VEHICLES[0] <= len(scene.boxes) <= scenes.VEHICLES[1]
        assert scenes.TWINS[0] <= len(scene.twins) <= scenes.TWINS[1]
        assert scene.road[scene.silhouettes.any(axis=0)].all()
        assert not scene.road[scene.twin_silhouettes.any(axis=0)].any()
        every = np.concatenate([scene.silhouettes, scene.twin_silhouettes])
        assert every.sum(axis=0).max() == 1  # none hides another
    assert {len(s.boxes) for s in many} == {2, 3, 4, 5}


def test_boxes_are_tight(many):
    for scene in many:
        pairs = ((scene.boxes, scene.silhouettes), (scene.twins, scene.twin_silhouettes))
        for boxes, silhouettes in pairs:
            for (x0, y0, x1, y1), pixels in zip(boxes.astype(int), silhouettes, strict=True):
                inner = pixels[y0:y1, x0:x1]
                assert inner.sum() == pixels.sum()
                assert all(edge.any() for edge in (inner[0], inner[-1], inner[:, 0], inner[:, -1]))
                assert min(x0, y0) >= scenes.MARGIN
                assert max(x1, y1) <= scenes.SIZE - scenes.MARGIN


def test_no_twin_is_annotated(many):
    for scene in many:
        sizes = [np.concatenate([b[:, :2], b[:, 2:] - b[:, :2]], axis=1) for b in (scene.boxes, scene.twins)]
        assert iou_matrix(*sizes).max() < 0.5
        assert not scene.mask[scene.twin_silhouettes.any(axis=0) & ~_inside(scene.boxes)].any()


def test_twins_look_like_vehicles(many):
    widths = [np.concatenate([b[:, 2] - b[:, 0] for b in boxes])
              for boxes in ([s.boxes for s in many], [s.twins for s in many])]  # fmt: skip
    assert abs(widths[0].mean() - widths[1].mean()) < 1.5
    assert min(w.min() for w in widths) >= 11
    assert max(w.max() for w in widths) <= 27


def _inside(boxes):
    inside = np.zeros((scenes.SIZE, scenes.SIZE), bool)
    for x0, y0, x1, y1 in boxes.astype(int):
        inside[y0:y1, x0:x1] = True
    return inside


def _by_block(plane):
    """Pixels of each 4x4 block in a row: (32, 32, 16)."""
    return plane.reshape(32, 4, 32, 4).transpose(0, 2, 1, 3).reshape(32, 32, 16)


def test_masks_lie_in_boxes_and_fail_by_blocks(many):
    kept = leaked = vehicle = beside = 0
    for scene in many:
        inside, pixels = _inside(scene.boxes), scene.silhouettes.any(axis=0)
        assert set(np.unique(scene.mask)) <= {0, 1}
        assert not scene.mask[~inside].any()
        for region in (pixels, inside & ~pixels):
            share = _by_block(scene.mask * region).sum(axis=2)
            assert ((share == 0) | (share == _by_block(region).sum(axis=2))).all()
        kept, vehicle = kept + scene.mask[pixels].sum(), vehicle + pixels.sum()
        leaked, beside = leaked + scene.mask[inside & ~pixels].sum(), beside + (inside & ~pixels).sum()
    assert kept / vehicle == pytest.approx(1 - scenes.KNOCKED_OUT, abs=0.04)
    assert leaked / beside == pytest.approx(scenes.LEAK, abs=0.04)


def test_a_vehicle_of_known_size():
    vehicle = Vehicle(20.0, 10.0, power=4.0, wheel=2.4, body=np.full(3, 0.5), glass=np.full(3, 0.25))
    parts = parts_at(vehicle, (64.0, 64.0), (128, 128))
    assert scenes.tight_boxes(parts.silhouette[None]).tolist() == [[54, 59, 74, 71]]
    image = np.full((128, 128, 3), 2.0, np.float32)
    paint(image, vehicle, parts)
    np.testing.assert_array_equal((image != 2).all(axis=2), parts.silhouette)
    assert image[62, 64].tolist() == [0.25] * 3  # window
    assert image[66, 64].tolist() == [0.5] * 3
    assert image[69, 58, 0] == image[69, 69, 0] == np.float32(0.05)


def test_targets_reproduce_the_boxes(many):
    data = as_tensors(many[:2], torch.device("cpu"))
    assert data["input"].shape == (2, 3, 128, 128)
    assert data["input"].is_contiguous(memory_format=torch.channels_last)
    for i, scene in enumerate(many[:2]):
        n = len(scene.boxes)
        assert int(data["mask"][i].sum()) == n
        cell = torch.stack([data["ind"][i, :n] % 32, data["ind"][i, :n] // 32], dim=1)
        centre, half = (cell + data["reg"][i, :n]) * 4, data["wh"][i, :n] * 2
        torch.testing.assert_close(
            torch.cat([centre - half, centre + half], 1), torch.from_numpy(scene.boxes)
        )
        np.testing.assert_array_equal(data["seg"][i, 0].numpy(), scene.mask)
