"""CDnet 2012/2014 and SBI2015: fixed cameras with pixel ground truth, no boxes.

Layout: ``<category>/<sequence>/input/in000001.jpg``, ``groundtruth/gt000001.png``, ``ROI.bmp``,
``temporalROI.txt`` (first and last frame that counts). SBI's copies have PNG frames from 0 and no category
folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.datasets.base import FrameOptions, Reader, ReaderOptions
from pipeline.datasets.derived import derived_annotations, read_labels
from pipeline.errors import DatasetError
from pipeline.frames import ImageFolder, scan_images
from pipeline.pixel_metrics import CDNET_MOVING, CDNET_UNKNOWN
from pipeline.sequence import Annotations, Camera, Image, Sequence

VERSION = 1
_INPUT = r"in(\d+)\.(?:jpg|png|bmp)"
_TRUTH = r"gt(\d+)\.(?:png|bmp)"
_MOVING_CATEGORIES = ("PTZ",)


class CdnetOptions(ReaderOptions):
    """Options of the readers ``cdnet`` and ``sbi``."""

    bad_truth: tuple[int, ...] = ()
    """Frame numbers whose ground truth is known to be wrong and is left out (SBI HighwayI: 0)."""


@dataclass(frozen=True)
class CdnetFolder:
    """One sequence's folder.

    Attributes:
        path: the folder that holds ``input`` and ``groundtruth``.
        truth_files: frame number to ground-truth image, those of ``bad_truth`` left out.
    """

    path: Path
    truth_files: dict[int, Path]

    @classmethod
    def open(cls, path: Path, options: CdnetOptions) -> CdnetFolder:
        """List a sequence's ground truth; DatasetError if there is none."""
        files = scan_images(path / "groundtruth", _TRUTH)
        return cls(path, {n: file for n, file in files.items() if n not in options.bad_truth})

    def first_and_last(self) -> tuple[int, int]:
        """Numbers of the first and last frame that count; all frames where ``temporalROI.txt`` is absent.

        Raises:
            DatasetError: the file does not hold two rising numbers.
        """
        file = self.path / "temporalROI.txt"
        if not file.exists():
            return min(self.truth_files), max(self.truth_files)
        words = file.read_text(errors="replace").split()
        if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[0]) > int(words[1]):
            raise DatasetError.at(file, "", f"expected first and last frame, found {' '.join(words)[:40]!r}")
        return int(words[0]), int(words[1])

    def region(self) -> npt.NDArray[np.bool_] | None:
        """The spatial region of interest, bool (H, W); None where there is no ``ROI.bmp`` or ``ROI.jpg``."""
        for name in ("ROI.bmp", "ROI.jpg"):
            if (self.path / name).exists():
                return read_labels(self.path / name) > 127  # the JPEG copies are not quite two-valued
        return None

    def labels(self, number: int) -> Image | None:
        """Ground truth of a frame number, uint8 (H, W) in CDnet's grey levels; None where there is none."""
        path = self.truth_files.get(number)
        return None if path is None else read_labels(path)

    def evaluated(self) -> list[int]:
        """Frame numbers that count: inside the temporal region and with ground truth."""
        first, last = self.first_and_last()
        return [number for number in self.truth_files if first <= number <= last]


def list_sequences(reader: str, root: Path, options: ReaderOptions, frames: FrameOptions) -> list[Sequence]:
    """Sequences of a dataset, a category or a single sequence folder."""
    assert isinstance(options, CdnetOptions)
    folders = sorted(
        {path.parent for path in root.glob("*/input")} | {p.parent for p in root.glob("*/*/input")}
    )
    if (root / "input").is_dir():
        folders = [root]
    if not folders:
        problem = "no sequence; expected <category>/<sequence>/input or <sequence>/input below it"
        raise DatasetError.at(root, "", problem, "set data= to the dataset's root folder")
    return [_sequence(reader, root, folder, options, frames) for folder in folders]


def _sequence(reader: str, root: Path, folder: Path, options: CdnetOptions, frames: FrameOptions) -> Sequence:
    source = ImageFolder(scan_images(folder / "input", _INPUT), frames)
    truth = CdnetFolder.open(folder, options)
    category = folder.parent.name
    return Sequence(
        name=folder.name if folder == root else folder.relative_to(root).as_posix(),
        frames=source,
        camera=Camera.MOVING if category in _MOVING_CATEGORIES else Camera.FIXED,
        annotation_files=tuple(truth.truth_files.values()),
        reader=f"{reader} {VERSION}",
        load=partial(_load, source, truth),
        attributes={"category": category},
        derived_boxes=True,
        truth=lambda index: truth.labels(int(source.numbers[index])),
    )


def _load(source: ImageFolder, truth: CdnetFolder) -> Annotations:
    """Boxes around everything that is moving or may be (170 lines the edges of what moves)."""

    def foreground_at(index: int) -> npt.NDArray[np.bool_] | None:
        labels = truth.labels(int(source.numbers[index]))
        return None if labels is None else (labels == CDNET_MOVING) | (labels == CDNET_UNKNOWN)

    return derived_annotations(len(source), foreground_at)


READER = Reader("cdnet", VERSION, CdnetOptions, partial(list_sequences, "cdnet"))
SBI_READER = Reader("sbi", VERSION, CdnetOptions, partial(list_sequences, "sbi"))
