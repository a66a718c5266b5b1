"""Textures drawn from numbers: cloudy noise, house fronts, roofs, leaves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.synthetic.canvas import Image
from spotlabel.pipeline.synthetic.chance import Purpose, uniforms

Grey = npt.NDArray[np.float32]
Float = npt.NDArray[np.float64]
TILE = 512
"""Side of a noise tile, texels."""


def noise_tile(seed: int, index: int, cells: tuple[int, ...]) -> Grey:
    """Smooth noise that repeats seamlessly, float32 (512, 512), mean about 0, range -1..1.

    Args:
        seed: of the scene.
        index: which tile.
        cells: sizes of the random grids that are blown up and added with equal weight; each divides 512.
    """
    total = np.zeros((TILE, TILE), np.float32)
    for order, n in enumerate(cells):
        grid = (
            uniforms(seed, Purpose.TEXTURE, index * 16 + order, n * n).reshape(n, n).astype(np.float32) * 2
            - 1
        )
        around, scale = np.pad(grid, 2, mode="wrap"), TILE // n
        blown = cv2.resize(around, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        total += blown[2 * scale : 2 * scale + TILE, 2 * scale : 2 * scale + TILE]
    return np.asarray(np.clip(total / len(cells), -1, 1))


def sample(tile: Grey, x: Grey, y: Grey) -> Grey:
    """Values of a repeating tile at texel coordinates; same shape as ``x`` and ``y``."""
    map_x, map_y = np.mod(x, TILE).astype(np.float32), np.mod(y, TILE).astype(np.float32)
    return np.asarray(cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32)


def facade(seed: int, index: int, columns: int, floors: int) -> Image:
    """A house front with windows, uint8 (24 * floors, 20 * columns, 3)."""
    draw = uniforms(seed, Purpose.SCENERY, index, 16 + columns * floors * 2)
    tints = np.array(
        [[150, 172, 190], [128, 148, 176], [170, 178, 182], [110, 124, 158], [160, 186, 204], [140, 150, 152]]
    )
    wall = tints[int(draw[0] * len(tints))] * (0.8 + 0.3 * draw[1])
    picture = np.empty((24 * floors, 20 * columns, 3), np.float32)
    picture[:] = wall
    grain = uniforms(seed, Purpose.SCENERY, index + (1 << 32), picture[..., 0].size).reshape(
        picture.shape[:2]
    )
    picture += ((grain - 0.5) * 18).astype(np.float32)[..., None]
    for floor in range(floors):
        for column in range(columns):
            share = draw[16 + 2 * (floor * columns + column) :][:2]
            cell = picture[24 * floor : 24 * floor + 24, 20 * column : 20 * column + 20]
            _window(cell, share, wall, ground=floor == floors - 1)
    picture[:3] = wall * 0.6
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _window(cell: Grey, draw: Float, wall: Float, ground: bool) -> None:
    """One window (or, on the ground floor, shop front) in its cell of a facade, float32 (24, 20, 3)."""
    glass = np.array([92, 78, 66]) * (0.6 + 0.7 * draw[0])
    high, wide = (17, 16) if ground else (13, 10)
    y, x = (5 if ground else 6), (20 - wide) // 2
    cell[y - 1 : y + high + 1, x - 1 : x + wide + 1] = np.minimum(wall * 1.25, 235)
    cell[y : y + high, x : x + wide] = glass
    if not ground:
        cell[y : y + int(high * draw[1] * 0.6), x : x + wide] = (190, 200, 205)
        cell[y : y + high, x + wide // 2] = np.minimum(wall * 1.2, 230)
        cell[y + high + 1 : y + high + 3, x - 2 : x + wide + 2] = wall * 0.7


def roof(seed: int, index: int) -> Image:
    """A flat roof with a parapet and boxes of machinery, uint8 (96, 96, 3)."""
    draw = uniforms(seed, Purpose.SCENERY, index, 24)
    tint = np.array([118, 122, 126]) * (0.75 + 0.5 * draw[0]) + np.array([0, 4, 10]) * draw[1]
    grain = uniforms(seed, Purpose.SCENERY, index + (1 << 32), 96 * 96).reshape(96, 96, 1)
    picture = (tint + (grain - 0.5) * 24).astype(np.float32)
    for k in range(3):
        x, y, wide, high = (
            int(v) for v in np.array([12, 12, 8, 8]) + draw[4 + 4 * k : 8 + 4 * k] * [56, 56, 14, 14]
        )
        picture[y + 3 : y + high + 3, x + 3 : x + wide + 3] *= 0.55
        picture[y : y + high, x : x + wide] = 150 + 60 * draw[k]
    for side in (picture[:3], picture[-3:], picture[:, :3], picture[:, -3:]):
        side[:] = tint * 1.3 + 12
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


@dataclass(frozen=True)
class Crown:
    """The crown of a tree seen from anywhere.

    Attributes:
        leaves: uint8 (S, S, 3) BGR.
        inside: uint8 (S, S), 255 where there are leaves; the crown's radius is 0.42 S.
        phase: float32 (8, 8), where in the gust each part of the crown is, radians.
    """

    leaves: Image
    inside: Image
    phase: Grey


@lru_cache(maxsize=48)
def crown(seed: int, index: int, side: int) -> Crown:
    """A crown of ``side`` pixels, lit from the top left; kept, since many trees share one."""
    count = 260
    draw = uniforms(seed, Purpose.SCENERY, index, count * 4 + 72)
    angle, reach = draw[:count] * 2 * np.pi, np.sqrt(draw[count : 2 * count])
    u, v = reach * np.cos(angle), reach * np.sin(angle)
    lobes = 0.80 + 0.16 * np.sin(angle * 3 + draw[-1] * 6) + 0.08 * np.sin(angle * 7 + draw[-2] * 6)
    size = (0.10 + 0.09 * draw[2 * count : 3 * count]) * 0.5 * side
    leaves, inside = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.uint8)
    leaves[:] = (26, 50, 36)
    tint = np.array([44, 104, 78]) * (0.85 + 0.3 * draw[-3]) + np.array([0, 0, 22]) * draw[-4]
    for k in np.argsort(draw[3 * count : 4 * count] * 0.5 - reach * 0.3 - (u + v) * 0.5):
        light = 0.86 - 0.20 * (u[k] + v[k]) + 0.30 * (draw[3 * count + k] - 0.5)
        colour = np.clip(tint * light, 0, 255)
        spot = np.array([0.5 + 0.40 * u[k] * lobes[k], 0.5 + 0.40 * v[k] * lobes[k]]) * side * 16
        centre, radius = (int(spot[0]), int(spot[1])), max(8, int(size[k] * 16))
        cv2.circle(leaves, centre, radius, colour.tolist(), -1, cv2.LINE_AA, 4)
        cv2.circle(inside, centre, radius, (255,), -1, cv2.LINE_8, 4)
    return Crown(leaves, inside, (draw[-72:-8] * 2 * np.pi).reshape(8, 8).astype(np.float32))
