"""What stands behind the vehicles: facades of houses, and a road across them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.paired.vehicles import Bool, Image, Rng


@dataclass(frozen=True)
class Road:
    """A band that crosses the image from left to right, sheared: it rises or falls by ``slope`` per pixel.

    Attributes:
        middle: y of its centre line at x = 0.
        slope: change of y per pixel of x.
        half: half of its height, measured vertically.
    """

    middle: float
    slope: float
    half: float

    def centre(self, x: float) -> float:
        """Height y of the centre line at ``x``."""
        return self.middle + self.slope * x

    def offsets(self, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Distance below the centre line of every pixel of a square image of ``size``: (size, size)."""
        steps = np.arange(size) + 0.5
        return steps[:, None] - self.centre(0.0) - self.slope * steps[None, :]

    def pixels(self, size: int) -> Bool:
        """Pixels on the road, bool (size, size)."""
        on_road: Bool = np.abs(self.offsets(size)) <= self.half
        return on_road


def random_road(rng: Rng, size: int) -> Road:
    """A road somewhere in the middle half of the image."""
    slope = rng.uniform(-0.3, 0.3)
    at_centre = rng.uniform(0.3, 0.7) * size
    return Road(at_centre - slope * size / 2, slope, rng.uniform(16, 24))


def facades(rng: Rng, size: int) -> Image:
    """Houses side by side, each of one colour with a grid of windows, and signs on them: (size, size, 3)."""
    image = np.zeros((size, size, 3), np.float32)
    left = 0
    while left < size:
        right = left + int(rng.integers(18, 48))
        _house(rng, image[:, left:right])
        left = right
    for _ in range(int(rng.integers(4, 10))):
        height, width = rng.integers(4, 14), rng.integers(8, 28)
        top, start = rng.integers(0, size - height), rng.integers(0, size - width)
        image[top : top + height, start : start + width] = rng.uniform(0.05, 1, 3)
    return image


def _house(rng: Rng, wall: Image) -> None:
    """Fill ``wall`` (a view of the image) in place."""
    wall[:] = rng.uniform(0.15, 0.85) + rng.uniform(-0.15, 0.15, 3)
    glass = rng.uniform(0.05, 0.95) + rng.uniform(-0.05, 0.05, 3)
    pitch, window = rng.integers(8, 16, 2), rng.integers(3, 8, 2)
    start = rng.integers(0, 8, 2)
    rows = (np.arange(wall.shape[0]) - start[0]) % pitch[0] < window[0]
    columns = (np.arange(wall.shape[1]) - start[1]) % pitch[1] < window[1]
    wall[rows[:, None] & columns[None, :]] = glass


def paint_road(rng: Rng, image: Image, road: Road) -> None:
    """Draw asphalt and a dashed lane mark into ``image`` (size, size, 3) in place."""
    size = len(image)
    offsets = road.offsets(size)
    image[np.abs(offsets) <= road.half] = rng.uniform(0.25, 0.55) + rng.uniform(-0.04, 0.04, 3)
    dashes = (np.arange(size) + rng.integers(0, 16)) % 16 < 8
    image[(np.abs(offsets) <= 0.8) & dashes[None, :]] = rng.uniform(0.75, 1)
