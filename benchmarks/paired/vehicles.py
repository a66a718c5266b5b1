"""Small vehicles seen from the side: a super-ellipse body with a window band, on two wheels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]
Rng = np.random.Generator

WIDTHS = (12.0, 26.0)
"""Range of widths in pixels."""


@dataclass(frozen=True)
class Vehicle:
    """Looks of one vehicle, without its place; lengths in pixels, colours BGR in [0, 1].

    Attributes:
        width: of the body.
        height: of the body, without the half of the wheels that shows below it.
        power: exponent of the super-ellipse; 2 is an ellipse, large values a rectangle.
        wheel: radius of a wheel.
        body: colour of the body.
        glass: colour of the window band.
        pillar: width of the strip of body in the middle of the window band, as a share of the vehicle's.
    """

    width: float
    height: float
    power: float
    wheel: float
    body: Float64
    glass: Float64
    pillar: float = 0.0


def random_vehicle(rng: Rng) -> Vehicle:
    """Draw a vehicle; annotated ones and their twins are drawn from here alike."""
    width = rng.uniform(*WIDTHS)
    return Vehicle(
        width=width,
        height=width * rng.uniform(0.40, 0.58),
        power=rng.uniform(2.5, 5.0),
        wheel=0.12 * width,
        body=rng.uniform(0.1, 1.0, 3),
        glass=rng.uniform(0.05, 0.45) * np.array([1.1, 1.0, 0.9]),
    )


@dataclass(frozen=True)
class Parts:
    """Pixels of a vehicle, bool (H, W) each; a pixel belongs to a part if its centre does.

    Attributes:
        body: the super-ellipse.
        glass: the window band, inside the body.
        wheels: two discs on the body's lower edge.
    """

    body: Bool
    glass: Bool
    wheels: Bool

    @property
    def silhouette(self) -> Bool:
        """All pixels of the vehicle."""
        return self.body | self.wheels


def parts_at(vehicle: Vehicle, centre: tuple[float, float], size: tuple[int, int]) -> Parts:
    """Pixels of ``vehicle`` with its body around ``centre`` (x, y) in an image of ``size`` (H, W)."""
    rows, columns = size
    y = (np.arange(rows) + 0.5 - centre[1])[:, None]
    x = (np.arange(columns) + 0.5 - centre[0])[None, :]
    across, down = np.abs(2 * x / vehicle.width), 2 * y / vehicle.height
    body = across**vehicle.power + np.abs(down) ** vehicle.power <= 1
    glass = body & (across >= vehicle.pillar) & (across < 0.72) & (down > -0.75) & (down < -0.1)
    below = (y - vehicle.height / 2) ** 2
    wheels = (np.abs(np.abs(x) - 0.28 * vehicle.width) ** 2 + below) <= vehicle.wheel**2
    return Parts(body, glass, wheels)


def paint(image: Image, vehicle: Vehicle, parts: Parts) -> None:
    """Draw the vehicle into ``image`` (H, W, 3) in place; it changes exactly its silhouette."""
    image[parts.body] = vehicle.body
    image[parts.glass] = vehicle.glass
    image[parts.wheels] = 0.05
