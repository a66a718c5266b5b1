"""Clips in memory, for tests of labelers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from spotlabel.labelers.base import ClipFrame, Evidence, Labeler, Settings

NO_BOXES = np.zeros((0, 4), np.float32)


class Replayed:
    """What clips have in common whose frames lie in a list."""

    frames: list[ClipFrame]

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[ClipFrame]:
        return iter(self.frames)

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        return iter(self.frames[::every])


class ListClip(Replayed):
    """Frames from a list, numbered as told (1, 2, ... if not told)."""

    def __init__(
        self, images: Sequence[np.ndarray], numbers: Sequence[int] | None = None, step: int = 1
    ) -> None:
        numbered = zip(numbers if numbers is not None else range(1, len(images) + 1), images, strict=True)
        self.frames = [ClipFrame(number, image, NO_BOXES) for number, image in numbered]
        self._step = step

    @property
    def size(self) -> tuple[int, int]:
        return self.frames[0].image.shape[0], self.frames[0].image.shape[1]

    @property
    def step(self) -> int:
        return self._step


def run(labeler: type[Labeler], clip: ListClip, settings: Settings | None = None) -> list[Evidence]:
    return list(labeler(settings or labeler.settings_type()).label(clip))


def values(evidence: list[Evidence]) -> np.ndarray:
    return np.stack([item.values for item in evidence])


def images(folder: Path, names: Sequence[str]) -> list[np.ndarray]:
    found = [cv2.imread(str(folder / name)) for name in names]
    assert all(image is not None for image in found), folder
    return found


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth random grey picture, uint8 (H, W)."""
    noise = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def moving_square(count: int, size: tuple[int, int] = (48, 64), stands: int = 6) -> list[np.ndarray]:
    """A grey scene with slight noise into which, after ``stands`` frames, a bright square drives."""
    rng = np.random.default_rng(5)
    background = cv2.cvtColor(texture(*size) // 4 + 60, cv2.COLOR_GRAY2BGR)
    frames = []
    for index in range(count):
        frame = background.copy()
        if index >= stands:
            x = 4 + 3 * (index - stands)
            frame[16:32, x : x + 16] = (230, 240, 250)
        frames.append(np.clip(frame + rng.integers(-2, 3, frame.shape), 0, 255).astype(np.uint8))
    return frames
