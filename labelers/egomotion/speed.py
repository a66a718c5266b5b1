"""Speed of what is in the boxes of a frame, from its neighbours on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from spotlabel.labelers.egomotion.camera import CameraMotion, Grey, seen_from
from spotlabel.labelers.egomotion.residual import (
    Place,
    ResidualSettings,
    patch_flow,
    plain_speed,
    without_background,
)
from spotlabel.labelers.egomotion.window import Window
from spotlabel.labelers.flow.dense import FramePair
from spotlabel.labelers.masks.boxes import patches

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
        told: false if the camera's motion could not be told; the speed is then plain flow.
    """

    speed: Speed
    told: bool


def speeds(window: Window, settings: EgoflowSettings) -> Speeds:
    """Speed in the boxes of a window's middle frame, which has a neighbour.

    Where the camera stands still or its motion cannot be told, it is plain flow's, from the frame before.
    Else a place moves if it moves both before and after the frame: what a vehicle only covers or uncovers
    moves in one of the two. So speed is the smaller of the two directions.
    """
    view = window.view
    places = box_places(view.boxes, view.grey.shape, settings.margin)
    sides = [index for index in (window.middle - 1, window.middle + 1) if 0 <= index < len(window.views)]
    motions = [window.motion_to(index) for index in sides]
    told = all(motion.known for motion in motions)
    if not told or motions[0].largest_shift(view.grey.shape) <= REST:
        return Speeds(_plain(window, places, settings), told)
    speed = np.zeros(view.grey.shape, np.float32)
    scale = min(1.0, (settings.most_pixels / max(_pixels(places), 1)) ** 0.5)
    found = [
        _side(window, index, motion, places, scale, settings)
        for index, motion in zip(sides, motions, strict=True)
    ]
    for place, *directions in zip(places, *found, strict=True):
        speed[place] = np.minimum.reduce(directions)
    return Speeds(speed, told)


def box_places(boxes: npt.NDArray[np.float32], shape: tuple[int, ...], margin: int) -> list[Place]:
    """Disjoint patches of the image that hold all boxes with a margin around each, in px."""
    low, high = np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])
    limit = [shape[1], shape[0]] * 2
    rects = np.clip(np.concatenate([low, high], axis=1), 0, limit).astype(np.int64)
    held = rects[(rects[:, 2] > rects[:, 0]) & (rects[:, 3] > rects[:, 1])]
    return [np.s_[y0:y1, x0:x1] for x0, y0, x1, y1 in patches(held, margin, (shape[0], shape[1]))]


def _plain(window: Window, places: list[Place], settings: EgoflowSettings) -> Speed:
    """As the labeler ``farneback`` has it, but 0 away from boxes; float32 (H, W)."""
    speed = np.zeros(window.view.grey.shape, np.float32)
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


def _side(  # noqa: PLR0917 - one neighbour, all places
    window: Window,
    index: int,
    motion: CameraMotion,
    places: list[Place],
    scale: float,
    settings: EgoflowSettings,
) -> list[Speed]:
    """Speed of every place, float32 (h, w), px per frame, as the frame before or the one after tells it."""
    here, there = window.view.grey, seen_from(window.views[index].grey, motion)
    gap, found = window.views[max(index, window.middle)].gap, []
    for place in places:
        background = _scaled(window.view.background[place], scale, cv2.INTER_NEAREST)
        small: Place = np.s_[0 : background.shape[0], 0 : background.shape[1]]
        flow = (
            patch_flow(here, there, place, settings)
            if scale == 1
            else patch_flow(_scaled(here[place], scale), _scaled(there[place], scale), small, settings)
        )
        rest = without_background(flow, background, gap)
        speed = cv2.magnitude(rest[..., 0], rest[..., 1]) / np.float32(gap * scale)
        size = place[1].stop - place[1].start, place[0].stop - place[0].start
        found.append(speed if scale == 1 else cv2.resize(speed, size, interpolation=cv2.INTER_LINEAR))
    return found


def _pixels(places: list[Place]) -> int:
    return sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in places)


def _scaled(image: Grey, scale: float, how: int = cv2.INTER_AREA) -> Grey:
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return image if scale == 1 else np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
