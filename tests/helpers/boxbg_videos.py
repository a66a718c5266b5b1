"""Small videos of a fixed camera with exact masks, and what ``boxbg`` makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from spotlabel.labelers.base import ClipFrame, EvidenceKind
from spotlabel.labelers.boxbg.labeler import NEUTRAL, Boxbg
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.masks import make_mask, resolve
from tests.helpers.clips import NO_BOXES, Replayed, texture

HEIGHT, WIDTH = 120, 160
MASKS = resolve("default", {})


@dataclass
class Actor:
    """An object of 30 x 20 px in every frame; ``place`` gives its left top corner at a frame, or nothing."""

    place: Callable[[int], tuple[int, int] | None]
    colour: tuple[int, int, int] = (40, 60, 200)


class Video(Replayed):
    """Textured ground, actors with tight boxes, and whatever disturbs them."""

    step = 1
    size = (HEIGHT, WIDTH)

    def __init__(
        self,
        *actors: Actor,
        frames: int = 60,
        shake: float = 0.0,
        gain: Callable[[int], float] = lambda _: 1.0,
        shadow: float = 0.0,
        noise: float = 2.0,
        tiles: int = 0,
    ) -> None:
        rng = np.random.default_rng(3)
        big = cv2.merge([texture(HEIGHT + 40, WIDTH + 40, seed) // 3 + 70 for seed in (1, 1, 2)])
        for x, y, w, h, level in rng.integers((0, 0, 2, 2, 60), (WIDTH, HEIGHT, 9, 9, 170), (tiles, 5)):
            big[20 + y : 20 + y + h, 20 + x : 20 + x + w] = level
        self.frames: list[ClipFrame] = []
        self.truth: list[np.ndarray] = []
        self.shifts: list[np.ndarray] = []
        for index in range(frames):
            shift = rng.uniform(-shake, shake, 2)
            self.shifts.append(shift)
            scene = big.astype(np.float32)
            mask = np.zeros(big.shape[:2], np.uint8)
            places = [(actor, place) for actor in actors if (place := actor.place(index)) is not None]
            for _, (x, y) in places:
                scene[20 + y + 12 : 20 + y + 26, 20 + x + 10 : 20 + x + 46] *= 1 - shadow
            for actor, (x, y) in places:
                scene[20 + y : 20 + y + 20, 20 + x : 20 + x + 30] = actor.colour
                scene[20 + y + 4 : 20 + y + 8, 20 + x + 4 : 20 + x + 26] = (200, 190, 60)
                mask[20 + y : 20 + y + 20, 20 + x : 20 + x + 30] = 1
            matrix = np.array([[1, 0, shift[0] - 20], [0, 1, shift[1] - 20]])
            scene, mask = (cv2.warpAffine(plane, matrix, (WIDTH, HEIGHT)) for plane in (scene, mask))
            scene = scene * gain(index) + rng.normal(0, noise, scene.shape)
            outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            boxes = [(x, y, x + w, y + h) for x, y, w, h in map(cv2.boundingRect, outlines)]
            image = np.clip(np.rint(scene), 0, 255).astype(np.uint8)
            self.frames.append(ClipFrame(index, image, np.array(boxes, np.float32).reshape(-1, 4) + PADDING))
            self.truth.append(mask.astype(bool))


PADDING = np.array([-4, -4, 4, 4], np.float32)
"""Boxes are not exact."""


def crosses(index: int) -> tuple[int, int] | None:
    """Through the image from left to right, again and again."""
    return (7 * index) % (WIDTH - 40) + 5, 20 + 30 * (index // 17 % 3)


def labelled(video: Video, **settings: object) -> list[np.ndarray]:
    evidence = [item.values for item in Boxbg(BoxbgSettings(**settings)).label(video)]
    assert len(evidence) == len(video.frames)
    masks = []
    for values, frame in zip(evidence, video.frames, strict=True):
        selected = np.ones(len(frame.boxes), bool)
        made = make_mask(
            values, EvidenceKind.DISTANCE, frame.boxes, selected, NO_BOXES, MASKS, neutral=NEUTRAL
        )
        masks.append(made.mask == 1)
    return masks


def iou(masks: list[np.ndarray], video: Video, frames: slice = slice(None)) -> float:
    found, truth = np.stack(masks[frames]), np.stack(video.truth[frames])
    return float((found & truth).sum() / (found | truth).sum())
