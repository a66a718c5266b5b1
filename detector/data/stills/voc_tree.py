"""The folders of a VOCdevkit year: lists of pictures, images, annotations, masks of objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spotlabel.pipeline.datasets.layout import inside
from spotlabel.pipeline.datasets.text import read_text
from spotlabel.pipeline.errors import DatasetError

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The 20 classes; number k of SBD's class maps is the k-th, counted from 1."""


@dataclass(frozen=True)
class VocTree:
    """``VOCdevkit/VOC2007`` or ``VOC2012``: JPEGImages, Annotations, ImageSets/Main, SegmentationObject.

    Attributes:
        root: the folder of the year.
    """

    root: Path

    def names(self, split: str) -> list[str]:
        """Pictures of ``ImageSets/Main/<split>.txt``, in its order.

        Raises:
            DatasetError: see :func:`read_names`.
        """
        if not self.root.is_dir():
            advice = "expected the folder of a year, like VOCdevkit/VOC2007"
            raise DatasetError.at(self.root, "", "no such folder", advice)
        return read_names(self.root / "ImageSets" / "Main" / f"{split}.txt")

    def image(self, name: str) -> Path:
        """The picture."""
        return self.root / "JPEGImages" / f"{name}.jpg"

    def annotation(self, name: str) -> Path:
        """Its objects."""
        return self.root / "Annotations" / f"{name}.xml"

    def objects(self, name: str) -> Path:
        """Its object masks; most pictures have none."""
        return self.root / "SegmentationObject" / f"{name}.png"


def read_names(path: Path) -> list[str]:
    """Names of pictures, one a line, without suffix; blank lines are skipped.

    Raises:
        DatasetError: the list cannot be read or is empty; a line holds more than a name, leads out of the
            folder, or names a picture a second time.
    """
    seen: dict[str, int] = {}
    for line, text in enumerate(read_text(path).split("\n"), 1):
        words = text.split()
        if not words:
            continue
        if len(words) > 1:
            advice = "lists of one class mark each with 1, 0 or -1 and cannot be used"
            problem = f"{len(words)} columns, expected the name of one picture"
            raise DatasetError.at(path, f"line {line}", problem, advice)
        inside(path.parent, words[0], path, f"line {line}")
        if words[0] in seen:
            problem = f"picture {words[0][:80]!r} a second time, first on line {seen[words[0]]}"
            raise DatasetError.at(path, f"line {line}", problem)
        seen[words[0]] = line
    if not seen:
        raise DatasetError.at(path, "", "lists no picture")
    return list(seen)
