"""The vehicles' shapes: convex parts made of flat faces, in metres, heading along +x."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.synthetic.pinhole import Float

CLASS_NAMES = ("car", "van", "bus", "truck")
BUS, TRUCK = 2, 3
CAB_GAP = 2.2
"""Where a lorry's cargo box ends and its cab begins, metres ahead of the middle."""

Pair = tuple[float, float]

PAINT, GLASS, TRIM, TYRE, HUB, FRONT_LIGHT, REAR_LIGHT, CARGO, ROOF, PLATE = range(10)
"""Materials of faces; paint and cargo take the vehicle's own colours."""

MATERIALS = np.array(
    [[0, 0, 0], [62, 52, 44], [44, 42, 40], [30, 28, 28], [120, 118, 116],
     [225, 240, 248], [40, 34, 190], [0, 0, 0], [0, 0, 0], [205, 210, 212]],
    np.float64,
)  # fmt: skip
"""BGR of the materials, (10, 3); rows of paint, cargo and roof are replaced by the vehicle's colours."""

PAINTS: tuple[tuple[int, int, int], ...] = (
    (236, 236, 234), (232, 233, 230), (190, 188, 186), (176, 174, 170), (110, 106, 104), (62, 60, 60),
    (48, 46, 46), (52, 44, 168), (46, 40, 140), (156, 96, 44), (120, 70, 34), (70, 96, 60),
    (150, 182, 200), (150, 128, 96),
)  # fmt: skip
BUS_PAINTS: tuple[tuple[int, int, int], ...] = ((60, 190, 232), (60, 56, 190), (180, 120, 40), (90, 150, 60))
CARGO_PAINTS: tuple[tuple[int, int, int], ...] = (
    (226, 228, 228),
    (200, 150, 90),
    (110, 130, 180),
    (190, 196, 190),
)


@dataclass(frozen=True)
class Shape:
    """Flat faces of a vehicle, part by part.

    Attributes:
        corners: metres, (V, 3): ahead, left, up; the origin is on the ground, mid-vehicle.
        faces: per face the indices of its corners.
        normals: outward unit normals, (F, 3).
        centres: one point of each face's plane, (F, 3).
        material: int (F,), row of :data:`MATERIALS`.
        part: int (F,), which convex part a face belongs to; parts are painted far to near.
        layer: int (F,), order within a part: a window is painted after its wall.
        hull: corners of the outline on the ground, for shadows: indices of ``corners``.
    """

    corners: Float
    faces: tuple[npt.NDArray[np.intp], ...]
    normals: Float
    centres: Float
    material: npt.NDArray[np.intp]
    part: npt.NDArray[np.intp]
    layer: npt.NDArray[np.intp]
    hull: npt.NDArray[np.intp]

    @cached_property
    def orders(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """All faces in painting order, parts as built and parts reversed, each (F,)."""
        return np.lexsort((self.layer, self.part)), np.lexsort((self.layer, -self.part))

    @property
    def length(self) -> float:
        """Metres from bumper to bumper."""
        return float(np.ptp(self.corners[:, 0]))


class _Builder:
    """Collects faces; every method adds faces of the current part."""

    def __init__(self) -> None:
        self.faces: list[Float] = []
        self.material: list[int] = []
        self.part: list[int] = []
        self.layer: list[int] = []
        self.current = -1
        self.solid: list[int] = []

    def face(self, corners: Float, material: int, layer: int) -> None:
        self.faces.append(np.asarray(corners, np.float64))
        self.material.append(material)
        self.part.append(self.current)
        self.layer.append(layer)

    def loft(self, profile: list[tuple[float, float, float]], materials: list[int]) -> None:
        """A new convex part: its side view as corners (ahead, up, half width), counter-clockwise
        as seen from the right.

        ``materials`` gives the material of the strip that follows each corner; sides are painted.
        """
        self.current += 1
        self.solid.append(len(self.faces))
        points = np.array(profile)
        right = np.column_stack([points[:, 0], -points[:, 2], points[:, 1]])
        left = right * [1, -1, 1]
        self.face(right, materials[-1], 0)
        self.face(left[::-1], materials[-1], 0)
        for i in range(len(points)):
            j = (i + 1) % len(points)
            self.face(np.array([right[i], left[i], left[j], right[j]]), materials[i], 0)

    def on_side(self, points: list[Pair], wide: list[float], material: int, layer: int = 1) -> None:
        """A patch on both sides: corners (ahead, up), counter-clockwise from the right, and half widths."""
        flat = np.array(points)
        right = np.column_stack([flat[:, 0], -np.array(wide), flat[:, 1]])
        self.face(right, material, layer)
        self.face((right * [1, -1, 1])[::-1], material, layer)

    def wheel(self, ahead: float, radius: float, wide: float) -> None:
        """A tyre and its hub on both sides."""
        angle = np.arange(12) * (2 * np.pi / 12)
        for size, material, layer in ((1.0, TYRE, 2), (0.55, HUB, 3)):
            ring = [(ahead + size * radius * np.cos(a), radius * (1 + size * np.sin(a))) for a in angle]
            self.on_side(ring, [wide] * 12, material, layer)

    def on_end(self, ahead: Pair, up: Pair, sides: Pair,
               material: int, layer: int = 1) -> None:  # fmt: skip
        """A patch across one end, leaning from ``ahead[0]`` at ``up[0]`` to ``ahead[1]`` at ``up[1]``."""
        (x0, x1), (z0, z1), (y0, y1) = ahead, up, sides
        patch = np.array([[x0, y0, z0], [x0, y1, z0], [x1, y1, z1], [x1, y0, z1]])
        self.face(patch if x0 > 0 else patch[::-1], material, layer)

    def pair(self, ahead: float, up: Pair, inner: float, outer: float, material: int) -> None:
        """Two lights, left and right, on an upright end."""
        self.on_end((ahead, ahead), up, (inner, outer), material, 2)
        self.on_end((ahead, ahead), up, (-outer, -inner), material, 2)

    def build(self) -> Shape:
        corners = np.concatenate(self.faces)
        ends = np.cumsum([len(face) for face in self.faces])
        faces = tuple(np.arange(end - len(face), end) for face, end in zip(self.faces, ends, strict=True))
        normals = np.array([_normal(face) for face in self.faces])
        solid = np.concatenate([faces[first + side] for first in self.solid for side in (0, 1)])
        material, part, layer = (
            np.array(column, np.intp) for column in (self.material, self.part, self.layer)
        )
        centres = np.array([face.mean(axis=0) for face in self.faces])
        return Shape(corners, faces, normals, centres, material, part, layer, solid)


def _normal(face: Float) -> Float:
    """Unit normal of a planar polygon (Newell's formula), pointing to where it looks counter-clockwise."""
    ahead = np.roll(face, -1, axis=0)
    area = np.cross(face, ahead).sum(axis=0)
    return np.asarray(area / np.linalg.norm(area), np.float64)


def _passenger(length: float, width: float, height: float, tail: float, hood: float) -> Shape:
    """A car: body with hood, and a cabin with windows around; ``tail`` and ``hood`` are their lengths."""
    build, front, wide = _Builder(), length / 2, width / 2
    belt = 0.60 * height
    build.loft(
        [(-front + 0.06, 0.24, wide), (front - 0.10, 0.24, wide), (front, 0.50, wide * 0.97),
         (front - 0.12, belt * 0.84, wide * 0.95), (front - hood, belt, wide * 0.96),
         (-front + tail, belt, wide * 0.96), (-front + 0.02, belt * 0.94, wide * 0.95),
         (-front, 0.5, wide * 0.97)],
        [TRIM, TRIM, PAINT, PAINT, PAINT, PAINT, PAINT, PAINT],
    )  # fmt: skip
    build.on_side([(-front + 0.1, 0.24), (front - 0.12, 0.24), (front - 0.1, 0.36), (-front + 0.05, 0.36)],
                  [wide + 0.005] * 4, TRIM)  # fmt: skip
    for ahead in (-0.30 * length, 0.31 * length):
        build.wheel(ahead, 0.33, wide + 0.01)
    build.pair(front + 0.005, (0.52, 0.70), wide * 0.5, wide * 0.94, FRONT_LIGHT)
    build.pair(-front - 0.005, (0.62, 0.80), wide * 0.58, wide * 0.95, REAR_LIGHT)
    build.on_end((front + 0.005, front + 0.005), (0.46, 0.56), (-0.26, 0.26), PLATE, 2)
    build.on_end((-front - 0.005, -front - 0.005), (0.50, 0.61), (-0.26, 0.26), PLATE, 2)
    rear, base = -front + tail * 0.55, front - hood * 0.92
    slope_rear, slope_front = min(0.55, 0.25 + tail * 0.5), 0.62
    top = wide * 0.70
    build.loft(
        [(rear, belt - 0.01, wide * 0.92), (base, belt - 0.01, wide * 0.92),
         (base - slope_front, height, top), (rear + slope_rear, height, top)],
        [TRIM, PAINT, ROOF, PAINT],
    )  # fmt: skip
    _glass(build, (rear, base), (slope_rear, slope_front), (belt, height), (wide * 0.92, top))
    return build.build()


def _glass(build: _Builder, foot: Pair, slope: Pair, up: Pair, wide: Pair) -> None:
    """Windows of a cabin: leaning front and rear screens and two windows a side.

    ``foot`` is where the cabin's rear and front stand on the body, ``slope`` how far they lean inwards,
    ``up`` its lowest and highest point, ``wide`` its half width there.
    """
    (rear, base), (back, fore) = foot, slope
    low, high = 0.08, 0.90

    def at(share: float) -> tuple[float, float, float, float]:
        level = up[0] + share * (up[1] - up[0])
        half = wide[0] + share * (wide[1] - wide[0]) + 0.01
        return level, half, rear + share * back, base - share * fore

    (z0, w0, r0, f0), (z1, w1, r1, f1) = at(low), at(high)
    build.on_end((f0, f1), (z0, z1), (-w0 * 0.9, w0 * 0.9), GLASS)
    patch = np.array([[r0, -w0 * 0.86, z0], [r0, w0 * 0.86, z0], [r1, w1 * 0.9, z1], [r1, -w1 * 0.9, z1]])
    build.face(patch[::-1], GLASS, 1)
    middle = (rear + base) / 2 - 0.05
    build.on_side([(middle + 0.05, z0), (f0 - 0.14, z0), (f1 - 0.10, z1), (middle + 0.05, z1)],
                  [w0, w0, w1, w1], GLASS)  # fmt: skip
    build.on_side([(r0 + 0.16, z0), (middle - 0.05, z0), (middle - 0.05, z1), (r1 + 0.12, z1)],
                  [w0, w0, w1, w1], GLASS)  # fmt: skip


def _box(build: _Builder, ends: Pair, up: Pair, wide: float, *, nose: float, material: int, top: int) -> None:
    """A tall body between two ends whose front leans back by ``nose`` in its upper half."""
    back, front = ends
    middle = up[0] + 0.45 * (up[1] - up[0])
    build.loft(
        [(back, up[0], wide), (front, up[0], wide), (front, middle, wide), (front - nose, up[1], wide * 0.97),
         (back, up[1], wide * 0.97)],
        [TRIM, material, material, top, material],
    )  # fmt: skip


def _screen(build: _Builder, front: float, nose: float, up: Pair, wide: float) -> None:
    """Front screen of a :func:`_box`."""
    middle = up[0] + 0.45 * (up[1] - up[0])
    span = (0.06, 0.86)
    low, high = (middle + share * (up[1] - middle) for share in span)
    ahead = tuple(front - share * nose + 0.01 for share in span)
    build.on_end((ahead[0], ahead[1]), (low, high), (-wide * 0.88, wide * 0.88), GLASS)


def _van() -> Shape:
    """A panel van."""
    build, front, wide, up = _Builder(), 2.75, 1.0, (0.28, 2.35)
    _box(build, (-front, front), up, wide, nose=1.0, material=PAINT, top=ROOF)
    _screen(build, front, 1.0, up, wide)
    build.on_side([(1.05, 1.35), (2.25, 1.35), (1.95, 1.98), (1.05, 1.98)], [wide + 0.01] * 4, GLASS)
    build.on_side([(-front, 0.28), (front, 0.28), (front, 0.5), (-front, 0.5)], [wide + 0.005] * 4, TRIM)
    build.on_end((-front - 0.01, -front - 0.01), (1.4, 1.98), (-0.8, 0.8), GLASS)
    build.pair(front + 0.01, (0.75, 1.05), 0.55, 0.95, FRONT_LIGHT)
    build.pair(-front - 0.01, (0.7, 1.25), 0.78, 0.96, REAR_LIGHT)
    build.on_end((-front - 0.01, -front - 0.01), (0.5, 0.62), (-0.26, 0.26), PLATE, 2)
    for ahead in (-1.75, 1.75):
        build.wheel(ahead, 0.36, wide + 0.01)
    return build.build()


def _bus() -> Shape:
    """A city bus with a window band."""
    build, front, wide, up = _Builder(), 5.8, 1.25, (0.30, 3.05)
    _box(build, (-front, front), up, wide, nose=0.15, material=PAINT, top=ROOF)
    build.on_end((front + 0.02, front - 0.10), (1.35, 2.75), (-1.12, 1.12), GLASS)
    build.on_end((-front - 0.01, -front - 0.01), (1.7, 2.6), (-0.95, 0.95), GLASS)
    for i in range(7):
        x = -front + 0.35 + i * 1.55
        build.on_side([(x, 1.45), (x + 1.42, 1.45), (x + 1.42, 2.55), (x, 2.55)], [wide + 0.01] * 4, GLASS)
    build.on_side([(-front, 0.3), (front, 0.3), (front, 0.62), (-front, 0.62)], [wide + 0.005] * 4, TRIM)
    build.pair(front + 0.03, (0.65, 0.9), 0.7, 1.12, FRONT_LIGHT)
    build.pair(-front - 0.01, (0.8, 1.25), 0.9, 1.2, REAR_LIGHT)
    for ahead in (-3.1, 3.3):
        build.wheel(ahead, 0.48, wide + 0.01)
    return build.build()


def _truck() -> Shape:
    """A lorry: cab and cargo box."""
    build, wide = _Builder(), 1.22
    _box(build, (-4.2, 2.1), (0.95, 3.5), wide, nose=0.0, material=CARGO, top=ROOF)
    build.on_side([(-4.2, 0.62), (2.1, 0.62), (2.1, 0.97), (-4.2, 0.97)], [wide * 0.95] * 4, TRIM, 0)
    build.on_end((-4.2, -4.2), (0.62, 0.97), (-wide * 0.95, wide * 0.95), TRIM, 0)
    build.on_end((-4.22, -4.22), (1.0, 3.4), (-0.02, 0.02), TRIM)
    build.pair(-4.22, (0.66, 0.9), 0.75, 1.12, REAR_LIGHT)
    for ahead in (-3.1, -1.9):
        build.wheel(ahead, 0.5, wide + 0.01)
    _box(build, (2.3, 4.2), (0.5, 2.85), wide * 0.96, nose=0.3, material=PAINT, top=PAINT)
    _screen(build, 4.2, 0.3, (0.5, 2.85), wide)
    build.on_side([(2.75, 1.6), (4.0, 1.6), (3.88, 2.4), (2.75, 2.4)], [wide] * 4, GLASS)
    build.pair(4.22, (0.7, 0.95), 0.65, 1.08, FRONT_LIGHT)
    build.wheel(3.2, 0.5, wide + 0.01)
    return build.build()


@cache
def shapes() -> tuple[tuple[Shape, ...], ...]:
    """Shapes per class of :data:`CLASS_NAMES`."""
    cars = (
        _passenger(4.6, 1.82, 1.46, 0.85, 1.35),  # saloon
        _passenger(4.0, 1.76, 1.50, 0.22, 1.05),  # hatchback
        _passenger(4.7, 1.92, 1.74, 0.20, 1.20),  # off-road estate
    )
    return cars, (_van(),), (_bus(),), (_truck(),)


def colours(class_id: int, draw: npt.NDArray[np.float64]) -> Float:
    """Materials of one vehicle, BGR (10, 3), not to be written to; ``draw`` gives two uniform numbers."""
    paints = BUS_PAINTS if class_id == BUS else PAINTS
    return _materials(
        class_id, paints[int(draw[0] * len(paints))], CARGO_PAINTS[int(draw[1] * len(CARGO_PAINTS))]
    )


@cache
def _materials(class_id: int, paint: tuple[int, int, int], cargo: tuple[int, int, int]) -> Float:
    table = MATERIALS.copy()
    table[PAINT], table[CARGO], table[ROOF] = paint, cargo, paint
    if class_id == BUS:
        table[ROOF] = table[PAINT] * 0.4 + 105
    elif class_id == TRUCK:
        table[ROOF] = cargo
    return table
