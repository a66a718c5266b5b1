"""Scenes of 128x128 pixels with exact truth; every one is a pure function of its seed and index."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.paired.backdrop import Road, facades, paint_road, random_road
from benchmarks.paired.vehicles import Bool, Image, Parts, Rng, Vehicle, paint, parts_at, random_vehicle

SIZE = 128
MARGIN = 4
"""Vehicles keep this many pixels from the border: the targets clip boxes at the last cell's corner."""
VEHICLES, TWINS = (2, 5), (3, 8)
GAIN = (0.35, 1.1)
NOISE = 0.10
BLOCK = 4
KNOCKED_OUT, LEAK = 0.12, 0.10
VERSION = 1
"""Raise it when anything here draws other scenes from a seed: finished runs then count as out of date."""

TRIES = 400
PILLAR = 0.2
"""The second of two classes has this strip of body in its windows; nothing else tells them apart."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Scene:
    """One image and all that is known of it.

    Attributes:
        image: uint8 (128, 128, 3) BGR.
        boxes: float32 (N, 4), annotated vehicles as x0, y0, x1, y1 in pixel edges, tight and half-open.
        twins: float32 (M, 4), boxes of the un-annotated vehicles off the road.
        silhouettes: bool (N, 128, 128), pixels of each annotated vehicle; nothing hides another.
        twin_silhouettes: bool (M, 128, 128), likewise.
        road: bool (128, 128), pixels of the road, vehicles on it included.
        mask: uint8 (128, 128), the pseudo-mask to train on: 0 background, 1 foreground.
        kinds: int64 (N,), class of each annotated vehicle; 0 where there is one class.
    """

    image: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    twins: npt.NDArray[np.float32]
    silhouettes: Bool
    twin_silhouettes: Bool
    road: Bool
    mask: npt.NDArray[np.uint8]
    kinds: npt.NDArray[np.int64]


def make_scene(seed: int, index: int, classes: int = 1) -> Scene:
    """Scene number ``index`` of the set ``seed``.

    Vehicles stand on the road with every pixel, twins off it with every pixel; none overlaps another.

    Args:
        seed: of the set.
        index: of the scene.
        classes: 1, or 2 for vehicles and twins of two classes that look alike (see :data:`PILLAR`); all else
            in the scene is the same.
    """
    rng = np.random.default_rng((seed, index))
    road = random_road(rng, SIZE)
    pixels = road.pixels(SIZE)
    free = _inner()
    counts = (int(rng.integers(VEHICLES[0], VEHICLES[1] + 1)), int(rng.integers(TWINS[0], TWINS[1] + 1)))
    vehicles = [_place(rng, road, pixels, free) for _ in range(counts[0])]
    twins = [_place(rng, None, ~pixels, free) for _ in range(counts[1])]
    # Drawn apart, so that the number of classes changes nothing else.
    kinds = np.random.default_rng((seed, index, classes)).integers(0, classes, sum(counts))
    image = facades(rng, SIZE)
    paint_road(rng, image, road)
    for (vehicle, place, parts), kind in zip((*vehicles, *twins), kinds, strict=True):
        seen = replace(vehicle, pillar=PILLAR) if kind else vehicle
        paint(image, seen, parts_at(seen, place, (SIZE, SIZE)) if kind else parts)
    silhouettes, twin_silhouettes = (
        np.stack([parts.silhouette for _, _, parts in group]) for group in (vehicles, twins)
    )
    boxes = tight_boxes(silhouettes)
    return Scene(
        image=_expose(rng, image),
        boxes=boxes,
        twins=tight_boxes(twin_silhouettes),
        silhouettes=silhouettes,
        twin_silhouettes=twin_silhouettes,
        road=pixels,
        mask=pseudo_mask(rng, np.logical_or.reduce(silhouettes), boxes),
        kinds=kinds[: counts[0]].astype(np.int64),
    )


def make_scenes(seed: int, count: int, classes: int = 1) -> list[Scene]:
    """The first ``count`` scenes of the set ``seed``; see :func:`make_scene`."""
    return [make_scene(seed, index, classes) for index in range(count)]


def _inner() -> Bool:
    free = np.zeros((SIZE, SIZE), np.bool_)
    free[MARGIN : SIZE - MARGIN, MARGIN : SIZE - MARGIN] = True
    return free


def _place(rng: Rng, road: Road | None, allowed: Bool, free: Bool) -> tuple[Vehicle, Point, Parts]:
    """Find room for one more vehicle and take its pixels, with a rim of one, out of ``free`` in place.

    Small vehicles fit more often than large ones, on the road and off it.
    """
    for _ in range(TRIES):
        vehicle = random_vehicle(rng)
        x = rng.uniform(MARGIN, SIZE - MARGIN)
        y = rng.uniform(MARGIN, SIZE - MARGIN) if road is None else road.centre(x) + _sideways(rng, road)
        place = (float(x), float(y))
        parts = parts_at(vehicle, place, (SIZE, SIZE))
        pixels = parts.silhouette
        if pixels.any() and (allowed & free)[pixels].all():
            free &= ~_rim(pixels)
            return vehicle, place, parts
    raise RuntimeError(f"no room for a vehicle after {TRIES} tries")


def _sideways(rng: Rng, road: Road) -> float:
    return rng.uniform(-road.half, road.half)


def _rim(pixels: Bool) -> Bool:
    """``pixels`` and their direct neighbours; none touches the border."""
    grown = pixels.copy()
    grown[1:] |= pixels[:-1]
    grown[:-1] |= pixels[1:]
    grown[:, 1:] |= pixels[:, :-1]
    grown[:, :-1] |= pixels[:, 1:]
    return grown


def _expose(rng: Rng, image: Image) -> npt.NDArray[np.uint8]:
    """Global gain, then noise of every pixel and channel, then 8 bits."""
    seen = image * rng.uniform(*GAIN) + rng.normal(0, NOISE, image.shape)
    exposed: npt.NDArray[np.uint8] = np.clip(seen * 255 + 0.5, 0, 255).astype(np.uint8)
    return exposed


def tight_boxes(silhouettes: Bool) -> npt.NDArray[np.float32]:
    """Boxes (N, 4) around silhouettes (N, H, W), none of them empty: x0, y0, x1, y1 in pixel edges."""
    columns, rows = (np.logical_or.reduce(silhouettes, axis=axis) for axis in (1, 2))
    starts = (columns.argmax(axis=1), rows.argmax(axis=1))
    ends = (SIZE - columns[:, ::-1].argmax(axis=1), SIZE - rows[:, ::-1].argmax(axis=1))
    return np.stack([*starts, *ends], axis=1).astype(np.float32)


def pseudo_mask(rng: Rng, silhouette: Bool, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """What background subtraction cut by boxes might leave: holes in vehicles, leaks beside them.

    Args:
        rng: draws the blocks of 4x4 pixels, 12 % knocked out and 10 % of the background filled.
        silhouette: bool (128, 128), exact pixels of all annotated vehicles.
        boxes: (N, 4), their boxes.

    Returns:
        uint8 (128, 128), 0 or 1; nothing outside the boxes.
    """
    cells = (SIZE // BLOCK, SIZE // BLOCK)
    holes, leaks = (_blocks(rng.random(cells) < share) for share in (KNOCKED_OUT, LEAK))
    inside = np.zeros((SIZE, SIZE), np.bool_)
    for x0, y0, x1, y1 in boxes.astype(int):
        inside[y0:y1, x0:x1] = True
    return (((silhouette & ~holes) | (leaks & ~silhouette)) & inside).astype(np.uint8)


def _blocks(cells: Bool) -> Bool:
    return cells.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
