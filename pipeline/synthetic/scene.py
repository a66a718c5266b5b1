"""A rendered scene: any frame, with its exact truth, at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.synthetic.actors import Extent, Vehicle, paint_vehicle, shadow_outline
from spotlabel.pipeline.synthetic.canvas import Canvas, Image, Instances
from spotlabel.pipeline.synthetic.fixed import Street
from spotlabel.pipeline.synthetic.moving import District
from spotlabel.pipeline.synthetic.order import paint_order
from spotlabel.pipeline.synthetic.pinhole import Float, Pinhole
from spotlabel.pipeline.synthetic.scenery import Moment, Thing
from spotlabel.pipeline.synthetic.sensor import expose
from spotlabel.pipeline.synthetic.settings import SceneSettings
from spotlabel.pipeline.synthetic.world import World, shade

RENDERER_VERSION = 1
"""Changes whenever the same settings would give other frames or another truth."""
MIN_VISIBLE_PIXELS = 12
"""A vehicle of which fewer pixels are seen is painted but has no box and no pixel in the truth."""


@dataclass(frozen=True)
class Truth:
    """Everything true of one frame.

    Row ``k`` of the columns belongs to the pixels with value ``k + 1`` in ``instances``.

    Attributes:
        instances: uint16 (H, W), the vehicle seen in each pixel, 0 for everything else, shadows included.
        xyxy: float32 (N, 4), the tight box of the instance's pixels, ``x0, y0, x1, y1`` in pixel edges.
        class_id: int16 (N,), index into ``CLASS_NAMES``.
        track_id: int64 (N,).
        flags: uint8 (N,), TRUNCATED where the vehicle leaves the image, OCCLUDED where something hides
            at least one of its pixels.
        ignored: bool (N,), more than half of the instance's pixels lie in an ignore region: not annotated.
    """

    instances: Instances
    xyxy: npt.NDArray[np.float32]
    class_id: npt.NDArray[np.int16]
    track_id: npt.NDArray[np.int64]
    flags: npt.NDArray[np.uint8]
    ignored: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rendered(Truth):
    """One frame with its truth.

    Attributes:
        image: uint8 (H, W, 3) BGR.
    """

    image: Image


class Scene:
    """Renders frames in any order; a frame depends on the settings and its index alone.

    The same settings give the same bytes on one machine, and on machines alike with the same versions of
    numpy and OpenCV. Not promised: equal bytes across processors for which these libraries choose other
    instructions, since their warps, blurs and sines may then differ in the last bit.
    """

    def __init__(self, settings: SceneSettings) -> None:
        self.settings = settings
        self._world: World = Street(settings) if settings.camera is Camera.FIXED else District(settings)

    def __len__(self) -> int:
        return self.settings.frames

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.settings.height, self.settings.width

    def camera(self, index: int) -> Pinhole:
        """Camera of frame ``index``, shake included; its ``matrix`` projects world metres to pixel edges."""
        return self._world.camera(self._checked(index))

    def regions(self, index: int) -> npt.NDArray[np.float32]:
        """Ignore regions of frame ``index``, float32 (m, 4), pixel edges inside the image."""
        camera = self._world.nearby(self._world.camera(self._checked(index)))
        return np.asarray(self._world.regions(camera), np.float32)

    def render(self, index: int) -> Rendered:
        """Frame ``index`` with its truth.

        Raises:
            IndexError: ``index`` is not in ``0 .. frames - 1``.
        """
        canvas, painted = self._paint(self._checked(index))
        return Rendered(
            **vars(self._describe(canvas, painted)), image=expose(canvas.image, self.settings, index)
        )

    def truth(self, index: int) -> Truth:
        """The truth of frame ``index`` alone, for less than a whole rendering.

        Raises:
            IndexError: ``index`` is not in ``0 .. frames - 1``.
        """
        return self._describe(*self._paint(self._checked(index)))

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.settings.frames:
            raise IndexError(f"frame {index} of a scene of {self.settings.frames} frames")
        return index

    def _paint(self, index: int) -> tuple[Canvas, list[_Painted]]:
        """Paint the frame without the sensor's effects; instance ``k + 1`` of the canvas is vehicle ``k``."""
        world, seconds = self._world, index / self.settings.fps
        camera = world.nearby(world.camera(index))
        canvas = Canvas(world.backdrop(camera), camera)
        vehicles, things = world.vehicles(camera, seconds), world.things(camera)
        self._cast_shadows(canvas, vehicles, things)
        moment = Moment(seconds, world.sun, self.settings.foliage)
        footprints = np.array([*(v.footprint for v in vehicles), *(t.footprint for t in things)]).reshape(
            -1, 4, 2
        )
        painted = []
        for k in paint_order(footprints, camera.position[:2]):
            if k >= len(vehicles):
                things[k - len(vehicles)].paint(canvas, moment)
            elif (extent := paint_vehicle(canvas, vehicles[k], world.sun, k + 1, world.cut)) is not None:
                pixels = int(np.count_nonzero(canvas.instances[extent.window] == k + 1))
                painted.append(_Painted(vehicles[k], k + 1, extent, pixels))
        return canvas, sorted(painted, key=lambda p: p.instance)

    def _cast_shadows(self, canvas: Canvas, vehicles: list[Vehicle], things: list[Thing]) -> None:
        world = self._world
        outlines: list[Float] = [shadow_outline(v, world.sun) for v in vehicles]
        if world.cut is not None:
            outlines = [np.minimum(o, [np.inf, world.cut, np.inf]) for o in outlines]
        if world.moving_shadows:
            outlines += [s for thing in things if (s := thing.shadow(world.sun)) is not None]
        shade(canvas, outlines, self.settings.shadows)

    def _describe(self, canvas: Canvas, painted: list[_Painted]) -> Truth:
        """Keep the instances that can be seen, number them from 1 and box them."""
        unlabelled = np.zeros(canvas.size, np.bool_)
        for x0, y0, x1, y1 in self._world.regions(canvas.camera).astype(int):
            unlabelled[y0:y1, x0:x1] = True
        numbers = np.zeros(1 + max((p.instance for p in painted), default=0), np.uint16)
        rows: list[_Row] = []
        for one in painted:
            row = _describe_one(one, canvas.instances, unlabelled)
            if row is not None:
                rows.append(row)
                numbers[one.instance] = len(rows)
        return Truth(
            numbers[canvas.instances],
            np.array([r.box for r in rows], np.float32).reshape(-1, 4),
            np.array([r.vehicle.class_id for r in rows], np.int16),
            np.array([r.vehicle.track_id for r in rows], np.int64),
            np.array([r.flags for r in rows], np.uint8),
            np.array([r.ignored for r in rows], np.bool_),
        )


class _Painted(NamedTuple):
    """A vehicle that was painted: its number, where, and its pixels before anything nearer was painted."""

    vehicle: Vehicle
    instance: int
    extent: Extent
    pixels: int


class _Row(NamedTuple):
    """One row of :class:`Rendered`."""

    vehicle: Vehicle
    box: tuple[int, int, int, int]
    flags: int
    ignored: bool


def _describe_one(one: _Painted, instances: Instances, unlabelled: npt.NDArray[np.bool_]) -> _Row | None:
    """Tight box and flags of one vehicle; None if too few of its pixels can be seen."""
    mine = instances[one.extent.window] == one.instance
    visible = int(np.count_nonzero(mine))
    if visible < MIN_VISIBLE_PIXELS:
        return None
    rows, columns = (np.flatnonzero(mine.any(axis=axis)) for axis in (1, 0))
    top, left = one.extent.window[0].start, one.extent.window[1].start
    box = (left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)
    flags = BoxFlag.TRUNCATED if one.extent.leaves else BoxFlag(0)
    if one.extent.cut or visible < one.pixels:
        flags |= BoxFlag.OCCLUDED
    within = int(np.count_nonzero(mine & unlabelled[one.extent.window]))
    return _Row(one.vehicle, box, int(flags), 2 * within > visible)
