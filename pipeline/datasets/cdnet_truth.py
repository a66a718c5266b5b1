"""Ground truth in CDnet's layout: ``groundtruth/gt%06d.png``, ``ROI.bmp`` and ``temporalROI.txt``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import RegionTable
from spotlabel.pipeline.datasets.derived import CLASS_NAMES, derive_boxes, derived_table
from spotlabel.pipeline.datasets.label_image import by_position, read_label_image
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.inputs import read_input
from spotlabel.pipeline.sequence import Annotations, FrameSource, Image, Sequence

Bool = npt.NDArray[np.bool_]

OUTSIDE_ROI = 85
UNKNOWN = 170
MOVING = 255
KNOWN_VALUES = (0, 50, OUTSIDE_ROI, UNKNOWN, MOVING)
_IS_STRANGE = np.isin(np.arange(256), KNOWN_VALUES, invert=True).astype(np.uint8)
_JPEG_NOISE = 16
"""How far JPEG may move the values of a black and white image."""


@dataclass(frozen=True, eq=False)
class CdnetTruth:
    """Ground truth of one sequence folder; called with a position it returns the raw image.

    Attributes:
        folder: the sequence folder.
        frames: the video.
        files: ground-truth image of each frame number; empty if the folder has none.
        beyond: what to do with ground truth of frame numbers that have no image.
        unusable: frame numbers whose ground truth is known to be wrong.
        boxed_from: least value of the pixels that are boxed: 255, or 170 to box unknown ones too.
        temporal_roi: whether ``temporalROI.txt`` has to be there; without it every frame counts.
    """

    folder: Path
    frames: FrameSource
    files: dict[int, Path]
    beyond: Literal["refuse", "drop"]
    unusable: frozenset[int] = frozenset()
    boxed_from: int = MOVING
    temporal_roi: Literal["required", "optional"] = "required"

    def __call__(self, index: int) -> Image | None:
        """Ground truth of a position as stored: uint8 (H, W), 0, 50, 85, 170 or 255.

        Returns:
            None where there is no file, or an unusable one.

        Raises:
            DatasetError: the file cannot be decoded whole, or holds other values.
        """
        number = int(self.frames.numbers[index])
        if number not in self.files or number in self.unusable:
            return None
        return self._read(self.files[number])

    def annotation_files(self) -> tuple[Path, ...]:
        """The files that decide the boxes."""
        temporal = self._temporal_file()
        return (*self.files.values(), *([temporal] if temporal.is_file() else []))

    def load(self) -> Annotations:
        """Boxes around the components of moving pixels, and of unknown ones if ``boxed_from`` says so.

        A frame without truth (outside ``temporalROI.txt``, all 85, no file, or unusable) has no boxes, and
        one ignore region over the whole image, for whatever moves there is not labelled.

        Raises:
            DatasetError: no ground truth, or a file of it that cannot be used.
        """
        usable = self._usable()
        height, width = self.frames.size
        everything = np.array([[0, 0, width, height]], np.float32)
        nothing = np.zeros((0, 4), np.float32)
        boxes, regions = [], []
        for index in range(len(self.frames)):
            gt = self._read(usable[index]) if index in usable else None
            if gt is None or (gt == OUTSIDE_ROI).all():
                boxes.append(nothing)
                regions.append(everything)
            else:
                boxes.append(derive_boxes(gt >= self.boxed_from))
                regions.append(nothing)
        return Annotations(derived_table(boxes), RegionTable.per_frame(regions), CLASS_NAMES)

    def evaluated_positions(self) -> list[int]:
        """Positions that CDnet evaluates and whose ground truth is there and usable.

        Raises:
            DatasetError: there is no ground truth, or ``temporalROI.txt`` cannot be used.
        """
        return sorted(self._usable())

    def roi(self) -> Bool:
        """The spatial region of interest: bool (H, W), ``ROI.bmp`` or else ``ROI.jpg``; all without either.

        A region of another size than the frames, as ``cameraJitter/traffic`` is distributed with, is all of
        them if it leaves nothing out.

        Raises:
            DatasetError: the file cannot be used. ``ROI.jpg`` often is a picture of the scene with the region
                drawn in, which is no mask.
        """
        bitmap, jpeg = self.folder / "ROI.bmp", self.folder / "ROI.jpg"
        if bitmap.is_file():
            return self._of_frames(bitmap, np.asarray(read_label_image(bitmap, None) != 0))
        if not jpeg.is_file():
            return np.ones(self.frames.size, np.bool_)
        values = read_label_image(jpeg, None)
        inside = np.asarray(values >= 255 - _JPEG_NOISE)
        if not (inside | (values <= _JPEG_NOISE)).all():
            problem = "expected a black and white mask, got shades of grey"
            raise DatasetError.at(jpeg, "", problem, "put the mask beside it as ROI.bmp")
        return self._of_frames(jpeg, inside)

    def _of_frames(self, path: Path, inside: Bool) -> Bool:
        """A region on the frames."""
        if inside.shape == self.frames.size:
            return inside
        if not inside.all():
            read_label_image(path, self.frames.size)  # says which sizes there are
        return np.ones(self.frames.size, np.bool_)

    def _read(self, path: Path) -> Image:
        gt = read_label_image(path, self.frames.size)
        strange = cv2.LUT(gt, _IS_STRANGE) != 0
        if strange.any():
            problem = f"expected values {', '.join(map(str, KNOWN_VALUES))}, got {gt[strange].min()}"
            raise DatasetError.at(path, "", problem)
        return gt

    def _usable(self) -> dict[int, Path]:
        """Ground-truth files by position, of the frames that have truth."""
        if not self.files:
            raise DatasetError.at(
                self.folder / "groundtruth", "", "no ground truth, expected gt000001.png..."
            )
        first, last = self._temporal_range()
        files = {
            number: path
            for number, path in self.files.items()
            if first <= number <= last and number not in self.unusable
        }
        return by_position(files, self.frames, self.beyond)

    def _temporal_file(self) -> Path:
        return self.folder / "temporalROI.txt"

    def _temporal_range(self) -> tuple[int, int]:
        """First and last frame number with truth, both inclusive."""
        path = self._temporal_file()
        numbers = self.frames.numbers
        if self.temporal_roi == "optional" and not path.exists():
            return int(numbers[0]), int(numbers[-1])
        try:
            text = read_input(path).decode("ascii", "replace")
        except OSError as error:
            raise DatasetError.at(path, "", f"cannot be read: {error.strerror}") from error
        try:
            first, last = map(int, text.split())
        except ValueError as error:
            problem = f"expected the first and the last evaluated frame, got {text[:40]!r}"
            raise DatasetError.at(path, "", problem) from error
        if not 0 <= first <= last:
            raise DatasetError.at(path, "", f"expected 0 <= first <= last, got {first} and {last}")
        return first, last


@dataclass(frozen=True)
class EvaluatedFrame:
    """Truth of one evaluated frame.

    Attributes:
        position: position in the sequence, 0-based.
        foreground: bool (H, W).
        valid: bool (H, W), false where nothing is counted.
    """

    position: int
    foreground: Bool
    valid: Bool


def foreground_and_valid(gt: Image, roi: Bool) -> tuple[Bool, Bool]:
    """Foreground and validity of a CDnet ground-truth image.

    Moving pixels (255) are foreground; static ones (0) and hard shadows (50) are background; pixels outside
    the region of interest (85, or outside ``roi``) and unknown ones (170) are not evaluated.

    Args:
        gt: uint8 (H, W), the dataset's values.
        roi: bool (H, W), the dataset's spatial region of interest.

    Returns:
        ``foreground`` and ``valid``, both bool (H, W).
    """
    valid = roi & (gt != OUTSIDE_ROI) & (gt != UNKNOWN)
    return gt == MOVING, valid


def check_truth(sequence: Sequence) -> None:
    """Find out whether :func:`evaluated_frames` can begin, before anything is made to be measured.

    Raises:
        DatasetError: as there, for the regions of interest in space and time, and the ground truth of the
            first evaluated frame.
    """
    next(evaluated_frames(sequence), None)


def evaluated_frames(sequence: Sequence) -> Iterator[EvaluatedFrame]:
    """Frames on which CDnet's figures of a sequence are computed, in order, read one by one.

    Args:
        sequence: from the reader ``cdnet`` or ``sbi``.

    Raises:
        DatasetError: the sequence is of another reader, or its ground truth cannot be used.
    """
    truth = sequence.truth
    if not isinstance(truth, CdnetTruth):
        raise DatasetError(f"{sequence.name}: read by {sequence.reader}, which has no CDnet ground truth")
    roi = truth.roi()
    for position in truth.evaluated_positions():
        gt = truth(position)
        assert gt is not None  # evaluated positions have a usable file
        yield EvaluatedFrame(position, *foreground_and_valid(gt, roi))
