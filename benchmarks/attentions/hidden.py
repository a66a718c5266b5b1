"""Test scenes with patches over the vehicles: a part of each is hidden, its box stays what it was."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.paired.scenes import Scene
from benchmarks.paired.vehicles import Rng

SHARE = (0.3, 0.45)
"""Share of a box that its patch covers, from one side."""
NOISE = 0.05
VERSION = 1
"""Raise it when anything here draws other patches: finished runs then count as out of date."""


def hide(scene: Scene, seed: int, index: int) -> npt.NDArray[np.uint8]:
    """The picture of a scene, uint8 (H, W, 3), with a plain patch over a part of each vehicle and twin.

    A patch covers 30 to 45 % of the box, from a side drawn at random, in one colour with a little noise.
    It is a pure function of the scene, the seed and the index.
    """
    rng = np.random.default_rng((seed, index, 7))
    image = scene.image.copy()
    for box in np.concatenate([scene.boxes, scene.twins]).astype(int).tolist():
        x0, y0, x1, y1 = patch_of(rng, (box[0], box[1], box[2], box[3]))
        seen = rng.uniform(0.1, 0.8, 3) + rng.normal(0, NOISE, (y1 - y0, x1 - x0, 3))
        image[y0:y1, x0:x1] = np.clip(seen * 255 + 0.5, 0, 255).astype(np.uint8)
    return image


def patch_of(rng: Rng, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The part of a box that is hidden; both as x0, y0, x1, y1 in pixel edges."""
    x0, y0, x1, y1 = box
    side, share = int(rng.integers(4)), rng.uniform(*SHARE)
    wide, high = round(share * (x1 - x0)), round(share * (y1 - y0))
    return (
        (x0, y0, x0 + wide, y1),
        (x1 - wide, y0, x1, y1),
        (x0, y0, x1, y0 + high),
        (x0, y1 - high, x1, y1),
    )[side]
