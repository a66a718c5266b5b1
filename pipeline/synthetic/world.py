"""What the two worlds have in common: light, painting helpers, random scenery."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.synthetic.actors import Vehicle
from spotlabel.pipeline.synthetic.canvas import SUBPIXEL_BITS, Canvas, Image, fixed_point
from spotlabel.pipeline.synthetic.chance import Purpose, uniforms
from spotlabel.pipeline.synthetic.pinhole import Float, Pinhole
from spotlabel.pipeline.synthetic.scenery import Board, House, Standing, Thing, Tree, poster_picture
from spotlabel.pipeline.synthetic.settings import SceneSettings
from spotlabel.pipeline.synthetic.textures import crown, facade, roof
from spotlabel.pipeline.synthetic.traffic import dressed


class World(Protocol):
    """Everything that a frame shows, as functions of its index."""

    sun: Float
    """Unit vector towards the sun, (3,)."""
    cut: float | None
    """Vehicles are hidden beyond this y, metres."""

    def camera(self, index: int) -> Pinhole:
        """Camera of a frame; its position grows without bound as it travels."""

    def nearby(self, camera: Pinhole) -> Pinhole:
        """The same view, where a world that repeats has been stepped back to its first copy."""

    def backdrop(self, camera: Pinhole) -> Image:
        """New picture of the ground and all that nothing can hide behind, uint8 (H, W, 3)."""

    def things(self, camera: Pinhole) -> list[Thing]:
        """Scenery that vehicles can be hidden by or hide."""

    def vehicles(self, camera: Pinhole, seconds: float) -> list[Vehicle]:
        """All vehicles near the camera."""

    def regions(self, camera: Pinhole) -> npt.NDArray[np.float32]:
        """Ignore regions in the image, float32 (m, 4)."""

    moving_shadows: bool
    """True if the scenery's shadows are not in the backdrop yet."""


def unit(size: tuple[int, int]) -> float:
    """Pixels that the picture's geometry scales with: the square root of its area."""
    return float(np.sqrt(size[0] * size[1]))


def sunlight(seed: int) -> Float:
    """Direction towards the sun, (3,)."""
    draw = uniforms(seed, Purpose.LAYOUT, 1000, 2)
    side = 1.0 if draw[0] < 0.5 else -1.0
    direction = np.array([side * (0.55 + 0.35 * draw[1]), -0.35, 1.0])
    return np.asarray(direction / np.linalg.norm(direction))


def shade(canvas: Canvas, outlines: list[Float], strength: float) -> None:
    """Darken the picture softly inside world polygons (n, 3) by ``strength``."""
    if strength == 0 or not outlines:
        return
    mask = np.zeros(canvas.size, np.uint8)
    for outline in outlines:
        pixels = canvas.visible(outline)
        if len(pixels) >= 3:
            cv2.fillConvexPoly(mask, fixed_point(pixels), (255,), cv2.LINE_AA, SUBPIXEL_BITS)
    softness = 0.0035 * unit(canvas.size)
    mask = cv2.GaussianBlur(mask, (0, 0), max(softness, 0.4), borderType=cv2.BORDER_REPLICATE)
    light = cv2.LUT(mask, np.rint(255 - strength * np.arange(256)).astype(np.uint8))
    cv2.multiply(canvas.image, cv2.cvtColor(light, cv2.COLOR_GRAY2BGR), canvas.image, 1 / 255)


def house(seed: int, index: int, low: tuple[float, float], high: tuple[float, float], height: float) -> House:
    """A block with windows of about 2.6 m and floors of 3 m."""
    floors = max(1, round(height / 3))
    across, along = (max(1, round((high[k] - low[k]) / 2.6)) for k in (0, 1))
    fronts = facade(seed, index * 8, along, floors), facade(seed, index * 8, across, floors)
    walls = (fronts[0], fronts[0], fronts[1], fronts[1])
    top = roof(seed, index * 8 + 4)
    return House(np.array([*low, 0.0]), np.array([*high, height]), walls, top)


def tree(seed: int, index: int, foot: Float, pixels_per_metre: float) -> Tree:
    """A tree whose crown's picture suits the size at which it will be seen."""
    draw = uniforms(seed, Purpose.SCENERY, (1 << 20) + index, 3)
    radius = 1.7 + 1.0 * float(draw[0])
    side = int(np.clip(np.ceil(2.4 * radius * pixels_per_metre / 16) * 16, 16, 384))
    return Tree(foot, 2.4 + radius, radius, crown(seed, (1 << 21) + index % 8, side), float(draw[2]) * 6.28)


def distractor(
    settings: SceneSettings, index: int, sun: Float, lawn: tuple[float, float], roof_of: House
) -> Thing:
    """A vehicle-looking thing: on a lawn, as a poster, or (with its house) on a roof; kinds take turns.

    Args:
        settings: of the scene.
        index: which one.
        sun: unit vector towards the sun, (3,).
        lawn: where to stand, metres.
        roof_of: house whose roof is used every third time.
    """
    draw = uniforms(settings.seed, Purpose.SCENERY, (1 << 22) + index, 5)
    spot, heading = np.array([*lawn, 0.0]), float(draw[4]) * 2 * np.pi
    if index % 3 == 1:
        picture = poster_picture(dressed(0, draw[:4], spot, 0.0), sun)
        return Board(spot, 5.6, 1.2, 4.7, picture, legs=2)
    if index % 3 == 2:
        middle = (roof_of.low + roof_of.high) / 2
        middle[2] = roof_of.high[2]
        load = Standing(dressed(0, draw[:4], middle, heading, class_id=0))
        return House(roof_of.low, roof_of.high, roof_of.walls, roof_of.roof, load)
    return Standing(dressed(0, draw[:4], spot, heading))
