"""Vehicles in the world: where one stands, how it is painted, where its shadow falls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.synthetic.canvas import Canvas, fixed_point
from spotlabel.pipeline.synthetic.pinhole import NEAR, Float, clip
from spotlabel.pipeline.synthetic.vehicles import CAB_GAP, TRUCK, Shape, shapes

AMBIENT = 0.62
"""Share of the light that reaches a face turned away from the sun."""


@dataclass(frozen=True)
class Vehicle:
    """One vehicle at one moment.

    Attributes:
        track_id: stays with the vehicle for the whole scene.
        class_id: index into :data:`spotlabel.pipeline.synthetic.vehicles.CLASS_NAMES`.
        variant: which shape of the class.
        materials: colours, BGR (10, 3).
        position: of the mid-point on the ground, metres (3,).
        heading: radians from +x towards +y.
    """

    track_id: int
    class_id: int
    variant: int
    materials: Float
    position: Float
    heading: float

    @property
    def shape(self) -> Shape:
        """Shape of this vehicle."""
        variants = shapes()[self.class_id]
        return variants[self.variant % len(variants)]

    @property
    def footprint(self) -> Float:
        """Where it stands, metres, counter-clockwise, (4, 2)."""
        low, high = self.shape.corners.min(axis=0)[:2], self.shape.corners.max(axis=0)[:2]
        corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
        return np.asarray(corners @ self.turn[:2, :2].T + self.position[:2], np.float64)

    @property
    def turn(self) -> Float:
        """Rotation from vehicle to world axes, (3, 3)."""
        c, s = np.cos(self.heading), np.sin(self.heading)
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


class Extent(NamedTuple):
    """Where a vehicle was painted.

    Attributes:
        window: rows and columns that hold all its pixels.
        leaves: part of it lies outside the image.
        cut: part of it was cut away.
    """

    window: tuple[slice, slice]
    leaves: bool
    cut: bool


def paint_vehicle(
    canvas: Canvas, vehicle: Vehicle, sun: Float, instance: int, cut: float | None = None
) -> Extent | None:
    """Paint a vehicle.

    Args:
        canvas: painted in place.
        vehicle: what and where.
        sun: unit vector towards the sun, (3,).
        instance: number written to the instance map; 0 for things that are not in the truth.
        cut: hide what lies beyond this y, metres.

    Returns:
        Where it was painted; None if it is out of sight.
    """
    shape, turn = vehicle.shape, vehicle.turn
    corners = shape.corners @ turn.T + vehicle.position
    pixels, depth = canvas.camera.project(corners)
    is_cut = cut is not None and bool(corners[:, 1].max() > cut)
    extent = _extent(canvas, pixels, depth, is_cut)
    if extent is None or (cut is not None and corners[:, 1].min() >= cut):
        return None
    normals = shape.normals @ turn.T
    centres = shape.centres @ turn.T + vehicle.position
    facing = np.einsum("fk,fk->f", normals, canvas.camera.position - centres) > 0
    light = AMBIENT + (1 - AMBIENT) * np.maximum(normals @ sun, 0) / max(float(sun[2]), 0.3)
    shades = np.clip(vehicle.materials[shape.material] * light[:, None], 0, 255).tolist()
    whole = bool(depth.min() >= NEAR) and not is_cut
    fixed = fixed_point(pixels)
    for i in _order(vehicle, canvas.camera.position, facing):
        if whole:
            canvas.fill(fixed[shape.faces[i]], shades[i], instance)
            continue
        face = corners[shape.faces[i]]
        if cut is not None and is_cut:
            face = clip(face, cut - face[:, 1])
        if len(face) >= 3:
            canvas.polygon(face, shades[i], instance)
    return extent


def _extent(canvas: Canvas, pixels: Float, depth: Float, cut: bool) -> Extent | None:
    """Extent of something with these projected corners; None if it is out of sight."""
    if depth.max() < NEAR:
        return None
    if depth.min() < 2 * NEAR:
        return Extent((slice(0, canvas.size[0]), slice(0, canvas.size[1])), True, cut)
    window = canvas.window(pixels)
    height, width = canvas.size
    leaves = bool(pixels.min() < 0 or pixels[:, 0].max() > width or pixels[:, 1].max() > height)
    return None if window is None else Extent(window, leaves, cut)


def _order(vehicle: Vehicle, eye: Float, facing: npt.NDArray[np.bool_]) -> list[int]:
    """Faces towards the camera, far parts first; a cabin sits on its body and comes after it."""
    upward, backward = vehicle.shape.orders
    cab_is_near = (eye - vehicle.position) @ vehicle.turn[:, 0] > CAB_GAP
    order = upward if vehicle.class_id != TRUCK or cab_is_near else backward
    return list(order[facing[order]])


def shadow_outline(vehicle: Vehicle, sun: Float) -> Float:
    """Convex outline of a vehicle's shadow on the plane it stands on, world metres (n, 3)."""
    corners = vehicle.shape.corners[vehicle.shape.hull] @ vehicle.turn.T
    feet = corners * [1.0, 1.0, 0.0]
    cast = corners - sun * (corners[:, 2] / sun[2])[:, None]
    hull = cv2.convexHull(np.concatenate([feet, cast])[:, :2].astype(np.float32))[:, 0].astype(np.float64)
    return np.column_stack([hull, np.zeros(len(hull))]) + vehicle.position
