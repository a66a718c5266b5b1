"""What writers of formats know of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.exports.objects import Objects


@dataclass(frozen=True)
class Video:
    """One video of an export.

    Attributes:
        name: the sequence's name: data.
        stem: what its files are called.
        size: height and width of its frames.
        numbers: int64 (T,), numbers of all its frames.
        indices: int64 (n,), positions of the exported frames, rising.
        known: bool (T,), whether something is known of a frame.
        images: names of the exported frames' images, in their order; plain names without a folder.
        boxes: of all its frames.
        objects: of the exported frames of which something is known; in order of appearance.
        classes: the dataset's.
        class_of: int64, place in ``classes`` of each of the video's own classes.
    """

    name: str
    stem: str
    size: tuple[int, int]
    numbers: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    known: npt.NDArray[np.bool_]
    images: tuple[str, ...]
    boxes: BoxTable
    objects: Objects
    classes: tuple[str, ...]
    class_of: npt.NDArray[np.int64]

    def image(self, index: int) -> str:
        """Name of the image of an exported frame."""
        return self.images[int(np.searchsorted(self.indices, index))]

    def image_stem(self, index: int) -> str:
        """The same without its suffix."""
        return Path(self.image(index)).stem
