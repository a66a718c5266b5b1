"""The car park that nobody annotated: standing cars, and cars that circle around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import cos, pi, sin

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import clip_boxes
from spotlabel.pipeline.synthetic.actors import Vehicle
from spotlabel.pipeline.synthetic.chance import Purpose, uniforms
from spotlabel.pipeline.synthetic.ground import ROW, Lot
from spotlabel.pipeline.synthetic.pinhole import NEAR, Float, Pinhole, clip
from spotlabel.pipeline.synthetic.traffic import dressed

STANDING_ID, CIRCLING_ID = 100, 200
CORNER = 3.5
"""Radius of the circling cars' turns, metres."""
QUARTERS = 4
"""Ignore regions per car park."""
CIRCLING_SPEED = 0.35
"""Relative to the traffic on the road."""


def parked(lot: Lot, seed: int) -> list[Vehicle]:
    """The standing cars; about two of three places are taken."""
    low, high = lot.rows
    places = int((high - low) / 2.6)
    draw = uniforms(seed, Purpose.LAYOUT, 100, places * 2 * 6).reshape(-1, 6)
    standing = []
    for k, share in enumerate(draw):
        if share[0] < 0.66:
            side = 1 if k % 2 else -1
            position = np.array([lot.middle + side * (ROW / 2 + 0.1), low + 1.37 + 2.6 * (k // 2), 0.0])
            heading = (0.0 if share[5] < 0.5 else pi) + (share[4] - 0.5) * 0.06
            standing.append(dressed(STANDING_ID + k, share[1:5], position, heading, class_id=0))
    return standing


def circling(lot: Lot, seed: int, speed: float, seconds: float) -> Iterator[Vehicle]:
    """The moving cars, three of them, evenly spread over the lane around the rows."""
    for k in range(3):
        draw = uniforms(seed, Purpose.LAYOUT, 200 + k, 4)
        position, heading = loop(lot, k / 3 + float(draw[3]) * 0.1, speed * CIRCLING_SPEED * seconds)
        yield dressed(CIRCLING_ID + k, draw, position, heading, class_id=0)


def loop(lot: Lot, share: float, metres: float) -> tuple[Float, float]:
    """Place (3,) and heading after ``metres`` from the ``share``-th part of the lane around the rows."""
    wide, high = lot.right - lot.left - 4.4 - 2 * CORNER, lot.far - lot.near - 5.0 - 2 * CORNER
    arc = CORNER * pi / 2
    length = 2 * (wide + high) + 4 * arc
    left = (share * length + metres) % length
    x, y, heading = lot.left + 2.2 + CORNER, lot.near + 2.5, 0.0
    for straight in (wide, high, wide, high):
        step = min(left, straight)
        x, y, left = x + step * cos(heading), y + step * sin(heading), left - step
        turn = min(left, arc) / CORNER
        x += CORNER * (sin(heading + turn) - sin(heading))
        y += CORNER * (cos(heading) - cos(heading + turn))
        heading, left = heading + turn, left - turn * CORNER
        if left <= 0:
            break
    return np.array([x, y, 0.0]), heading


def lot_regions(lot: Lot, camera: Pinhole, size: tuple[int, int], margin: float) -> npt.NDArray[np.float32]:
    """Rectangles in the image that together hold the car park and its cars, float32 (m, 4), m <= 4.

    Each holds a quarter of the car park: seen at an angle, one rectangle around all of it would swallow much
    of the street.

    Args:
        lot: the car park.
        camera: the camera.
        size: height and width of the image.
        margin: pixels added on each side.
    """
    edges = np.linspace(lot.near, lot.far, QUARTERS + 1)
    boxes = [
        _region(replace(lot, near=float(near), far=float(far)), camera, size, margin)
        for near, far in pairwise(edges)
    ]
    return np.array([box for box in boxes if box is not None], np.float32).reshape(-1, 4)


def _region(lot: Lot, camera: Pinhole, size: tuple[int, int], margin: float) -> Float | None:
    """Rectangle around the visible part of a block of 2 m height on a car park, (4,); None if unseen."""
    seen = []
    for z in (0.0, 2.0):
        sides = [(lot.left, lot.near), (lot.right, lot.near), (lot.right, lot.far), (lot.left, lot.far)]
        polygon = np.array([[x, y, z] for x, y in sides])
        front = clip(polygon, camera.project(polygon)[1] - NEAR)
        seen.append(camera.project(front)[0])
    pixels = np.concatenate(seen)
    if len(pixels) == 0:
        return None
    hull = cv2.convexHull(pixels.astype(np.float32))[:, 0].astype(np.float64)
    outline = np.column_stack([hull, np.zeros(len(hull))])
    for axis, far in ((0, size[1]), (1, size[0])):
        outline = clip(outline, outline[:, axis] + margin)
        outline = clip(outline, far + margin - outline[:, axis])
    if len(outline) == 0:
        return None
    low, high = np.floor(outline.min(axis=0) - margin)[:2], np.ceil(outline.max(axis=0) + margin)[:2]
    box = clip_boxes(np.concatenate([low, high])[None], size)[0]
    return box if bool(box[0] < box[2] and box[1] < box[3]) else None
