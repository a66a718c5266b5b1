"""Speed of what is in the boxes of a frame, from the residual flow to its neighbours on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from spotlabel.labelers.egomotion.camera import CameraMotion, warped_to
from spotlabel.labelers.egomotion.corners import Grey
from spotlabel.labelers.egomotion.residual import (
    Place,
    ResidualSettings,
    patch_flow,
    plain_speed,
    subtract_background_flow,
)
from spotlabel.labelers.egomotion.window import Window
from spotlabel.labelers.flow.dense import FramePair
from spotlabel.labelers.masks.boxes import has_pixels, patches, touched_rects

Speed = npt.NDArray[np.float32]
REST = 0.25
"""A camera that shifts no place by more than this, px, stands still as far as flow can tell: taking so little
off gains nothing, while the smaller of two directions loses some of what moves."""


class EgoflowSettings(ResidualSettings):
    """Settings of the labeler ``egoflow``."""

    dilation: float = Field(0.05, ge=0, le=1)
    """The background is looked at outside the boxes grown on every side by this share of their side."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """What moves in a frame.

    Attributes:
        speed: float32 (H, W), px per frame; 0 far from boxes.
        camera_known: false if the camera's motion is unknown; the speed is then plain flow's.
    """

    speed: Speed
    camera_known: bool


def speeds(window: Window, settings: EgoflowSettings) -> Speeds:
    """Speed in the boxes of a window's middle frame, which has a neighbour.

    Where the camera stands still or its motion is unknown, it is plain flow's, from the frame before.
    Else a place moves if it moves both before and after the frame: what a vehicle only covers or uncovers
    moves in one of the two. So speed is the smaller of the two directions.
    """
    view, shape = window.view, window.view.background.shape
    places = box_places(view.boxes, shape, settings.margin)
    sides = [index for index in (window.middle - 1, window.middle + 1) if 0 <= index < len(window.views)]
    motions = [window.motion_to(index) for index in sides]
    camera_known = all(motion.known for motion in motions)
    if not camera_known or motions[0].largest_shift(shape) <= REST:
        return Speeds(_plain_flow_speed(window, places, settings), camera_known)
    speed = np.zeros(shape, np.float32)
    scale = min(1.0, (settings.most_pixels / max(_pixels(places), 1)) ** 0.5)
    directions = [
        _neighbour_speeds(window, index, motion, places, scale, settings)
        for index, motion in zip(sides, motions, strict=True)
    ]
    for place, *both in zip(places, *directions, strict=True):
        speed[place] = np.minimum.reduce(both)
    return Speeds(speed, camera_known)


def box_places(boxes: npt.NDArray[np.float32], shape: tuple[int, ...], margin: int) -> list[Place]:
    """Disjoint patches of the image that hold all boxes with a margin around each, in px."""
    size = (shape[0], shape[1])
    rects = touched_rects(boxes, size)
    return [np.s_[y0:y1, x0:x1] for x0, y0, x1, y1 in patches(rects[has_pixels(rects)], margin, size)]


def _plain_flow_speed(window: Window, places: list[Place], settings: EgoflowSettings) -> Speed:
    """As the labeler ``farneback`` has it, but 0 away from boxes; float32 (H, W)."""
    speed = np.zeros(window.view.background.shape, np.float32)
    if places:
        later = max(
            window.middle, 1
        )  # the first frame has none before it: the second and the first are taken
        ends = window.views[later - 1].grey, window.views[later].grey
        start, end = ends if window.middle else ends[::-1]
        whole = plain_speed(FramePair(start, end, window.views[later].gap), settings)
        for place in places:
            speed[place] = whole[place]
    return speed


def _neighbour_speeds(  # noqa: PLR0917 - one neighbour, all places
    window: Window,
    index: int,
    motion: CameraMotion,
    places: list[Place],
    scale: float,
    settings: EgoflowSettings,
) -> list[Speed]:
    """Speed of every place, float32 (h, w), px per frame, from the frame before or the one after."""
    here, there = window.view.grey, warped_to(window.views[index].grey, motion)
    gap, speeds_of_places = window.views[max(index, window.middle)].gap, []
    for place in places:
        background = _scaled(window.view.background[place], scale, cv2.INTER_NEAREST)
        small: Place = np.s_[0 : background.shape[0], 0 : background.shape[1]]
        flow = (
            patch_flow(here, there, place, settings)
            if scale == 1
            else patch_flow(_scaled(here[place], scale), _scaled(there[place], scale), small, settings)
        )
        rest = subtract_background_flow(flow, background, gap)
        speed = cv2.magnitude(rest[..., 0], rest[..., 1]) / np.float32(gap * scale)
        size = place[1].stop - place[1].start, place[0].stop - place[0].start
        speeds_of_places.append(
            speed if scale == 1 else cv2.resize(speed, size, interpolation=cv2.INTER_LINEAR)
        )
    return speeds_of_places


def _pixels(places: list[Place]) -> int:
    """Number of pixels in disjoint patches."""
    return sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in places)


def _scaled(image: Grey, scale: float, how: int = cv2.INTER_AREA) -> Grey:
    """An image at a scale of at most 1."""
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return image if scale == 1 else np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
