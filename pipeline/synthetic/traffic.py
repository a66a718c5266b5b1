"""Who drives where at which moment; a function of time alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import atan2, cos, floor, pi, sin

import numpy as np

from spotlabel.pipeline.synthetic.actors import Vehicle
from spotlabel.pipeline.synthetic.chance import Purpose, uniforms
from spotlabel.pipeline.synthetic.pinhole import Float
from spotlabel.pipeline.synthetic.vehicles import colours

GAP = 11.0
"""Metres between the mid-points of two vehicles of a lane in which one of them leaves or joins."""
CLASS_SHARES = (0.66, 0.15, 0.07, 0.12)
"""How frequent the classes are, in the order of CLASS_NAMES."""
WAVE = 0.8
"""Amplitude of a vehicle's falling back and catching up within its lane, metres."""


@dataclass(frozen=True)
class Road:
    """A road along y, straight or winding.

    Attributes:
        middle: x of its centre line, metres.
        median: half width of the strip between the directions.
        lane: width of a lane.
        lanes: lanes per direction.
        bay: width of the parking bay on the right edge; 0 for none.
        path: width of the footpath on both sides.
        sway: amplitude of the bends, metres.
        period: length of a bend, metres.
    """

    middle: float = 0.0
    median: float = 1.0
    lane: float = 3.5
    lanes: int = 2
    bay: float = 2.6
    path: float = 3.2
    sway: float = 0.0
    period: float = 1.0

    @property
    def edge(self) -> float:
        """Distance of the carriageway's edge from the centre line, metres."""
        return self.median + self.lanes * self.lane

    def centre(self, y: float) -> float:
        """X of the centre line at ``y``, metres."""
        return self.middle + self.sway * sin(y * (2 * pi / self.period))

    def place(self, y: float, offset: float, direction: int) -> tuple[Float, float]:
        """Position (3,) and heading of someone at ``y``, ``offset`` metres right of the centre line."""
        slope = self.sway * 2 * pi / self.period * cos(y * (2 * pi / self.period))
        x = self.centre(y) + offset
        return np.array([x, y, 0.0]), atan2(direction, direction * slope)


@dataclass(frozen=True)
class Lane:
    """Vehicles at one speed, one behind the other, in numbered places.

    Attributes:
        number: unique in the scene.
        road: the road it belongs to.
        offset: of its middle from the road's centre line, metres.
        direction: 1 towards +y, -1 towards -y.
        start: smallest y, metres.
        length: metres; a vehicle that leaves at one end enters at the other.
        endless: true if the world repeats, so that it stays the same vehicle.
        free: intervals of place (see :meth:`vehicles`) kept free for the cars that park and start.
    """

    number: int
    road: Road
    offset: float
    direction: int
    start: float
    length: float
    speed: float
    endless: bool = False
    free: tuple[tuple[float, float], ...] = ()

    def vehicles(self, seed: int, density: float, seconds: float) -> Iterator[Vehicle]:
        """The vehicles of one moment.

        A vehicle's *place* is where it was at second 0, metres from the lane's start; places of later rounds
        are negative.
        """
        count = int(self.length // 16)
        layout = uniforms(seed, Purpose.LAYOUT, self.number, 2)
        for slot in range(count):
            place = (slot + float(layout[0])) * self.length / count
            rounds = floor((place + self.speed * seconds) / self.length)
            lap = 0 if self.endless else rounds
            draw = _traits(seed, self.identity(slot, lap))
            origin = place - lap * self.length
            if draw[0] >= density or any(low <= origin <= high for low, high in self.free):
                continue
            driven = place + self.speed * seconds - rounds * self.length
            wave = WAVE * sin(2 * pi * (seconds / (6 + 6 * float(draw[6])) + float(draw[7])))
            driven += wave if self.speed > 0 else 0.0
            along = driven if self.direction > 0 else self.length - driven
            position, heading = self.road.place(
                self.start + along, self.offset + float(draw[5] - 0.5) * 0.5, self.direction
            )
            yield dressed(self.identity(slot, lap), draw[1:5], position, heading)

    def identity(self, slot: int, lap: int) -> int:
        """Track id of a lane's vehicle; ids below 1000 are left to single cars."""
        return 1000 + (lap * 64 + slot) * 16 + self.number


@lru_cache(maxsize=4096)
def _traits(seed: int, identity: int) -> Float:
    """Eight uniform numbers that belong to one vehicle; kept, since every frame asks again."""
    return uniforms(seed, Purpose.VEHICLE, identity, 8)


def dressed(track_id: int, draw: Float, position: Float, heading: float,
            class_id: int | None = None) -> Vehicle:  # fmt: skip
    """A vehicle whose class, shape and colours follow from four uniform numbers."""
    if class_id is None:
        class_id = int(np.searchsorted(np.cumsum(CLASS_SHARES)[:-1], draw[0], side="right"))
    return Vehicle(track_id, class_id, int(draw[1] * 3), colours(class_id, draw[2:4]), position, heading)


@dataclass(frozen=True)
class Manoeuvre:
    """A car that comes and parks, or one that stands and drives off (the same, backwards in time).

    Attributes:
        road: where.
        lane: offset of the lane it comes from or joins, metres.
        bay: offset of where it stands.
        rest: y of where it stands, metres.
        moment: second at which it stands still, or starts.
        speed: of the lane, m/s.
        leaving: false for the one that parks.
    """

    road: Road
    lane: float
    bay: float
    rest: float
    moment: float
    speed: float
    leaving: bool
    BRAKE = 3.2
    """m/s^2."""

    @property
    def distance(self) -> float:
        """Metres of braking or speeding up."""
        return self.speed**2 / (2 * self.BRAKE)

    @property
    def drift_length(self) -> float:
        """Metres ahead over which it changes between lane and bay."""
        return self.distance + 14.0

    def at(self, seconds: float) -> tuple[Float, float]:
        """Position (3,) and heading at a moment; exactly constant while it stands."""
        elapsed = (seconds - self.moment) * (1 if self.leaving else -1)
        travelled = self._travelled(max(elapsed, 0.0))
        share = min(max((travelled - 4.0) / self.drift_length, 0.0), 1.0)
        aside = share * share * (3 - 2 * share)
        slope = 6 * share * (1 - share) / self.drift_length * (self.lane - self.bay)
        sign = 1 if self.leaving else -1
        x = self.road.centre(0.0) + self.bay + (self.lane - self.bay) * aside
        return np.array([x, self.rest + sign * travelled, 0.0]), atan2(1.0, sign * slope)

    def _travelled(self, elapsed: float) -> float:
        """Metres from the resting place ``elapsed`` seconds away from the moment of rest."""
        full = self.speed / self.BRAKE
        if elapsed < full:
            return 0.5 * self.BRAKE * elapsed**2
        return self.distance + self.speed * (elapsed - full)

    def taken(self, start: float) -> tuple[float, float]:
        """Places (see :class:`Lane`) of a lane from y = ``start`` that nobody else may have."""
        full = self.speed / self.BRAKE
        if self.leaving:
            joined = self.rest + self.distance - self.speed * (self.moment + full) - start
            return joined - GAP, joined + self.distance + GAP
        left = self.rest - self.distance - self.speed * (self.moment - full) - start
        return left - self.distance - GAP, left + GAP
