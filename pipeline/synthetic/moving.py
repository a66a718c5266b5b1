"""The district under a drone: streets, blocks and trees that repeat without end."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi, radians, sin

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.synthetic.actors import Vehicle
from spotlabel.pipeline.synthetic.canvas import Image
from spotlabel.pipeline.synthetic.chance import Purpose, uniforms
from spotlabel.pipeline.synthetic.ground import Ground, Lot
from spotlabel.pipeline.synthetic.parking import circling, lot_regions, parked
from spotlabel.pipeline.synthetic.pinhole import Float, Pinhole, look
from spotlabel.pipeline.synthetic.scenery import House, Lamp, Post, Thing
from spotlabel.pipeline.synthetic.sensor import shake
from spotlabel.pipeline.synthetic.settings import SceneSettings
from spotlabel.pipeline.synthetic.traffic import Lane, Road
from spotlabel.pipeline.synthetic.world import distractor, house, sunlight, tree, unit

PERIOD = 240.0
"""The world repeats after this many metres in x and in y."""
ALTITUDE, PITCH, FOCAL = 46.0, 0.90, 1.12
"""Metres, radians below the horizon, and focal length relative to the picture's unit."""
ZOOM_SECONDS = 9.0
"""Period of the zoom."""
TALLEST = 20.0
"""Nothing reaches further than this from its place on the ground, metres."""
FINE_TEXELS = 800
"""Up to this side the ground is painted twice as fine and averaged down."""
MAX_TEXELS = 3072
"""Largest side of the ground's picture; beyond, very large frames see a softer ground."""
SPACING = 48.0
"""Metres between the roads' middles."""
ROADS = tuple(
    Road(SPACING * (k + 0.5), sway=4.0, period=PERIOD, bay=0.0)
    if k in {0, 2}
    else Road(SPACING * (k + 0.5), median=0.0, lanes=1, sway=4.0, period=PERIOD)
    for k in range(5)
)
LOT = Lot(38.5, 57.5, 104.0, 138.0)


class District:
    """See :class:`spotlabel.pipeline.synthetic.world.World`."""

    moving_shadows = True
    cut: float | None = None

    def __init__(self, settings: SceneSettings) -> None:
        self.settings = settings
        self.size = settings.height, settings.width
        self.sun = sunlight(settings.seed)
        self.lot = LOT if settings.ignored_region else None
        self._draw = uniforms(settings.seed, Purpose.LAYOUT, 1002, 8)
        self.lanes = self._lanes()
        self._parked = parked(self.lot, settings.seed) if self.lot is not None else []
        self._things = self._blocks() + self._greenery()
        self._spots = np.array([thing.footprint.mean(axis=0) for thing in self._things])
        self._texels = min(MAX_TEXELS, int(PERIOD * FOCAL * unit(self.size) / ALTITUDE))
        self._picture = self._paint_ground()

    def _lanes(self) -> tuple[Lane, ...]:
        lanes: list[Lane] = []
        for road in ROADS:
            for direction in (1, -1):
                for place in range(road.lanes):
                    offset = direction * (road.median + (place + 0.5) * road.lane)
                    draw = uniforms(self.settings.seed, Purpose.LAYOUT, 50 + len(lanes), 1)
                    speed = self.settings.speed * (0.8 + 0.4 * float(draw[0]))
                    lanes.append(Lane(len(lanes), road, offset, direction, 0.0, PERIOD, speed, endless=True))
        return tuple(lanes)

    def _blocks(self) -> list[Thing]:
        """Houses between the roads; distractors take the plots near the start, one each."""
        seed, blocks = self.settings.seed, list[Thing]()
        draw = uniforms(seed, Purpose.SCENERY, 9, 300).reshape(5, 60)
        plots = self._plots()
        away = [np.hypot(SPACING * (c + 1) - LOT.middle, 20.0 * r + 10 - LOT.near) for c, r in plots]
        order = np.argsort(away + 40 * draw[4, : len(plots)], kind="stable")
        taken = {int(p): k for k, p in enumerate(order[: self.settings.distractors])}
        for k, (column, row) in enumerate(plots):
            x, y = SPACING * (column + 1) - 7 + 3 * float(draw[0, k]), 20.0 * row + 3
            wide, height = 10.0 + 2 * float(draw[1, k]), 4.0 + 8 * float(draw[2, k])
            block = house(seed, k, (x, y), (x + wide, y + 13), height)
            if k in taken:
                blocks.append(distractor(self.settings, taken[k], self.sun, (x + wide / 2, y + 6.5), block))
            elif draw[3, k] < 0.8:
                blocks.append(block)
        return blocks

    def _plots(self) -> list[tuple[int, int]]:
        """Column and row of every plot that the car park leaves free."""
        plots = [(column, row) for row in range(12) for column in range(5)]
        if self.lot is None:
            return plots
        return [(c, r) for c, r in plots if c > 0 or not LOT.near - 21 < 20.0 * r < LOT.far - 1]

    def _greenery(self) -> list[Thing]:
        """Trees along the plots and lamps in the medians."""
        seed, scale = self.settings.seed, FOCAL * unit(self.size) / (ALTITUDE / sin(PITCH))
        draw = uniforms(seed, Purpose.SCENERY, 11, 160)
        props = list[Thing]()
        for k in range(80):
            road, y = ROADS[k % 5], 15.0 * (k // 5) + 8 * float(draw[k])
            side = 1 if draw[80 + k] < 0.5 else -1
            reach = road.edge + road.path + (road.bay if side > 0 else 0) + 1.6
            x = road.centre(float(y)) + side * reach
            if self.lot is None or not (LOT.left - 3 < x < LOT.right + 3 and LOT.near - 3 < y < LOT.far + 3):
                props.append(tree(seed, k, np.array([x, y, 0.0]), scale))
        if self.settings.occluders:
            for road in (ROADS[0], ROADS[2]):
                for y in np.arange(15.0, PERIOD, 40.0):
                    foot = np.array([road.centre(float(y)), y, 0.0])
                    props.append(Lamp(Post(foot, 8.0, 0.13, (96, 100, 98))))
                    props.append(tree(seed, 200 + int(y), foot + np.array([0, 20.0, 0]), scale))
        return props

    def _paint_ground(self) -> Image:
        """One period of the ground from above, uint8 (n, n, 3), rows along +y, columns along +x."""
        ground = Ground(self.settings.seed, ROADS, self.lot, None, PERIOD)
        n, finer = self._texels, 2 if self._texels <= FINE_TEXELS else 1
        metres = PERIOD / (n * finer)
        at = ((np.arange(n * finer) + 0.5) * metres).astype(np.float32)
        bands = []
        for rows in np.array_split(np.arange(n), max(1, n // 256)):
            part = at[rows[0] * finer : (rows[-1] + 1) * finer]
            x, y = np.meshgrid(at, part)
            band = cv2.resize(ground.colours(x, y, metres), (n, len(rows)), interpolation=cv2.INTER_AREA)
            bands.append(np.clip(np.rint(band), 0, 255).astype(np.uint8))
        picture = np.concatenate(bands)
        for thing in self._things:
            if isinstance(thing, House):
                self._paint_yard(picture, thing)
        return picture

    def _paint_yard(self, picture: Image, block: House) -> None:
        """Slabs around a house, under what shows of the grass."""
        scale = self._texels / PERIOD
        (x0, y0), (x1, y1) = block.low[:2] * scale, block.high[:2] * scale
        reach = 1.8 * scale
        rows, columns = (
            slice(int(max(y0 - reach, 0)), int(y1 + reach)),
            slice(int(x0 - reach), int(x1 + reach)),
        )
        picture[rows, columns] = cv2.addWeighted(
            picture[rows, columns], 0.3, np.full_like(picture[rows, columns], (140, 148, 152)), 0.7, 0
        )

    def camera(self, index: int) -> Pinhole:
        """Travelling, turning and zooming; its position grows without bound."""
        chosen, seconds = self.settings, index / self.settings.fps
        heading = 0.5 + 0.6 * float(self._draw[0])
        target = np.array([LOT.middle, (LOT.near + LOT.far) / 2]) + (self._draw[1:3] - 0.5) * [30, 60]
        target += np.array([sin(heading), cos(heading)]) * (chosen.pan * seconds)
        yaw = 2 * pi * float(self._draw[3]) + radians(chosen.rotation) * seconds
        zoom = 1 + chosen.zoom * sin(2 * pi * (seconds / ZOOM_SECONDS + float(self._draw[4])))
        back = ALTITUDE / np.tan(PITCH)
        position = np.array([target[0] - back * sin(yaw), target[1] - back * cos(yaw), ALTITUDE])
        centre = np.array([self.size[1] / 2, self.size[0] / 2])
        return look(position, yaw, PITCH, FOCAL * unit(self.size) * zoom, centre).shifted(
            shake(chosen, index)
        )

    def nearby(self, camera: Pinhole) -> Pinhole:
        """The same view from within the first copy of the world."""
        lap = np.floor(camera.position / PERIOD) * PERIOD * [1, 1, 0]
        return replace(camera, position=camera.position - lap)

    def backdrop(self, camera: Pinhole) -> Image:
        """The ground under the camera."""
        metres = PERIOD / self._texels
        texels = np.array([[metres, 0, metres / 2], [0, metres, metres / 2], [0, 0, 1.0]])
        centres = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
        warp = centres @ camera.ground @ texels
        size = self.size[::-1]
        return np.asarray(
            cv2.warpPerspective(self._picture, warp, size, borderMode=cv2.BORDER_WRAP), np.uint8
        )

    def _copies(self, spots: Float, camera: Pinhole) -> Float:
        """Offsets in whole periods that bring places (n, 2) nearest to what the camera looks at, (n, 3)."""
        focus = camera.position[:2] + camera.axes[2, :2] * (ALTITUDE / -camera.axes[2, 2])
        return np.column_stack([np.rint((focus - spots) / PERIOD) * PERIOD, np.zeros(len(spots))])

    def _seen(self, spots: Float, camera: Pinhole) -> tuple[Float, list[int]]:
        """Offsets as in :meth:`_copies`, and which of the things there could reach into the picture."""
        offsets = self._copies(spots, camera)
        pixels, depth = camera.project(np.column_stack([spots, np.zeros(len(spots))]) + offsets)
        reach = (TALLEST * camera.focal / np.maximum(depth, 1.0))[:, None]
        inside = np.all((pixels > -reach) & (pixels < np.array(self.size[::-1]) + reach), axis=1)
        return offsets, np.flatnonzero(inside & (depth > 1)).tolist()

    def things(self, camera: Pinhole) -> list[Thing]:
        """Houses, trees, lamps and distractors that may be in sight."""
        offsets, seen = self._seen(self._spots, camera)
        return [self._things[k].moved(offsets[k]) for k in seen]

    def vehicles(self, camera: Pinhole, seconds: float) -> list[Vehicle]:
        """Traffic and the car park where they may be in sight."""
        chosen = self.settings
        vehicles = [v for lane in self.lanes for v in lane.vehicles(chosen.seed, chosen.density, seconds)]
        if self.lot is not None:
            vehicles += self._parked
            vehicles += circling(self.lot, chosen.seed, chosen.speed, seconds)
        spots = np.array([v.position[:2] for v in vehicles]).reshape(-1, 2)
        offsets, seen = self._seen(spots, camera)
        return [replace(vehicles[k], position=vehicles[k].position + offsets[k]) for k in seen]

    def regions(self, camera: Pinhole) -> npt.NDArray[np.float32]:
        """Around the car park, where it is in sight."""
        if self.lot is None:
            return np.zeros((0, 4), np.float32)
        middle = np.array([self.lot.middle, (self.lot.near + self.lot.far) / 2])
        dx, dy, _ = self._copies(middle[None], camera)[0]
        lot = Lot(self.lot.left + dx, self.lot.right + dx, self.lot.near + dy, self.lot.far + dy)
        return lot_regions(lot, camera, self.size, 1.0)
