"""Frames and ground truth of the sequences that the PAWCS benchmark runs on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.datasets.cdnet_truth import MOVING, OUTSIDE_ROI, UNKNOWN
from spotlabel.pipeline.errors import FrameError

Image = npt.NDArray[np.uint8]

SEQUENCES = {
    "MVI_40201": "ua-detrac/DETRAC-Images/MVI_40201",
    "highway": "cdnet/baseline/highway",
    "office": "cdnet/baseline/office",
}
SCORED = ("highway", "office")
"""Sequences with ground truth masks."""


def frame_files(data: Path, name: str) -> list[Path]:
    """Frame files of a sequence, in order.

    Raises:
        FrameError: there are none.
    """
    folder = data / SEQUENCES[name]
    files = sorted((folder / "input").glob("*.jpg")) or sorted(folder.glob("*.jpg"))
    if not files:
        raise FrameError(f"{folder}: no frames; name the folder that holds cdnet/ and ua-detrac/ (--data)")
    return files


def read_frames(data: Path, name: str, count: int | None = None) -> Iterator[Image]:
    """Decode the first ``count`` frames of a sequence, or all: uint8 (H, W, 3), BGR.

    Raises:
        FrameError: one of them cannot be decoded.
    """
    for path in islice(frame_files(data, name), count):
        image = cv2.imread(str(path))
        if image is None:
            raise FrameError(f"{path}: cannot be decoded")
        yield np.asarray(image, np.uint8)


def read_truth(data: Path, name: str) -> Iterator[tuple[int, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Position, foreground and counted pixels of each evaluated frame of a CDnet sequence.

    Yields:
        Position from 0 and two bool (H, W) arrays.
    """
    folder = data / SEQUENCES[name]
    start, stop = (int(word) for word in (folder / "temporalROI.txt").read_text().split())
    for number in range(start, stop + 1):
        truth = cv2.imread(str(folder / "groundtruth" / f"gt{number:06d}.png"), cv2.IMREAD_GRAYSCALE)
        counted = (truth != OUTSIDE_ROI) & (truth != UNKNOWN)
        yield number - 1, np.asarray(truth == MOVING), np.asarray(counted)
