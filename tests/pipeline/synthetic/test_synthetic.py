"""Rendered scenes: determinism, exact truth, effects that can be switched."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from pydantic import ValidationError

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.synthetic.scene import MIN_VISIBLE_PIXELS, Scene
from spotlabel.pipeline.synthetic.settings import SceneSettings
from spotlabel.pipeline.synthetic.vehicles import CLASS_NAMES

STILL = {"noise": 0, "blur": 0, "shadows": 0, "jitter": 0, "drift": 0, "foliage": 0}
EMPTY = {"density": 0, "parked_car": False, "starter": False, "ignored_region": False}
SMALL = {"width": 160, "height": 120, "frames": 100}


def scene(**values) -> Scene:
    return Scene(SceneSettings(**(SMALL | values)))


def same(a, b) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in vars(a))


@pytest.mark.parametrize("camera", ["fixed", "moving"])
def test_equal_settings_give_equal_bytes_in_any_order(camera):
    first, second = scene(camera=camera, distractors=3), scene(camera=camera, distractors=3)
    streamed = [first.render(index) for index in range(6)]
    for index in (5, 0, 3):
        assert same(second.render(index), streamed[index])
    assert not np.array_equal(streamed[0].image, streamed[1].image)


@pytest.mark.parametrize("camera", ["fixed", "moving"])
def test_seeds_differ_and_leave_no_trace_on_each_other(camera):
    before = scene(camera=camera, seed=1).render(4)
    other = scene(camera=camera, seed=2).render(4)
    assert np.mean(before.image != other.image) > 0.5
    assert same(scene(camera=camera, seed=1).render(4), before)


def test_length_changes_only_when_the_manoeuvres_happen():
    short = scene(frames=50, parked_car=False, starter=False).render(30)
    assert same(scene(frames=500, parked_car=False, starter=False).render(30), short)


def test_frames_outside_are_refused():
    with pytest.raises(IndexError, match="frame 100 of a scene of 100"):
        scene().render(100)
    with pytest.raises(IndexError):
        scene().truth(-1)


@pytest.mark.parametrize("camera", ["fixed", "moving"])
def test_instances_are_exactly_the_pixels_a_vehicle_paints(camera, monkeypatch):
    """Another paint on one vehicle changes its instance's pixels and no others."""
    made = scene(camera=camera, density=0.9, width=200, height=150, **STILL)
    world, index = made._world, 40
    vehicles = world.vehicles(world.nearby(world.camera(index)), index / 25)
    seen = made.render(index)
    assert len(seen.track_id) > 4
    for row, track in enumerate(seen.track_id):
        painted = [
            replace(v, materials=np.where(v.materials < 128, v.materials + 90, v.materials - 90))
            if v.track_id == track
            else v
            for v in vehicles
        ]
        with monkeypatch.context() as patch:
            patch.setattr(world, "vehicles", lambda camera, seconds, now=painted: now)
            changed = (made.render(index).image != seen.image).any(axis=2)
        np.testing.assert_array_equal(changed, seen.instances == row + 1)


def test_shadows_darken_pixels_outside_the_masks():
    """With a shadow the picture changes outside the instances, and the truth stays."""
    lit, dark = (scene(density=0.6, **(STILL | {"shadows": s})).render(40) for s in (0, 0.6))
    np.testing.assert_array_equal(lit.instances, dark.instances)
    outside = dark.instances == 0
    difference = lit.image.astype(int) - dark.image
    assert (difference[outside] > 25).any()
    assert (difference >= 0).all()
    assert (difference[~outside] == 0).all()


@pytest.mark.parametrize("camera", ["fixed", "moving"])
def test_boxes_are_tight_around_visible_pixels(camera):
    made = scene(camera=camera, density=0.8)
    for index in (0, 50, 99):
        seen = made.truth(index)
        for row, box in enumerate(seen.xyxy):
            rows, columns = np.nonzero(seen.instances == row + 1)
            assert len(rows) >= MIN_VISIBLE_PIXELS
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_truth_alone_equals_the_rendered_truth():
    made = scene()
    truth, rendered = made.truth(7), made.render(7)
    assert all(np.array_equal(getattr(rendered, name), value) for name, value in vars(truth).items())


def test_nothing_on_means_the_same_frame_for_ever():
    made = scene(**STILL, **EMPTY)
    first = made.render(0)
    assert not first.instances.any()
    for index in (1, 37, 99):
        assert same(made.render(index), first)


@pytest.mark.parametrize(("effect", "value"), [("noise", 4), ("jitter", 0.8), ("drift", 0.2), ("foliage", 1)])
def test_each_effect_alone_moves_pixels(effect, value):
    made = scene(**(STILL | {effect: value}), **EMPTY)
    pairs = [(made.render(i).image, made.render(i + 1).image) for i in (10, 50)]
    assert all((a != b).any() for a, b in pairs)


def test_noise_has_the_deviation_asked_for():
    quiet, noisy = (scene(**(STILL | {"noise": n}), **EMPTY).render(3).image.astype(int) for n in (0, 5))
    middle = (quiet > 40) & (quiet < 215)
    difference = (noisy - quiet)[middle]
    assert abs(difference.std() - 5) < 0.1
    assert abs(difference.mean()) < 0.1


def test_foliage_moves_the_trees_and_nothing_else():
    made = scene(**(STILL | {"foliage": 1}), **EMPTY, width=320, height=240)
    frames = [made.render(i).image for i in range(0, 60, 6)]
    moved = np.any([(f != frames[0]).any(axis=2) for f in frames], axis=0)
    assert 0.01 < moved.mean() < 0.25
    assert not moved[180:].any()  # the street near the camera


def test_drift_follows_the_stated_amplitude():
    made = scene(**(STILL | {"drift": 0.2}), **EMPTY, frames=176)
    levels = [made.render(i).image.mean() for i in range(0, 176, 5)]
    steady = scene(**STILL, **EMPTY).render(0).image.mean()
    assert 1.1 < max(levels) / steady < 1.25
    assert 0.75 < min(levels) / steady < 0.9


def track(made: Scene, track_id: int, indices) -> list[np.ndarray]:
    boxes = []
    for index in indices:
        truth = made.truth(index)
        boxes += [box for box, one in zip(truth.xyxy, truth.track_id, strict=True) if one == track_id]
    return boxes


def test_parked_car_arrives_and_stands_still():
    made = scene(**STILL, **(EMPTY | {"parked_car": True}), frames=200)
    coming, standing = track(made, 1, range(40, 70, 10)), track(made, 1, range(72, 200, 16))
    assert len(standing) == 8
    assert all(np.array_equal(box, standing[0]) for box in standing)
    assert len({tuple(box) for box in coming}) == len(coming) > 1
    assert np.array_equal(made.render(80).image, made.render(199).image)


def test_starter_stands_and_then_leaves():
    made = scene(**STILL, **(EMPTY | {"starter": True}), frames=200)
    standing, driving = track(made, 2, range(0, 101, 20)), track(made, 2, range(125, 200, 25))
    assert len(standing) == 6
    assert all(np.array_equal(box, standing[0]) for box in standing)
    bottoms = [standing[0][3], *(box[3] for box in driving)]
    assert len(driving) >= 2
    assert all(b < a for a, b in itertools.pairwise(bottoms))


@pytest.mark.parametrize("seed", range(4))
def test_manoeuvres_meet_nobody(seed):
    """Footprints of the parking and the starting car never touch those of the traffic."""
    made = scene(seed=seed, density=1, ignored_region=False, frames=300)
    for index in range(0, 300, 3):
        vehicles = made._world.vehicles(made.camera(index), index / 25)
        own = [v for v in vehicles if v.track_id < 10]
        for one in own:
            for other in vehicles:
                if other.track_id != one.track_id:
                    apart = np.abs(one.position - other.position)
                    assert apart[0] > 1.9 or apart[1] > 4.5, (index, one.track_id, other.class_id, apart)


def test_ignored_region_holds_moving_cars_without_labels():
    made = scene(**STILL, **(EMPTY | {"ignored_region": True}), width=320, height=240)
    first, later = made.render(0), made.render(60)
    assert first.ignored.all()
    assert first.ignored.size > 2
    inside = np.zeros((240, 320), bool)
    for x0, y0, x1, y1 in made.regions(0).astype(int):
        inside[y0:y1, x0:x1] = True
    changed = (first.image != later.image).any(axis=2)
    assert changed[inside].any()
    assert not changed[~inside].any()


def test_occlusions_are_flagged():
    made = scene(density=0.9, width=320, height=240)
    flags = np.concatenate([made.truth(index).flags for index in range(0, 100, 20)])
    for flag in (BoxFlag.OCCLUDED, BoxFlag.TRUNCATED):
        share = np.mean((flags & flag) > 0)
        assert 0.02 < share < 0.9
    lone = scene(**STILL, **(EMPTY | {"parked_car": True}), occluders=False).truth(60)
    assert lone.flags.tolist() == [0]


def test_occluders_hide_vehicles():
    with_them, without = (scene(density=0.9, occluders=on, width=320, height=240) for on in (True, False))
    hidden = sum(
        (without.truth(i).instances > 0).sum() - (with_them.truth(i).instances > 0).sum() for i in range(5)
    )
    assert hidden > 0


@pytest.mark.parametrize("camera", ["fixed", "moving"])
def test_distractors_change_the_picture_but_not_the_labels(camera):
    plain, posed = (scene(camera=camera, distractors=d, **STILL, **EMPTY, frames=400) for d in (0, 12))
    indices = (0, 100, 200, 300)
    assert any((plain.render(i).image != posed.render(i).image).any() for i in indices)
    assert not any(posed.truth(i).instances.any() for i in indices)


def test_all_classes_appear_and_far_vehicles_are_smaller():
    made = scene(density=1, frames=400, width=320, height=240)
    seen = [made.truth(i) for i in range(0, 400, 40)]
    assert set(np.concatenate([t.class_id for t in seen])) == set(range(len(CLASS_NAMES)))
    boxes = np.concatenate([t.xyxy[(t.flags == 0) & (t.class_id == 0) & ~t.ignored] for t in seen])
    width, bottom = boxes[:, 2] - boxes[:, 0], boxes[:, 3]
    assert np.corrcoef(width, bottom)[0, 1] > 0.8


@pytest.mark.parametrize("camera", ["fixed", "moving"])
@pytest.mark.parametrize("size", [(32, 32), (64, 48), (48, 128), (1920, 1080)])
def test_any_size(camera, size):
    made = scene(camera=camera, width=size[0], height=size[1], frames=3)
    seen = made.render(2)
    assert seen.image.shape == (size[1], size[0], 3)
    assert seen.instances.shape == size[::-1]
    assert seen.image.std() > 15


def test_geometry_scales_with_the_size():
    small, large = (scene(width=160 * k, height=120 * k, jitter=0).truth(20) for k in (1, 3))
    shared = np.intersect1d(small.track_id, large.track_id)
    assert len(shared) > 5
    for one in shared:
        a, b = small.xyxy[small.track_id == one], large.xyxy[large.track_id == one]
        np.testing.assert_allclose(a, b / 3, atol=2.0)


@limits(max_examples=12)
@given(
    seed=st.integers(0, 2**63 - 1),
    width=st.integers(32, 110),
    height=st.integers(32, 110),
    camera=st.sampled_from(["fixed", "moving"]),
    frames=st.integers(1, 500),
    density=st.floats(0, 1),
    speed=st.floats(0, 40),
    pan=st.floats(-60, 60),
    rotation=st.floats(-90, 90),
    occluders=st.booleans(),
    distractors=st.integers(0, 4),
    where=st.floats(0, 1, exclude_max=True),
)
def test_truth_is_consistent(where, **values):
    made = Scene(SceneSettings(**values))
    index = int(where * values["frames"])
    seen = made.truth(index)
    count = len(seen.xyxy)
    assert sorted(np.unique(seen.instances[seen.instances > 0])) == list(range(1, count + 1))
    assert len(set(seen.track_id.tolist())) == count
    assert all(len(column) == count for column in (seen.class_id, seen.flags, seen.ignored))
    for boxes in (seen.xyxy, made.regions(index)):
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:] <= (values["width"], values["height"])).all()
        assert (boxes[:, :2] < boxes[:, 2:]).all()


@pytest.mark.parametrize(
    "values", [{"width": 8}, {"noise": -1}, {"density": 2}, {"unknown": 1}, {"seed": -1}]
)
def test_unusable_settings_are_refused(values):
    with pytest.raises(ValidationError):
        SceneSettings(**values)
