"""The street under a traffic camera: two carriageways, an underpass, a car park."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.synthetic.actors import Vehicle
from spotlabel.pipeline.synthetic.canvas import Canvas, Colour, Image
from spotlabel.pipeline.synthetic.chance import Purpose, uniforms
from spotlabel.pipeline.synthetic.ground import Ground, Lot
from spotlabel.pipeline.synthetic.parking import circling, lot_regions, parked
from spotlabel.pipeline.synthetic.pinhole import Pinhole, look
from spotlabel.pipeline.synthetic.scenery import Board, House, Lamp, Moment, Post, Thing, sign_picture
from spotlabel.pipeline.synthetic.sensor import shake
from spotlabel.pipeline.synthetic.settings import SceneSettings
from spotlabel.pipeline.synthetic.textures import noise_tile, sample
from spotlabel.pipeline.synthetic.traffic import Lane, Manoeuvre, Road, dressed
from spotlabel.pipeline.synthetic.world import distractor, house, shade, sunlight, tree, unit

PORTAL = 112.0
"""Y of the underpass that swallows the road, metres."""
START, END = -26.0, PORTAL + 22.0
"""Ends of the lanes, both out of sight."""
LOT = Lot(15.5, 34.5, 38.0, 64.0)
REST_PARKED, REST_STARTER = 25.0, 40.0
"""Y at which the car that parks comes to rest, and from which the other one starts."""
PARKED_ID, STARTER_ID = 1, 2


class Street:
    """See :class:`spotlabel.pipeline.synthetic.world.World`."""

    moving_shadows = False

    def __init__(self, settings: SceneSettings) -> None:
        self.settings = settings
        self.size = settings.height, settings.width
        self.sun = sunlight(settings.seed)
        self.cut: float | None = PORTAL
        self.road = Road()
        self.lot = LOT if settings.ignored_region else None
        self._still = self._place_camera()
        self.manoeuvres = self._manoeuvres()
        self.lanes = self._lanes()
        self._parked = parked(self.lot, settings.seed) if self.lot is not None else []
        self._things = self._median() + self._verges() + self._misplaced()
        self._margin = int(np.ceil(3 * settings.jitter)) + 1 if settings.jitter > 0 else 0
        self._picture = self._paint_backdrop()

    def _place_camera(self) -> Pinhole:
        """Over the kerb, so that nothing beside the road can stand between it and the camera."""
        draw = uniforms(self.settings.seed, Purpose.LAYOUT, 1001, 4)
        height, width = self.size
        position = np.array([9.2 + draw[0], 0.0, 8.0 + 1.6 * draw[1]])
        centre = np.array([width / 2, height / 2])
        return look(position, -0.10 - 0.06 * draw[2], 0.235 + 0.03 * draw[3], 1.12 * unit(self.size), centre)

    def _manoeuvres(self) -> tuple[tuple[int, Manoeuvre], ...]:
        """The car that parks and the one that starts, each with its track id."""
        chosen = self.settings
        lane, bay = self.road.median + 1.5 * self.road.lane, self.road.edge + 1.25
        seconds = chosen.frames / chosen.fps
        manoeuvres = []
        if chosen.parked_car:
            manoeuvres.append(
                (PARKED_ID, Manoeuvre(self.road, lane, bay, REST_PARKED, 0.35 * seconds, chosen.speed, False))
            )
        if chosen.starter:
            manoeuvres.append(
                (STARTER_ID, Manoeuvre(self.road, lane, bay, REST_STARTER, 0.5 * seconds, chosen.speed, True))
            )
        return tuple(manoeuvres)

    def _lanes(self) -> tuple[Lane, ...]:
        lanes = []
        for number, (direction, place) in enumerate([(1, 0), (1, 1), (-1, 0), (-1, 1)]):
            offset = direction * (self.road.median + (place + 0.5) * self.road.lane)
            draw = uniforms(self.settings.seed, Purpose.LAYOUT, 50 + number, 1)
            speed = self.settings.speed * (1.0 if number == 1 else 0.85 + 0.35 * float(draw[0]))
            free = tuple(m.taken(START) for _, m in self.manoeuvres) if number == 1 else ()
            lanes.append(Lane(number, self.road, offset, direction, START, END - START, speed, free=free))
        return tuple(lanes)

    def _median(self) -> list[Thing]:
        """Lamps, a sign and a tree between the carriageways: they hide what drives behind them."""
        if not self.settings.occluders:
            return []
        props: list[Thing] = [
            Lamp(Post(np.array([0, y, 0.0]), 8.5, 0.13, (96, 100, 98))) for y in (19.0, 58.0, 96.0)
        ]
        props.append(Board(np.array([0, 30.0, 0]), 1.9, 2.3, 3.8, sign_picture()))
        props.append(tree(self.settings.seed, 40, np.array([0.0, 43.0, 0.0]), self._scale(43.0)))
        return props

    def _scale(self, distance: float) -> float:
        return self._still.focal / distance

    def _verges(self) -> list[Thing]:
        """Trees on both sides and on the embankment."""
        draw = uniforms(self.settings.seed, Purpose.SCENERY, 7, 40)
        spots = [(-12.9 - draw[k], 26.0 + 15 * k + 6 * draw[10 + k], 0.0) for k in range(6)]
        spots += [(15.0 + draw[20 + k], y, 0.0) for k, y in enumerate((68.0, 78.0, 90.0, 101.0))]
        spots += [(-34.0 + 13 * k + 6 * draw[30 + k], PORTAL + 4.0, 7.6) for k in range(7)]
        return [
            tree(self.settings.seed, k, np.array([x, y, lift]), self._scale(float(y)))
            for k, (x, y, lift) in enumerate(spots)
        ]

    def _misplaced(self) -> list[Thing]:
        """The distractors: on the left verge, and on low roofs beside it."""
        distractors: list[Thing] = []
        for k in range(self.settings.distractors):
            y = 24.0 + 7.5 * k
            low = house(self.settings.seed, 60 + k, (-30.0, y - 3.5), (-22.0, y + 3.5), 3.2)
            distractors.append(distractor(self.settings, k, self.sun, (-14.6, y), low))
        return distractors

    def camera(self, index: int) -> Pinhole:
        """Standing but for its shake."""
        return self._still.shifted(shake(self.settings, index))

    def nearby(self, camera: Pinhole) -> Pinhole:
        """The same: this world does not repeat."""
        return camera

    def backdrop(self, camera: Pinhole) -> Image:
        """The painted street, moved with the shake."""
        if self._margin == 0:
            return self._picture.copy()
        shift = camera.centre - self._still.centre - self._margin
        warp = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
        size = self.size[::-1]
        return np.asarray(
            cv2.warpAffine(self._picture, warp, size, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def things(self, camera: Pinhole) -> list[Thing]:
        """Trees, lamps, sign and distractors."""
        return self._things

    def vehicles(self, camera: Pinhole, seconds: float) -> list[Vehicle]:
        """Traffic, the parking and the starting car, the car park."""
        chosen = self.settings
        vehicles = [v for lane in self.lanes for v in lane.vehicles(chosen.seed, chosen.density, seconds)]
        for track, manoeuvre in self.manoeuvres:
            draw = uniforms(chosen.seed, Purpose.VEHICLE, track, 4)
            vehicles.append(dressed(track, draw, *manoeuvre.at(seconds), class_id=0))
        if self.lot is not None:
            vehicles += self._parked
            vehicles += circling(self.lot, chosen.seed, chosen.speed, seconds)
        return vehicles

    def regions(self, camera: Pinhole) -> npt.NDArray[np.float32]:
        """Around the car park, wide enough for any shake."""
        if self.lot is None:
            return np.zeros((0, 4), np.float32)
        return lot_regions(self.lot, self._still, self.size, 3 * self.settings.jitter + 1)

    def _paint_backdrop(self) -> Image:
        """Sky, ground and houses with a margin for the camera's shake, uint8 (H + 2 m, W + 2 m, 3)."""
        margin = self._margin
        camera = replace(self._still, centre=self._still.centre + margin)
        canvas = Canvas(
            self._paint_ground(camera, self.size[0] + 2 * margin, self.size[1] + 2 * margin), camera
        )
        moment = Moment(0.0, self.sun, 0.0)
        houses = self._houses()
        outlines = [s for thing in [*self._things, *houses] if (s := thing.shadow(self.sun)) is not None]
        shade(canvas, [s for s in outlines if s[:, 1].max() < PORTAL], self.settings.shadows)
        houses.sort(key=lambda h: -float(np.linalg.norm(h.footprint.mean(0) - camera.position[:2])))
        for block in (h for h in houses if h.low[1] > PORTAL):
            block.paint(canvas, moment)
        self._paint_portal(canvas)
        for block in (h for h in houses if h.low[1] < PORTAL):
            block.paint(canvas, moment)
        return canvas.image

    def _paint_ground(self, camera: Pinhole, height: int, width: int) -> Image:
        """Sky and ground at twice the size, averaged down."""
        u = ((np.arange(2 * width) + 0.5) / 2 - camera.centre[0]) / camera.focal
        v = ((np.arange(2 * height) + 0.5) / 2 - camera.centre[1]) / camera.focal
        rays = [
            (camera.axes[0, k] * u[None] + camera.axes[1, k] * v[:, None] + camera.axes[2, k]).astype(
                np.float32
            )
            for k in range(3)
        ]
        far = np.float32(camera.position[2]) / np.maximum(-rays[2], 1e-3)
        x, y = rays[0] * far + np.float32(camera.position[0]), rays[1] * far + np.float32(camera.position[1])
        ground = Ground(self.settings.seed, (self.road,), self.lot, 16.5, 240.0)
        picture = ground.colours(x, y, far * far * np.float32(0.5 / camera.focal / camera.position[2]))
        haze = np.clip(far / 900, 0, 0.25)[..., None]
        picture = picture * (1 - haze) + np.float32(200) * haze
        tile = noise_tile(self.settings.seed, 3, (4, 8, 16, 32))
        cloud = np.clip(sample(tile, rays[0] * 300, rays[2] * 1300) * 1.5 + 0.1, 0, 1)[..., None]
        rise = np.clip(rays[2] * 2.5, 0, 1)[..., None]
        sky = (
            np.array([222, 212, 200], np.float32) * (1 - rise) + np.array([206, 158, 112], np.float32) * rise
        )
        sky = sky + (np.float32(238) - sky) * cloud * 0.6
        picture = np.where((rays[2] < -1e-3)[..., None], picture, sky)
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(np.clip(np.rint(small), 0, 255), np.uint8)

    def _paint_portal(self, canvas: Canvas) -> None:
        """A railway embankment across the road, with one opening per carriageway."""
        top, reach, wide = 7.6, 120.0, 14.5

        def wall(
            across: tuple[float, float], up: tuple[float, float], colour: Colour, lean: float = 0.0
        ) -> None:
            (x0, x1), (z0, z1) = across, up
            y = PORTAL + lean
            canvas.polygon(np.array([[x0, PORTAL, z0], [x1, PORTAL, z0], [x1, y, z1], [x0, y, z1]]), colour)

        wall((-reach, reach), (0.0, top), (58, 98, 76), lean=9.0)
        wall((-wide, wide), (0.0, top), (128, 138, 146))
        wall((-wide, wide), (top - 0.9, top + 0.5), (158, 166, 170))
        for side in (-1, 1):
            inner, outer = sorted(
                (side * 1.0, side * (self.road.edge + (self.road.bay if side > 0 else 0.3)))
            )
            wall((inner, outer), (0.0, 5.4), (30, 30, 30))
            wall((inner, outer), (5.4, 5.7), (92, 98, 104))
        for k in range(-16, 17):
            wall((k * 2.5 - 0.06, k * 2.5 + 0.06), (top, top + 1.2), (84, 88, 88))
        wall((-41, 41), (top + 1.1, top + 1.2), (84, 88, 88))

    def _houses(self) -> list[House]:
        """Rows of houses behind both footpaths, and a few beyond the embankment."""
        seed, houses = self.settings.seed, []
        draw = uniforms(seed, Purpose.SCENERY, 8, 48)
        for k in range(7):
            y, height = 20.0 + 13.2 * k, 9.0 + 9.0 * draw[k]
            front = -31.0 if self.settings.distractors else -17.0 - 1.5 * draw[8 + k]
            houses.append(house(seed, k, (front - 13, y), (front, y + 12.4), float(height)))
            near = 38.0 if y < LOT.far + 4 else 19.5
            houses.append(house(seed, 10 + k, (near, y), (near + 13, y + 12.4), float(7 + 9 * draw[16 + k])))
        for k in range(6):
            x = -62.0 + 22 * k + 8 * draw[24 + k]
            houses.append(house(seed, 20 + k, (x, 150.0), (x + 14, 164.0), float(17 + 16 * draw[32 + k])))
        return houses
