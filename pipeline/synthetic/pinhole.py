"""The pinhole camera: world metres to pixels.

World axes: x to the right, y ahead, z up, the ground at z = 0. Image coordinates are pixel edges: the centre
of the top left pixel is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
NEAR = 0.5
"""Nothing nearer to the camera than this many metres is drawn."""


@dataclass(frozen=True)
class Pinhole:
    """A camera in the world.

    Attributes:
        focal: focal length, pixels.
        centre: principal point, pixels, (2,).
        axes: rows are the image's right, down and forward directions in the world, (3, 3), orthonormal.
        position: of the camera, metres, (3,).
    """

    focal: float
    centre: Float
    axes: Float
    position: Float

    @property
    def matrix(self) -> Float:
        """Projection matrix, float64 (3, 4): homogeneous world metres to homogeneous pixels."""
        intrinsic = np.array([[self.focal, 0, self.centre[0]], [0, self.focal, self.centre[1]], [0, 0, 1.0]])
        return intrinsic @ np.column_stack([self.axes, -self.axes @ self.position])

    @property
    def ground(self) -> Float:
        """Homography from ground metres (x, y, 1) to homogeneous pixels, float64 (3, 3)."""
        return self.matrix[:, [0, 1, 3]]

    def project(self, points: Float) -> tuple[Float, Float]:
        """Pixels (n, 2) and depths (n,) in metres of world points (n, 3); pixels mean nothing behind NEAR."""
        local = (points - self.position) @ self.axes.T
        depth = local[:, 2]
        pixels = local[:, :2] * (self.focal / np.maximum(depth, NEAR * 0.5))[:, None] + self.centre
        return pixels, depth

    def shifted(self, offset: Float) -> Pinhole:
        """The same camera with its picture moved by ``offset`` pixels, (2,)."""
        return Pinhole(self.focal, self.centre + offset, self.axes, self.position)


def look(position: Float, yaw: float, pitch: float, focal: float, centre: Float) -> Pinhole:
    """Camera at ``position`` looking ``yaw`` radians right of +y and ``pitch`` radians below the horizon."""
    forward = np.array([sin(yaw) * cos(pitch), cos(yaw) * cos(pitch), -sin(pitch)])
    right = np.array([cos(yaw), -sin(yaw), 0.0])
    return Pinhole(focal, centre, np.stack([right, np.cross(forward, right), forward]), position)


def clip(polygon: Float, distance: Float) -> Float:
    """Part of a convex polygon (n, 3) where ``distance`` (n,), signed and linear over it, is >= 0.

    One step of Sutherland and Hodgman's clipping (CACM 1974); may return fewer than 3 points.
    """
    kept: list[Float] = []
    for i in range(len(polygon)):
        here, there = distance[i - 1], distance[i]
        if (here >= 0) != (there >= 0):
            kept.append(polygon[i - 1] + (polygon[i] - polygon[i - 1]) * (here / (here - there)))
        if there >= 0:
            kept.append(polygon[i])
    return np.array(kept).reshape(-1, 3)
