"""Small scenes under a moving camera with exact masks: a textured block drives over textured ground."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from spotlabel.labelers.base import ClipFrame
from tests.helpers.clips import Replayed, texture

HEIGHT, WIDTH = 180, 240
BLOCK_HEIGHT, BLOCK_WIDTH = 44, 66
BRIDGE_HEIGHT, BRIDGE_WIDTH = 110, 190
Camera = Callable[[int], np.ndarray]


def turning(degrees: float, zoom: float = 0.0, pan: tuple[float, float] = (0.0, 0.0)) -> Camera:
    """Ground to picture: per frame so many degrees about the middle, a relative zoom, and so many px."""

    def camera(index: int) -> np.ndarray:
        affine = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees * index, (1 + zoom) ** index)
        affine[:, 2] += np.array(pan) * index
        return np.vstack([affine, [0, 0, 1]])

    return camera


RESTING = turning(0.0)


def leaning(index: int) -> np.ndarray:
    """A camera that pans and whose horizon tilts: a true homography, no affine map."""
    matrix = turning(0.3, pan=(3.0, 1.0))(index)
    matrix[2, :2] = [2e-5 * index, -4e-5 * index]
    return matrix


class Scene(Replayed):
    """Frames of a block that drives over the ground by ``drive`` px per frame, with boxes around it."""

    step = 1

    def __init__(  # noqa: PLR0917 - a scene is its numbers
        self,
        camera: Camera = RESTING,
        drive: tuple[float, float] = (3.0, 0.0),
        count: int = 6,
        gain: float = 0.0,
        noise: float = 1.5,
        padding: float = 6.0,
        starts: int | None = None,
        bridge: float = 0.0,
    ) -> None:
        """With ``starts``, the block stands until that frame; a bridge, on which it drives, is so many px per
        frame faster in the picture than the ground below: it is nearer to the camera."""
        rng = np.random.default_rng(3)
        self.size = (HEIGHT, WIDTH)
        self._ground = _coloured(texture(HEIGHT + 200, WIDTH + 200, 1), (0.7, 0.9, 0.8))
        self._block = _coloured(texture(BLOCK_HEIGHT, BLOCK_WIDTH, 2), (0.4, 0.6, 1.0))
        self._deck = _coloured(texture(BRIDGE_HEIGHT, BRIDGE_WIDTH, 4), (0.9, 0.8, 0.6))
        self.frames: list[ClipFrame] = []
        self.truth: list[np.ndarray] = []
        for index in range(count):
            steps = index - count / 2 if starts is None else max(0, index - starts)
            image, mask = self._render(
                camera(index), np.array(drive) * steps, bridge * index if bridge else None
            )
            image = image * (1 + gain * np.sin(index)) + rng.normal(0, noise, image.shape)
            rows, columns = np.nonzero(mask)
            box = [
                columns.min() - padding,
                rows.min() - padding,
                columns.max() + padding,
                rows.max() + padding,
            ]
            picture = np.clip(np.rint(image), 0, 255).astype(np.uint8)
            self.frames.append(ClipFrame(index, picture, np.array([box], np.float32)))
            self.truth.append(mask)

    def _render(
        self, camera: np.ndarray, offset: np.ndarray, nearer: float | None
    ) -> tuple[np.ndarray, np.ndarray]:
        size = (WIDTH, HEIGHT)
        ground = cv2.warpPerspective(self._ground, camera @ _shift(-100, -100), size)
        if nearer is not None:
            camera = _shift(nearer, 0) @ camera
            deck = camera @ _shift((WIDTH - BRIDGE_WIDTH) / 2, (HEIGHT - BRIDGE_HEIGHT) / 2)
            cv2.warpPerspective(self._deck, deck, size, ground, borderMode=cv2.BORDER_TRANSPARENT)
        place = camera @ _shift(
            (WIDTH - BLOCK_WIDTH) / 2 + offset[0], (HEIGHT - BLOCK_HEIGHT) / 2 + offset[1]
        )
        block = cv2.warpPerspective(self._block, place, size, borderMode=cv2.BORDER_REPLICATE)
        cover = np.ones((BLOCK_HEIGHT, BLOCK_WIDTH), np.float32)
        mask = cv2.warpPerspective(cover, place, size) > 0.5
        return np.where(mask[..., None], block, ground).astype(np.float32), mask

    def iou(self, masks: list[np.ndarray]) -> float:
        """Mean IoU of bool masks, cut to the boxes, with the truth."""
        found = []
        for frame, mask, truth in zip(self.frames, masks, self.truth, strict=True):
            inside = np.zeros(self.size, bool)
            for x0, y0, x1, y1 in frame.boxes.astype(int).tolist():
                inside[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = True
            cut = mask & inside
            found.append((cut & truth).sum() / (cut | truth).sum())
        return float(np.mean(found))


def _coloured(grey: np.ndarray, tint: tuple[float, float, float]) -> np.ndarray:
    return np.rint(grey[..., None] * np.array(tint)).astype(np.uint8)


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
