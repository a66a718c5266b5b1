"""What stands in the scene beside the traffic: houses, trees, lamps, signs, posters, misplaced cars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi
from typing import Protocol, Self

import cv2
import numpy as np

from spotlabel.pipeline.synthetic.actors import Vehicle, paint_vehicle, shadow_outline
from spotlabel.pipeline.synthetic.canvas import Canvas, Image
from spotlabel.pipeline.synthetic.pinhole import NEAR, Float, look
from spotlabel.pipeline.synthetic.textures import Crown


@dataclass(frozen=True)
class Moment:
    """What a thing must know of the moment in which it is painted.

    Attributes:
        seconds: of scene time.
        sun: unit vector towards the sun, (3,).
        wind: strength of the wind, 0..1.
    """

    seconds: float
    sun: Float
    wind: float


class Thing(Protocol):
    """One object of the scenery."""

    @property
    def footprint(self) -> Float:
        """Where it stands, metres, counter-clockwise, (4, 2)."""

    def moved(self, offset: Float) -> Thing:
        """The same thing ``offset`` metres (3,) away."""

    def paint(self, canvas: Canvas, moment: Moment) -> None:
        """Paint it, hiding what is behind."""

    def shadow(self, sun: Float) -> Float | None:
        """Outline of its shadow on the ground, convex, (n, 3)."""


def cast(points: Float, sun: Float) -> Float:
    """Convex outline on the ground of points (n, 3) and their shadows."""
    there = points - sun * (points[:, 2] / sun[2])[:, None]
    hull = cv2.convexHull(there[:, :2].astype(np.float32))[:, 0].astype(np.float64)
    return np.column_stack([hull, np.zeros(len(hull))])


def square(middle: Float, reach: float) -> Float:
    """Footprint of something that reaches ``reach`` metres around its middle, (4, 2)."""
    return np.asarray(middle[:2] + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * reach, np.float64)


@dataclass(frozen=True)
class Rooted:
    """Something slender that stands on the ground.

    Attributes:
        foot: where, metres (3,).
    """

    foot: Float

    @property
    def footprint(self) -> Float:
        """Where it stands, (4, 2)."""
        return square(self.foot, 0.3)

    def moved(self, offset: Float) -> Self:
        """The same ``offset`` metres (3,) away."""
        return replace(self, foot=self.foot + offset)

    def above(self, across: float, along: float, up: float) -> Float:
        """Point relative to the foot, metres (3,)."""
        return np.asarray(self.foot + np.array([across, along, up]))


@dataclass(frozen=True)
class House:
    """A block with facades and a flat roof.

    Attributes:
        low: corner with the smallest coordinates, metres (3,).
        high: the opposite corner.
        walls: pictures of the walls towards -x, +x, -y, +y.
        roof: picture of the roof.
        load: what stands on the roof, if anything.
    """

    low: Float
    high: Float
    walls: tuple[Image, Image, Image, Image]
    roof: Image
    load: Thing | None = None

    @property
    def footprint(self) -> Float:
        """Where it stands, (4, 2)."""
        (x0, y0, _), (x1, y1, _) = self.low, self.high
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])

    def moved(self, offset: Float) -> House:
        """The same ``offset`` metres (3,) away."""
        load = self.load.moved(offset) if self.load is not None else None
        return replace(self, low=self.low + offset, high=self.high + offset, load=load)

    def paint(self, canvas: Canvas, moment: Moment) -> None:
        """The walls that face the camera, the roof if it is seen from above, then what stands on it."""
        (x0, y0, z0), (x1, y1, z1) = self.low, self.high
        eye = canvas.camera.position
        sides = (
            (eye[0] < x0, (-1, 0), ((x0, y1), (x0, y0))),
            (eye[0] > x1, (1, 0), ((x1, y0), (x1, y1))),
            (eye[1] < y0, (0, -1), ((x0, y0), (x1, y0))),
            (eye[1] > y1, (0, 1), ((x1, y1), (x0, y1))),
        )
        for wall, (seen, normal, ((ax, ay), (bx, by))) in zip(self.walls, sides, strict=True):
            if seen:
                light = 0.66 + 0.42 * max(float(moment.sun[0] * normal[0] + moment.sun[1] * normal[1]), 0.0)
                corners = np.array([[ax, ay, z1], [bx, by, z1], [bx, by, z0], [ax, ay, z0]])
                canvas.quad(corners, cv2.convertScaleAbs(wall, alpha=light))
        if eye[2] > z1:
            canvas.quad(np.array([[x0, y1, z1], [x1, y1, z1], [x1, y0, z1], [x0, y0, z1]]), self.roof)
        if self.load is not None:
            self.load.paint(canvas, moment)

    def shadow(self, sun: Float) -> Float | None:
        """Outline of the whole block's shadow, (n, 3)."""
        (x0, y0, z0), (x1, y1, z1) = self.low, self.high
        return cast(np.array([[x, y, z] for x in (x0, x1) for y in (y0, y1) for z in (z0, z1)]), sun)


@dataclass(frozen=True)
class Tree(Rooted):
    """A trunk and a round crown that the wind moves.

    Attributes:
        height: of the crown's centre.
        radius: of the crown.
        crown: its picture.
        beat: own rhythm of its gusts, radians.
    """

    height: float
    radius: float
    crown: Crown
    beat: float

    def paint(self, canvas: Canvas, moment: Moment) -> None:
        """The trunk, then the crown, whose leaves the wind displaces."""
        Post(self.foot, self.height, 0.14 * self.radius**0.5, (44, 58, 70)).paint(canvas, moment)
        centre, depth = canvas.camera.project(self.above(0, 0, self.height)[None])
        if depth[0] < NEAR:
            return
        side = self.crown.inside.shape[0]
        scale = side * 0.42 / (self.radius * canvas.camera.focal / float(depth[0]))
        reach = side / 2 / scale
        window = canvas.window(np.array([centre[0] - reach, centre[0] + reach]))
        if window is None:
            return
        map_x, map_y = self._gust(window, moment, side)
        rows, columns = window
        map_x += ((np.arange(columns.start, columns.stop) + 0.5 - centre[0, 0]) * scale + side / 2 - 0.5)[
            None
        ]
        map_y += ((np.arange(rows.start, rows.stop) + 0.5 - centre[0, 1]) * scale + side / 2 - 0.5)[:, None]
        leaves = cv2.remap(self.crown.leaves, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = cv2.remap(self.crown.inside, map_x, map_y, cv2.INTER_LINEAR, borderValue=0)
        canvas.stamp(
            window, leaves, np.asarray(cv2.threshold(inside, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)
        )

    def _gust(self, window: tuple[slice, slice], moment: Moment, side: int) -> tuple[Float, Float]:
        """Displacement of every pixel of the window in texels of the crown's picture, float32."""
        shape = (window[1].stop - window[1].start, window[0].stop - window[0].start)
        if moment.wind == 0:
            return np.zeros(shape[::-1], np.float32), np.zeros(shape[::-1], np.float32)
        angle = 2 * pi * 0.9 * moment.seconds + self.beat
        amount = np.float32(0.035 * side * moment.wind)
        across = amount * (
            np.sin(self.crown.phase + np.float32(angle)) + np.float32(0.8 * np.sin(0.37 * angle))
        )
        upward = amount * 0.5 * np.sin(1.3 * self.crown.phase.T + np.float32(1.7 * angle))
        return tuple(
            cv2.resize(v.astype(np.float32), shape, interpolation=cv2.INTER_LINEAR) for v in (across, upward)
        )

    def shadow(self, sun: Float) -> Float | None:
        """Outline of the crown's shadow, (n, 3); the trunk casts none."""
        angle = np.arange(14) * (2 * pi / 14)
        ring = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(14)]) * (0.9 * self.radius)
        return cast(self.above(0, 0, self.height) + ring, sun)


@dataclass(frozen=True)
class Post(Rooted):
    """An upright round post, in two strips of light and shade."""

    height: float
    radius: float
    colour: tuple[float, float, float]

    def paint(self, canvas: Canvas, moment: Moment) -> None:
        """The light half on the left, the dark one on the right."""
        right = canvas.camera.axes[0] * self.radius
        bottom, top = self.foot, self.above(0, 0, self.height)
        light = (self.colour[0] * 1.35, self.colour[1] * 1.35, self.colour[2] * 1.35)
        canvas.polygon(np.array([bottom - right, bottom + right, top + right, top - right]), self.colour)
        canvas.polygon(np.array([bottom - right, bottom, top, top - right]), light)

    def shadow(self, sun: Float) -> Float | None:
        """Outline of its shadow, (n, 3), as wide as the post."""
        wide = np.array([-sun[1], sun[0], 0]) * self.radius
        top = self.above(0, 0, self.height)
        return cast(np.array([self.foot - wide, self.foot + wide, top - wide, top + wide]), sun)


@dataclass(frozen=True)
class Lamp:
    """A lamp post with an arm to each side."""

    post: Post
    arm: float = 2.2

    @property
    def footprint(self) -> Float:
        """Where it stands, (4, 2)."""
        return square(self.post.foot, 0.3)

    def moved(self, offset: Float) -> Lamp:
        """The same ``offset`` metres (3,) away."""
        return replace(self, post=self.post.moved(offset))

    def paint(self, canvas: Canvas, moment: Moment) -> None:
        """The post, then an arm and a head to each side."""
        self.post.paint(canvas, moment)
        top = self.post.above(0, 0, self.post.height)
        for side in (-1, 1):
            tip = self.post.above(side * self.arm, 0, self.post.height + 0.25)
            canvas.polygon(np.array([top - [0, 0, 0.12], tip - [0, 0, 0.10], tip, top]), self.post.colour)
            head = [side * 0.7, 0, 0]
            canvas.polygon(
                np.array([tip, tip + head, tip + head - [0, 0, 0.2], tip - [0, 0, 0.2]]), (200, 206, 206)
            )

    def shadow(self, sun: Float) -> Float | None:
        """Outline of the post's shadow, (n, 3); arms and heads cast none."""
        return self.post.shadow(sun)


@dataclass(frozen=True)
class Board(Rooted):
    """A picture on one or two legs, facing -y: a traffic sign or a poster.

    Attributes:
        width, bottom, top: of the picture, metres.
        picture: uint8 (h, w, 3).
        legs: 1 or 2.
    """

    width: float
    bottom: float
    top: float
    picture: Image
    legs: int = 1

    @property
    def footprint(self) -> Float:
        """Where it stands, (4, 2)."""
        half = self.width / 2
        corners = np.array([[-half, -0.2], [half, -0.2], [half, 0.2], [-half, 0.2]])
        return np.asarray(self.foot[:2] + corners)

    def _corners(self) -> Float:
        half = self.width / 2
        sides = np.array(
            [[-half, 0, self.top], [half, 0, self.top], [half, 0, self.bottom], [-half, 0, self.bottom]]
        )
        return sides + self.foot

    def paint(self, canvas: Canvas, moment: Moment) -> None:
        """The legs, then the picture from the front and a grey back from behind."""
        for side in (0.0,) if self.legs == 1 else (-0.4, 0.4):
            leg = Post(self.above(side * self.width, 0.05, 0), self.bottom + 0.2, 0.07, (92, 92, 92))
            leg.paint(canvas, moment)
        if canvas.camera.position[1] < self.foot[1]:
            canvas.quad(self._corners(), self.picture)
        else:
            canvas.polygon(self._corners(), (110, 112, 112))

    def shadow(self, sun: Float) -> Float | None:
        """Outline of the picture's shadow, (n, 3), without the legs."""
        return cast(self._corners(), sun)


@dataclass(frozen=True)
class Standing:
    """A vehicle that is scenery: not in the truth, not annotated."""

    vehicle: Vehicle

    @property
    def footprint(self) -> Float:
        """Where it stands, (4, 2)."""
        return self.vehicle.footprint

    def moved(self, offset: Float) -> Standing:
        """The same ``offset`` metres (3,) away."""
        return Standing(replace(self.vehicle, position=self.vehicle.position + offset))

    def paint(self, canvas: Canvas, moment: Moment) -> None:
        """The vehicle, with 0 in the instance map: it is not in the truth."""
        paint_vehicle(canvas, self.vehicle, moment.sun, 0)

    def shadow(self, sun: Float) -> Float | None:
        """Outline of its shadow; none on a roof."""
        return shadow_outline(self.vehicle, sun) if self.vehicle.position[2] == 0 else None


def sign_picture() -> Image:
    """A blue direction sign with white arrows and bars, uint8 (60, 90, 3)."""
    picture = np.full((60, 90, 3), (150, 84, 24), np.uint8)
    cv2.rectangle(picture, (1, 1), (88, 58), (238, 238, 238), 2)
    for x in (26, 64):
        cv2.arrowedLine(picture, (x, 50), (x, 24), (240, 240, 240), 4, cv2.LINE_AA, 0, 0.4)
        cv2.rectangle(picture, (x - 14, 10), (x + 12, 14), (240, 240, 240), -1)
    return picture


def poster_picture(vehicle: Vehicle, sun: Float, side: int = 128) -> Image:
    """A poster that shows a vehicle from the front quarter, uint8 (side * 5 / 8, side, 3)."""
    high = side * 5 // 8
    picture = np.empty((high, side, 3), np.uint8)
    picture[:] = np.linspace((196, 176, 150), (120, 150, 170), high)[:, None]
    camera = look(np.array([0, -14.0, 5.0]), 0.0, 0.30, side * 2.1, np.array([side / 2, high * 0.5]))
    canvas = Canvas(picture, camera)
    paint_vehicle(canvas, replace(vehicle, position=np.zeros(3), heading=-0.8), sun, 0)
    picture[:3] = picture[-3:] = 60
    picture[:, :3] = picture[:, -3:] = 60
    return picture
