"""Small mask stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.store import FrameState, MaskWriter, StoreInfo


def info(frames: int, size: tuple[int, int] = (5, 11), **attributes: object) -> StoreInfo:
    return StoreInfo("cam/1", size, np.arange(1, frames + 1), {"frames": "abc"}, attributes)


def one_box_a_frame(frames: int) -> BoxTable:
    return BoxTable(
        np.arange(frames + 1, dtype=np.int64),
        np.tile(np.array([1, 1, 4, 3], np.float32), (frames, 1)),
        np.zeros(frames, np.int16),
        np.arange(frames, dtype=np.int64),
        np.zeros(frames, np.uint8),
    )


def write_masks(path: Path, masks: list[np.ndarray], boxes: BoxTable | None = None) -> Path:
    boxes = boxes or one_box_a_frame(len(masks))
    attributes = {"class_names": ["car"]}
    with MaskWriter.writing(path, info(len(masks), masks[0].shape, **attributes), boxes) as writer:
        for index, mask in enumerate(masks):
            n = len(boxes.at(index))
            writer.put(index, mask, FrameState.OK, np.full(n, 0.5, np.float32), np.ones(n, np.bool_))
    return path


def some_masks(frames: int = 4, size: tuple[int, int] = (5, 11)) -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [random.choice(np.array([0, 1, 255], np.uint8), size) for _ in range(frames)]
