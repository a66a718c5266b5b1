"""The ground as a function of the place: asphalt, marks, kerbs, slabs, grass, car park."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.synthetic.textures import Grey, noise_tile, sample
from spotlabel.pipeline.synthetic.traffic import Road

Mask = npt.NDArray[np.bool_]
ASPHALT, SLAB, KERB, GRASS, WHITE = (
    np.array(colour, np.float32)
    for colour in ([98, 97, 96], [148, 154, 158], [176, 178, 178], [62, 112, 88], [226, 228, 228])
)
ROW = 5.2
"""Length of a place of the car park, metres."""


@dataclass(frozen=True)
class Lot:
    """A car park: two rows of places with a lane around them.

    Attributes:
        left, right, near, far: extent, metres (near < far along y).
    """

    left: float
    right: float
    near: float
    far: float

    @property
    def middle(self) -> float:
        """X between the two rows."""
        return (self.left + self.right) / 2

    @property
    def rows(self) -> tuple[float, float]:
        """Smallest and largest y of the rows."""
        return self.near + 6.0, self.far - 6.0


class Sample(NamedTuple):
    """Points of the ground and the noise there, each float32 (H, W)."""

    x: Grey
    y: Grey
    clouds: Grey
    grain: Grey


@dataclass(frozen=True)
class Ground:
    """What lies where.

    Attributes:
        seed: of the scene.
        roads: roads along y.
        lot: car park, if any.
        crossing: y of a zebra crossing, or None.
        repeat: the noise tiles repeat after this many metres.
    """

    seed: int
    roads: tuple[Road, ...]
    lot: Lot | None
    crossing: float | None
    repeat: float

    @cached_property
    def _clouds(self) -> Grey:
        return noise_tile(self.seed, 1, (8, 16, 32))

    @cached_property
    def _grain(self) -> Grey:
        return noise_tile(self.seed, 2, (128, 256, 512))

    def colours(self, x: Grey, y: Grey, footprint: Grey | float) -> Grey:
        """Colour of ground points, float32 (H, W, 3) BGR, about 0..255.

        Args:
            x: metres, float32 (H, W).
            y: metres, float32 (H, W).
            footprint: metres that a pixel covers; grain finer than that is averaged out.
        """
        turns = max(1, round(self.repeat / 60.0))
        fine = max(1, round(self.repeat / 10.0))
        scale = np.float32(512 / self.repeat)
        clouds = sample(self._clouds, x * scale * turns, y * scale * turns)
        grain = sample(self._grain, x * scale * fine, y * scale * fine)
        grain = grain / (1 + np.asarray(footprint, np.float32) * 8)
        here = Sample(x, y, clouds, grain)
        picture = GRASS * (1 + 0.30 * clouds + 0.75 * grain)[..., None]
        picture[..., 2] += 14 * clouds
        for road in self.roads:
            reach = road.edge + road.bay + road.path + abs(road.sway)
            part = (slice(None), _columns(road.middle, reach, x))
            self._road(picture[part], road, Sample(*(values[part] for values in here)))
        if self.lot is not None:
            part = (slice(None), _columns(self.lot.middle, (self.lot.right - self.lot.left) / 2 + 1, x))
            self._lot(picture[part], self.lot, Sample(*(values[part] for values in here)))
        return picture

    def _road(self, picture: Grey, road: Road, here: Sample) -> None:
        x, y, clouds, grain = here
        bend = np.float32(road.sway) * np.sin(y * np.float32(2 * np.pi / road.period))
        across = x - np.float32(road.middle) - bend
        away = np.abs(across)
        outer = road.edge + np.where(across > 0, np.float32(road.bay), np.float32(0))
        slabs = (away > outer) & (away < outer + road.path)
        joint = (np.mod(across, 0.8) < 0.07) | (np.mod(y, 0.8) < 0.07)
        _lay(picture, slabs, SLAB, 0.10 * clouds + 0.35 * grain - 0.13 * joint)
        tar = (away < outer) & (away > road.median)
        lane = np.mod(away - road.median, road.lane) - road.lane / 2
        worn = np.maximum(1 - ((np.abs(lane) - 0.8) / 0.5) ** 2, 0) * (away < road.edge)
        patch = sample(self._clouds, x * 3.1, y * 1.7) > 0.45
        _lay(picture, tar, ASPHALT, 0.10 * clouds + 0.42 * grain - 0.09 * worn - 0.07 * patch)
        _lay(picture, np.abs(away - outer) < 0.16, KERB, 0.3 * grain)
        _lay(picture, (np.abs(away - road.median) < 0.14) & (road.median > 0.3), KERB, 0.3 * grain)
        _lay(picture, _marks(road, across, away, y), WHITE, 0.6 * grain - 0.10 - 0.1 * np.maximum(clouds, 0))
        if self.crossing is not None:
            stripe = (np.abs(y - self.crossing) < 1.9) & tar & (np.mod(away - road.median, 1.1) < 0.55)
            _lay(picture, stripe & (away < road.edge), WHITE, 0.6 * grain - 0.10 - 0.06 * worn)

    @staticmethod
    def _lot(picture: Grey, lot: Lot, here: Sample) -> None:
        x, y, clouds, grain = here
        inside = (x > lot.left) & (x < lot.right) & (y > lot.near) & (y < lot.far)
        _lay(picture, inside, ASPHALT * np.float32(1.08), 0.14 * clouds + 0.42 * grain)
        low, high = lot.rows
        along, aside = (y > low) & (y < high), np.abs(x - lot.middle)
        lines = (np.mod(y - low, 2.6) < 0.13) & (aside < ROW)
        _lay(picture, inside & along & (lines | (aside < 0.07)), WHITE, 0.5 * grain - 0.14)
        border = (x > lot.left - 0.3) & (x < lot.right + 0.3) & (y > lot.near - 0.3) & (y < lot.far + 0.3)
        _lay(picture, border & ~inside, KERB, 0.3 * grain)


def _columns(middle: float, reach: float, x: Grey) -> slice:
    """Columns of the picture in which something ``reach`` metres to both sides of ``middle`` can be seen."""
    columns = np.flatnonzero((np.abs(x - np.float32(middle)) < reach).any(axis=0))
    return slice(int(columns[0]), int(columns[-1]) + 1) if len(columns) else slice(0, 0)


def _marks(road: Road, across: Grey, away: Grey, y: Grey) -> Mask:
    """Painted lines of a road: edges, lane dashes, the middle, the bay's corners."""
    lines = np.abs(away - road.edge + 0.22) < 0.07
    if road.median > 0.3:
        lines |= np.abs(away - road.median - 0.30) < 0.07
    else:
        lines |= (away < 0.08) & (np.mod(y, 6.0) < 3.0)
    for k in range(1, road.lanes):
        lines |= (np.abs(away - road.median - k * road.lane) < 0.075) & (np.mod(y, 10.0) < 4.0)
    if road.bay > 0:
        lines |= (across > road.edge) & (across < road.edge + road.bay) & (np.mod(y, 6.0) < 0.13)
    return np.asarray(lines)


def _lay(picture: Grey, where: Mask, colour: Grey, shade: npt.NDArray[np.floating]) -> None:
    """Replace the picture where asked by a colour that ``shade`` (relative) brightens."""
    picture[where] = colour * (1 + shade[where])[:, None]
