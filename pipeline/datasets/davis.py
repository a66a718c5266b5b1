"""DAVIS 2016 (Perazzi et al., CVPR 2016): moving camera, one annotated object, every frame.

Layout: ``JPEGImages/480p/<sequence>/%05d.jpg`` and ``Annotations/480p/<sequence>/%05d.png``. The dataset has
no boxes: they are derived from the object's mask (:mod:`spotlabel.pipeline.datasets.derived`), and marked
so. As everywhere in this project that is one box per connected component: an object hidden in part can have
several.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from spotlabel.pipeline.boxes import RegionTable
from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.derived import CLASS_NAMES, derive_boxes, derived_table
from spotlabel.pipeline.datasets.label_image import by_position, read_label_image, scan_labels, subfolders
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder, scan_images
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Image, Sequence

NAME = "davis"
VERSION = 1
OBJECT_ABOVE = 127
"""Greater values of a DAVIS 2016 annotation are the object."""


class DavisOptions(ReaderOptions):
    """Options of the reader ``davis``."""

    resolution: Literal["480p", "1080p"] = "480p"
    """Folder below ``JPEGImages`` and ``Annotations``."""


@dataclass(frozen=True, eq=False)
class DavisTruth:
    """Masks of one sequence; called with a position it returns the raw image.

    Attributes:
        folder: where the masks are.
        frames: the video.
        files: mask of each frame number; empty if there are none.
        beyond: what to do with masks of frame numbers that have no image.
    """

    folder: Path
    frames: FrameSource
    files: dict[int, Path]
    beyond: Literal["refuse", "drop"]

    def __call__(self, index: int) -> Image | None:
        """Mask of a position as stored: uint8 (H, W), the object above 127; None where there is no file.

        Raises:
            DatasetError: the file cannot be decoded whole, or is not in the form of DAVIS 2016.
        """
        path = self.files.get(int(self.frames.numbers[index]))
        return None if path is None else self._read(path)

    def load(self) -> Annotations:
        """Boxes around the components of the object; no ignore regions.

        Raises:
            DatasetError: a frame without a mask, or a mask that cannot be used.
        """
        files = by_position(self.files, self.frames, self.beyond)
        for index, number in enumerate(self.frames.numbers):
            if index not in files:
                raise DatasetError.at(
                    self.folder, "", f"expected a mask of every frame, got none of {number}"
                )
        boxes = [derive_boxes(self._read(files[i]) > OBJECT_ABOVE) for i in range(len(self.frames))]
        regions = RegionTable.static(np.zeros((0, 4), np.float32), len(boxes))
        return Annotations(derived_table(boxes), regions, CLASS_NAMES)

    def _read(self, path: Path) -> Image:
        mask = read_label_image(path, self.frames.size)
        highest = int(mask.max())
        if 0 < highest <= OBJECT_ABOVE:
            # Read by the rule of 2016, object numbers would make an empty mask.
            problem = f"expected the object above {OBJECT_ABOVE}, got values up to {highest}"
            raise DatasetError.at(path, "", problem, "object numbers as in DAVIS 2017 are not supported")
        return mask


def list_sequences(
    root: Path, options: ReaderOptions, frame_options: FrameOptions, only: str | None = None
) -> list[Sequence]:
    """Sequences below a folder that holds ``JPEGImages`` and ``Annotations``, in natural order.

    Raises:
        DatasetError: no such folder, or no sequence in it. One that cannot be listed (no images, a number
            twice) has a ``problem`` and stops no other.
    """
    assert isinstance(options, DavisOptions)
    base = root / "JPEGImages" / options.resolution
    names = [folder.name for folder in subfolders(base) if only in (None, folder.name)]
    if not names:
        raise DatasetError.at(base, "", "no sequence found, expected one folder of images each")

    def sequence(name: str) -> Sequence:
        return _sequence(root, name, options, frame_options)

    return one_by_one(names, f"{NAME} {VERSION}", sequence)


def _sequence(root: Path, name: str, options: DavisOptions, frame_options: FrameOptions) -> Sequence:
    images = scan_images(root / "JPEGImages" / options.resolution / name, r"(\d+)\.jpg")
    frames = ImageFolder(images, frame_options)
    masks = root / "Annotations" / options.resolution / name
    files = scan_labels(masks, r"(\d+)\.png")
    truth = DavisTruth(masks, frames, files, options.beyond)
    return Sequence(
        name=name,
        frames=frames,
        camera=Camera.MOVING,
        annotation_files=tuple(files.values()),
        reader=f"{NAME} {VERSION}",
        load=truth.load,
        derived_boxes=True,
        truth=truth,
    )


READER = Reader(NAME, VERSION, DavisOptions, list_sequences, finds_one=True)
