"""Ground truth stored as images whose grey values are labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from spotlabel.pipeline.datasets.layout import is_litter, leads_nowhere, natural_key
from spotlabel.pipeline.errors import DatasetError, FrameError
from spotlabel.pipeline.frames import decode_image, scan_images
from spotlabel.pipeline.inputs import read_input
from spotlabel.pipeline.sequence import FrameSource, Image


def read_label_image(path: Path, size: tuple[int, int] | None) -> Image:
    """Read an image of labels, stored as grey or as three equal channels.

    Args:
        path: the file.
        size: height and width of the video's frames; None takes any.

    Returns:
        uint8 (H, W), the values as stored.

    Raises:
        DatasetError: cannot be decoded whole, has colours, or another size than the frames.
    """
    try:
        pixels = decode_image(read_input(path), str(path), "convert")
    except OSError as error:
        raise DatasetError.at(path, "", f"cannot be read: {error.strerror}") from error
    except FrameError as error:
        raise DatasetError(str(error)) from error
    labels, *others = (np.asarray(plane, np.uint8) for plane in cv2.split(pixels))
    if not all(np.array_equal(labels, other) for other in others):
        raise DatasetError.at(path, "", "expected an image of grey labels, got colours")
    if size is not None and labels.shape != size:
        (height, width), (found_height, found_width) = size, labels.shape
        problem = (
            f"expected height x width {height} x {width} like the frames, got {found_height} x {found_width}"
        )
        raise DatasetError.at(path, "", problem)
    return labels


def scan_labels(folder: Path, pattern: str) -> dict[int, Path]:
    """Label images by frame number; none without the folder, so that a sequence can be listed without truth.

    Raises:
        DatasetError: an empty folder, or two images of one number.
    """
    return scan_images(folder, pattern) if folder.is_dir() else {}


def by_position(
    files: Mapping[int, Path], frames: FrameSource, beyond: Literal["refuse", "drop"]
) -> dict[int, Path]:
    """Label images by the position of their frame.

    Args:
        files: label image of each frame number.
        frames: the video.
        beyond: what to do with the label image of a frame number that has no image.

    Raises:
        DatasetError: there is such a label image and ``beyond`` refuses it.
    """
    positions = {int(number): index for index, number in enumerate(frames.numbers)}
    found: dict[int, Path] = {}
    for number, path in files.items():
        if number in positions:
            found[positions[number]] = path
        elif beyond == "refuse":
            problem = f"ground truth of frame {number}, which has no image"
            raise DatasetError.at(path, "", problem, "or set dataset.beyond=drop")
    return found


def subfolders(folder: Path) -> list[Path]:
    """Folders, and links that lead nowhere, right below a folder, "a2" before "a10".

    Raises:
        DatasetError: there is no such folder.
    """
    try:
        held = [path for path in folder.iterdir() if not is_litter(path.name)]
    except OSError as error:
        raise DatasetError.at(folder, "", f"expected a folder: {error.strerror}") from error
    found = [path for path in held if os.path.isdir(path) or leads_nowhere(path)]
    return sorted(found, key=lambda path: natural_key(path.name))
