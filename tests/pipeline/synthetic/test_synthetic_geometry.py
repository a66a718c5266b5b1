"""The renderer's geometry: camera, clipping, painting order, the moving camera's background."""

import cv2
import numpy as np
import pytest

from spotlabel.pipeline.synthetic.order import paint_order
from spotlabel.pipeline.synthetic.pinhole import clip, look
from spotlabel.pipeline.synthetic.scene import Scene
from spotlabel.pipeline.synthetic.settings import SceneSettings
from spotlabel.pipeline.synthetic.vehicles import shapes


def test_camera_axes_point_right_down_forward():
    camera = look(np.array([0, 0, 5.0]), 0.0, 0.0, 100.0, np.array([50.0, 40.0]))
    pixels, depth = camera.project(np.array([[0, 10.0, 5], [1, 10, 5], [0, 10, 4]]))
    np.testing.assert_allclose(pixels, [[50, 40], [60, 40], [50, 50]], atol=1e-12)
    np.testing.assert_allclose(depth, 10)


def test_matrix_and_ground_agree_with_project():
    camera = look(np.array([3, -2, 9.0]), 0.4, 0.3, 120.0, np.array([64.0, 48.0]))
    points = np.array([[2, 30.0, 0], [10, 40, 0]])
    pixels, _ = camera.project(points)
    full = np.column_stack([points, np.ones(2)]) @ camera.matrix.T
    flat = np.column_stack([points[:, :2], np.ones(2)]) @ camera.ground.T
    np.testing.assert_allclose(full[:, :2] / full[:, 2:], pixels)
    np.testing.assert_allclose(flat[:, :2] / flat[:, 2:], pixels)


def test_clip_cuts_a_square_in_half():
    square = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0.0]])
    half = clip(square, square[:, 0] - 1)
    assert sorted(map(tuple, half.tolist())) == [(1, 0, 0), (1, 2, 0), (2, 0, 0), (2, 2, 0)]
    assert len(clip(square, square[:, 0] - 5)) == 0
    np.testing.assert_array_equal(clip(square, square[:, 0] + 5), square)


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)


def test_a_long_bus_does_not_hide_the_car_beside_it():
    """By distance of the middles the car would come first; its lane is nearer to the camera."""
    bus, car = box(1.5, 24, 4, 36), box(5.6, 32, 7.4, 36)
    eye = np.array([9.5, 0.0])
    assert np.linalg.norm(car.mean(0) - eye) > np.linalg.norm(bus.mean(0) - eye)
    assert paint_order(np.array([car, bus]), eye) == [1, 0]
    assert paint_order(np.array([bus, car]), eye) == [0, 1]


def test_order_without_objects():
    assert paint_order(np.zeros((0, 4, 2)), np.zeros(2)) == []


@pytest.mark.parametrize("shape", [s for variants in shapes() for s in variants])
def test_faces_of_vehicles_look_outwards(shape):
    assert 3.5 < shape.length < 13
    assert shape.corners[:, 2].min() >= -1e-9
    np.testing.assert_allclose(np.linalg.norm(shape.normals, axis=1), 1)
    for part in np.unique(shape.part):
        walls = np.flatnonzero((shape.part == part) & (shape.layer == 0))
        corners = np.concatenate([shape.corners[shape.faces[k]] for k in walls])
        beyond = np.einsum("fk,fk->f", shape.normals[walls], shape.centres[walls] - corners.mean(axis=0))
        assert (beyond > 0).all()


def ground_only(monkeypatch, **values) -> Scene:
    still = {"noise": 0, "blur": 0, "shadows": 0, "drift": 0, "density": 0, "ignored_region": False}
    scene = Scene(SceneSettings(camera="moving", width=240, height=180, frames=200, **(still | values)))
    monkeypatch.setattr(scene._world, "things", lambda camera: [])
    return scene


@pytest.mark.parametrize("values", [{}, {"pan": 0, "zoom": 0}, {"rotation": 0, "jitter": 2}, {"pan": 30}])
def test_background_moves_as_the_cameras_say(monkeypatch, values):
    scene = ground_only(monkeypatch, **values)
    early, late = 30, 36
    between = scene.camera(late).ground @ np.linalg.inv(scene.camera(early).ground)
    centred = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
    warp = centred @ between @ np.linalg.inv(centred)
    first, second = (scene.render(i).image for i in (early, late))
    warped = cv2.warpPerspective(first, warp, (240, 180))
    seen = cv2.warpPerspective(np.full((180, 240), 255, np.uint8), warp, (240, 180)) == 255
    assert seen.mean() > 0.4
    followed = np.abs(warped.astype(int) - second)[seen].mean()
    ignored = np.abs(first.astype(int) - second)[seen].mean()
    assert followed < 0.5 * ignored


def test_raised_things_move_against_the_ground():
    scene = Scene(SceneSettings(camera="moving", width=240, height=180, rotation=0, zoom=0, jitter=0))
    low, high = np.array([[0.0, 0, 0]]), np.array([[0.0, 0, 10]])
    shift = []
    for point in (low, high):
        spot = scene.camera(0).position * [1, 1, 0] + scene.camera(0).axes[2] * [30, 30, 0] + point
        a, b = (scene.camera(i).project(spot)[0] for i in (0, 25))
        shift.append(np.linalg.norm(a - b))
    assert shift[1] > 1.15 * shift[0]


def test_camera_can_travel_for_hours():
    scene = Scene(SceneSettings(camera="moving", width=96, height=72, frames=1_000_000, pan=20))
    truth = scene.render(999_999)
    assert truth.image.std() > 10
    assert np.abs(scene.camera(999_999).position[:2]).max() > 100_000
