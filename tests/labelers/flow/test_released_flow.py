"""The released scripts' moving-camera evidence and mask, derived here a second time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.flow.released import ReleasedFlow, flow_picture, read_back_as_grey
from spotlabel.labelers.masks import make_mask, resolve
from tests.helpers.clips import NO_BOXES, ListClip, images, run


def scripts_grey_picture(start, end, folder):
    """Flow, colour picture, file, grey, in plain steps through a real file."""
    flow = cv2.calcOpticalFlowFarneback(
        cv2.cvtColor(start, cv2.COLOR_BGR2GRAY),
        cv2.cvtColor(end, cv2.COLOR_BGR2GRAY),
        None,
        pyr_scale=0.5,
        levels=3,
        winsize=15,
        iterations=3,
        poly_n=5,
        poly_sigma=1.2,
        flags=0,
    )
    magnitude, degrees = cv2.cartToPolar(flow[..., 0], flow[..., 1], angleInDegrees=False)
    hue = (degrees * 180 / np.pi / 2).astype(np.uint8)
    value = cv2.normalize(magnitude, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    picture = cv2.cvtColor(cv2.merge([hue, np.full_like(hue, 255), value]), cv2.COLOR_HSV2BGR)
    cv2.imwrite(str(folder / "flow.png"), picture)
    return cv2.imread(str(folder / "flow.png"), cv2.IMREAD_GRAYSCALE)


def scripts_mask(grey, corners):
    """Boxes by ``int()``, 17x17 blur whose sigma is the border constant 4, above 24."""
    union = np.zeros_like(grey)
    for left, top, right, bottom in corners:
        union[int(top) : int(bottom), int(left) : int(right)] = 1
    blurred = cv2.GaussianBlur(grey * union, (17, 17), cv2.BORDER_DEFAULT)
    return cv2.threshold(blurred, 24, 255, cv2.THRESH_BINARY)[1]


@pytest.mark.realdata
@pytest.mark.parametrize("sequence", ["car-shadow", "drift-straight"])
def test_released_steps_bit_by_bit_on_real_frames(sequence, shared_data, tmp_path):
    frames = images(shared_data / "davis/JPEGImages/480p" / sequence, ["00010.jpg", "00011.jpg", "00012.jpg"])
    evidence = [item.values for item in run(ReleasedFlow, ListClip(frames))]
    pairs = [(1, 0), (0, 1), (1, 2)]
    native = np.array([[101.7, 80.2, 420.6, 333.9], [400.5, 150.0, 700.99, 400.5], [30, 30, 30.9, 60]])
    # Native coordinates of UA-DETRAC's kind: 0.5 is the image's edge.
    boxes = (native - 0.5).astype(np.float32)
    for grey, (start, end) in zip(evidence, pairs, strict=True):
        expected = scripts_grey_picture(frames[start], frames[end], tmp_path)
        assert np.array_equal(grey, expected)
        made = make_mask(
            grey,
            EvidenceKind.DISTANCE,
            boxes,
            np.ones(3, bool),
            NO_BOXES,
            resolve("spotnet-released", {}),
            neutral=ReleasedFlow.neutral,
            native_origin=0.5,
        )
        wanted = scripts_mask(expected, native)
        assert wanted.any()
        assert np.array_equal(made.mask * 255, wanted)


def test_masks_bleed_out_of_boxes_as_the_released_ones_do():
    evidence = np.full((60, 60), 255, np.uint8)
    boxes = np.array([[20, 20, 40, 40]], np.float32)
    settings = resolve("spotnet-released", {})
    made = make_mask(evidence, EvidenceKind.DISTANCE, boxes, np.ones(1, bool), NO_BOXES, settings, neutral=24)
    assert made.mask[30, 15:45].all()
    assert not made.mask[30, :14].any()
    assert np.array_equal(made.mask * 255, scripts_mask(evidence, boxes))


def test_grey_is_what_a_png_reader_makes_of_it(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "picture.png"), picture)
    expected = cv2.imread(str(tmp_path / "picture.png"), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(read_back_as_grey(picture), expected)


def test_picture_shows_direction_as_hue_and_speed_as_brightness():
    flow = np.zeros((1, 3, 2), np.float32)
    flow[0, 1] = (4, 0)
    flow[0, 2] = (0, 2)
    still, right, down = flow_picture(flow)[0].tolist()
    assert still == [0, 0, 0]
    assert right == [0, 0, 255]  # 0 degrees: red, the fastest
    assert down[:2] == [0, 127]  # 90 degrees: between yellow and green, half as fast
    assert down[2] in (63, 64)


def test_a_still_scene_is_black():
    assert not flow_picture(np.zeros((4, 5, 2), np.float32)).any()
