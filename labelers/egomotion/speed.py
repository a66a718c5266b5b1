"""Speed of what is in the boxes of a frame, from its neighbours on both sides and at two distances."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from labelers.egomotion.camera import UNKNOWN_MOTION, Grey, Plane, seen_from, unboxed
from labelers.egomotion.residual import Flow, Place, ResidualSettings, patch_flow, without_background
from labelers.egomotion.window import Window
from labelers.masks.boxes import patches

Speed = npt.NDArray[np.float32]
FAST = 2.0
"""From this displacement on, px, flow to the next frame needs no help from one further away."""
LARGE = 64.0
"""Flow to the far frame is worked out at half the resolution where all boxes are at least so large, px."""


class EgoflowSettings(ResidualSettings):
    """Settings of the labeler ``egoflow``."""

    far: int = Field(3, ge=1, le=16)
    """Slow vehicles hardly move between neighbours: where that is under 2 px, flow over so many frames has a
    say, and under 1 px the only one. 1 leaves that out."""
    dilation: float = Field(0.1, ge=0, le=1)
    """The background is looked at outside the boxes grown on every side by this share of their side."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """What moves in a frame.

    Attributes:
        speed: float32 (H, W), px per frame; 0 far from boxes.
        noise: float32 (H, W), the background's own median speed around there, px per frame.
        compensated: false if the camera's motion could not be told and the speed is plain flow.
    """

    speed: Speed
    noise: Speed
    compensated: bool


def speeds(window: Window, settings: EgoflowSettings) -> Speeds:
    """Speed in the boxes of a window's middle frame.

    A place moves if it moves both before and after the frame: what a vehicle only covers or uncovers moves
    in one of the two. So speed is the smaller of the two directions.
    """
    view = window.view
    shape = (view.grey.shape[0], view.grey.shape[1])
    speed, noise = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    sides = [_neighbours(window, sign, settings.far) for sign in (-1, 1)]
    motions = {index: window.motion_to(index) for side in sides for index in side}
    compensated = all(motion.known for motion in motions.values())
    background = unboxed(view.boxes, shape, settings.dilation)
    seen = {
        index: seen_from(window.views[index].grey, motion if compensated else UNKNOWN_MOTION)
        for index, motion in motions.items()
    }
    for place in box_places(view.boxes, shape, settings.margin):
        found = [
            _side(window, [(index, seen[index]) for index in side], place, background, compensated, settings)
            for side in sides
            if side
        ]
        if found:
            speed[place] = np.minimum.reduce([one[0] for one in found])
            noise[place] = max(one[1] for one in found)
    return Speeds(speed, noise, compensated)


def box_places(boxes: npt.NDArray[np.float32], shape: tuple[int, int], margin: int) -> list[Place]:
    """Disjoint patches of the image that hold all boxes with a margin around each, in px."""
    low, high = np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])
    limit = [shape[1], shape[0]] * 2
    rects = np.clip(np.concatenate([low, high], axis=1), 0, limit).astype(np.int64)
    held = rects[(rects[:, 2] > rects[:, 0]) & (rects[:, 3] > rects[:, 1])]
    return [np.s_[y0:y1, x0:x1] for x0, y0, x1, y1 in patches(held, margin, shape)]


def _neighbours(window: Window, sign: int, far: int) -> list[int]:
    """Indices of the next frame and of the far one on one side, as far as there are any."""
    last = len(window.views) - 1 if sign > 0 else 0
    room = abs(last - window.middle)
    return [window.middle + sign * distance for distance in sorted({1, min(far, room)})] if room else []


def _side(  # noqa: PLR0917 - one place, one side
    window: Window,
    neighbours: list[tuple[int, Grey]],
    place: Place,
    background: Plane,
    compensated: bool,
    settings: EgoflowSettings,
) -> tuple[Speed, float]:
    """Speed (h, w) and the background's, px per frame, as the frames on one side tell them."""
    here, inside = window.view.grey, background[place] == 0
    speed, noise, near = np.zeros(inside.shape, np.float32), 0.0, np.zeros(inside.shape, np.float32)
    for order, (index, there) in enumerate(neighbours):
        if order and near[inside].min(initial=FAST) >= FAST:
            break
        gap = abs(window.views[index].time - window.view.time)
        large = _smallest_side(window.view.boxes, place) >= LARGE
        flow = _flow(here, there, place, settings, halved=order > 0 and large)
        rest = without_background(flow, background[place], gap)
        moving = rest.flow if compensated else flow
        distance = cv2.magnitude(moving[..., 0], moving[..., 1])
        share = np.clip(FAST - near, 0, 1) if order else np.float32(1)
        speed += share * (distance / np.float32(gap) - speed)
        noise = max(noise, rest.background / gap)
        near = distance
    return speed, noise


def _smallest_side(boxes: npt.NDArray[np.float32], place: Place) -> float:
    """Shortest side of a box whose middle lies in a place, px; infinite if there is none."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    rows, columns = place
    held = (rows.start <= y) & (y < rows.stop) & (columns.start <= x) & (x < columns.stop)
    return float((boxes[held, 2:] - boxes[held, :2]).min(initial=np.inf))


def _flow(here: Grey, there: Grey, place: Place, settings: EgoflowSettings, halved: bool) -> Flow:
    """Flow of a place, at half the resolution if told so; float32 (h, w, 2), px of the full one."""
    if not halved:
        return patch_flow(here, there, place, settings)
    height, width = place[0].stop - place[0].start, place[1].stop - place[1].start
    small = np.s_[0 : -(-height // 2), 0 : -(-width // 2)]
    flow = patch_flow(_half(here[place]), _half(there[place]), small, settings)
    up: Flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    return up * np.float32(2)


def _half(image: Grey) -> Grey:
    size = (-(-image.shape[1] // 2), -(-image.shape[0] // 2))
    half: Grey = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return half
