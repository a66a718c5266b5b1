"""DAVIS 2016: moving cameras, the mask of one object in every frame, no boxes.

Layout: ``JPEGImages/480p/<sequence>/00000.jpg`` and ``Annotations/480p/<sequence>/00000.png``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.datasets.base import FrameOptions, Reader, ReaderOptions
from pipeline.datasets.derived import derived_annotations, read_labels
from pipeline.errors import DatasetError
from pipeline.frames import ImageFolder, scan_images
from pipeline.sequence import Annotations, Camera, Image, Sequence

VERSION = 1
_FRAME = r"(\d+)\.jpg"
_MASK = r"(\d+)\.png"
_OBJECT = 127
"""Above this grey level lies the object."""


class DavisOptions(ReaderOptions):
    """Options of the reader ``davis``."""

    resolution: str = "480p"
    """Name of the folder below JPEGImages and Annotations."""


def list_sequences(root: Path, options: ReaderOptions, frames: FrameOptions) -> list[Sequence]:
    """Every sequence that has both frames and masks."""
    assert isinstance(options, DavisOptions)
    images, masks = root / "JPEGImages" / options.resolution, root / "Annotations" / options.resolution
    if not images.is_dir() or not masks.is_dir():
        raise DatasetError.at(
            root, "", f"expected JPEGImages/{options.resolution} and Annotations/{options.resolution} in it"
        )
    names = sorted(path.name for path in images.iterdir() if (masks / path.name).is_dir())
    if not names:
        raise DatasetError.at(images, "", f"no sequence that also has a folder in {masks}")
    return [_sequence(images / name, masks / name, frames) for name in names]


def _sequence(images: Path, masks: Path, frames: FrameOptions) -> Sequence:
    source = ImageFolder(scan_images(images, _FRAME), frames)
    files = scan_images(masks, _MASK)

    def truth(index: int) -> Image | None:
        path = files.get(int(source.numbers[index]))
        return None if path is None else read_labels(path)

    return Sequence(
        name=images.name,
        frames=source,
        camera=Camera.MOVING,
        annotation_files=tuple(files.values()),
        reader=f"davis {VERSION}",
        load=partial(_load, source, truth),
        derived_boxes=True,
        truth=truth,
    )


def _load(source: ImageFolder, truth: Callable[[int], Image | None]) -> Annotations:
    def foreground_at(index: int) -> npt.NDArray[np.bool_] | None:
        labels = truth(index)
        return None if labels is None else labels > _OBJECT

    return derived_annotations(len(source), foreground_at)


READER = Reader("davis", VERSION, DavisOptions, list_sequences)
