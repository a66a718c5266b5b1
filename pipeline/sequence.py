"""One video of a dataset: its frames, its boxes, and what the annotators said about both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxTable, RegionTable
from spotlabel.pipeline.errors import FrameError

Image = npt.NDArray[np.uint8]


class Camera(StrEnum):
    """Whether the camera stands still; decides which labeler is used by default."""

    FIXED = "fixed"
    MOVING = "moving"


class FrameSource(Protocol):
    """Frames of one video. Opening is lazy: building a source reads no pixels.

    Positions (``index``) run from 0 to ``len - 1``; ``numbers[index]`` is the dataset's own frame number.
    A number that the dataset skips still has a position, and reading it raises
    :class:`spotlabel.pipeline.errors.FrameError`.
    """

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, of the first frame that can be read."""

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Frame numbers, int64 (T,), strictly rising with a constant step."""

    @property
    def step(self) -> int:
        """Difference between neighbouring frame numbers, >= 1."""

    def __len__(self) -> int: ...

    def files(self) -> list[Path]:
        """Every file whose bytes decide the frames, in frame order; empty for rendered frames."""

    def identity(self) -> Mapping[str, object]:
        """JSON-able facts beside the files' bytes that decide the frames (numbering, scene settings...)."""

    def read(self, index: int) -> Image:
        """Frame at a position as uint8 (H, W, 3) BGR.

        Raises:
            FrameError: the frame is missing, cannot be decoded whole, or has another size or pixel format.
        """

    def stream(self, every: int = 1) -> Iterator[Image | FrameError]:
        """Every n-th frame from the first, in order; in place of an unreadable one the error with why."""


@dataclass(frozen=True)
class Annotations:
    """Everything the annotation files say about one sequence of T frames.

    Attributes:
        boxes: boxes of the T frames, clipped to the image.
        regions: ignore regions of the T frames; objects there are not labelled, so pixels are unknown.
        class_names: names the ``class_id`` column points into.
        native_origin: the dataset's own coordinate of the left and top image edge (0.5 for UA-DETRAC,
            1 for MOT, 0 elsewhere): native = ours + native_origin.
        clipped: number of boxes that were cut at the image border.
        dropped: number of boxes with no area left inside the image, or that a reader's rule leaves out.
        listed: bool (T,), frames that the files speak of: by name where the format names frames (COCO, XML),
            else by a box or an ignore region of their own; None where that says nothing.
        annotated: bool (T,), frames in which somebody looked for objects; None if that is all of them. A
            frame that was not annotated may hold objects anywhere: its mask is unknown.
    """

    boxes: BoxTable
    regions: RegionTable
    class_names: tuple[str, ...]
    native_origin: float = 0.0
    clipped: int = 0
    dropped: int = 0
    listed: npt.NDArray[np.bool_] | None = None
    annotated: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Sequence:
    """One video with its annotations, both read lazily.

    Attributes:
        name: the dataset's name for it; data, never used as a path.
        frames: where the frames come from.
        camera: fixed or moving.
        annotation_files: every file whose bytes decide the annotations.
        reader: name and version of the rules that read it, for example ``"ua-detrac 1"``.
        load: parses the annotation files; raises :class:`spotlabel.pipeline.errors.DatasetError` for
            unusable ones.
        attributes: what the dataset says of the whole video (weather, time of day...).
        derived_boxes: true if the boxes come from ground-truth pixels and no annotator drew them.
        truth: reads the exact or annotated pixel mask of a position, where the dataset has one: uint8
            (H, W), in the dataset's own values; None where it has none.
        names_frames: the annotation files name the annotated frames, and may leave out some (COCO).
        annotated_file: file of the numbers of the annotated frames, if the recipe names one.
        problem: one line that says why the sequence cannot be used at all; empty if it can. One that cannot
            is listed all the same, so that it fails by its name while the others are made: whatever is asked
            of its frames, and ``load``, raise :class:`spotlabel.pipeline.errors.DatasetError`.
    """

    name: str
    frames: FrameSource
    camera: Camera
    annotation_files: tuple[Path, ...]
    reader: str
    load: Callable[[], Annotations]
    attributes: Mapping[str, str] = field(default_factory=dict)
    derived_boxes: bool = False
    truth: Callable[[int], Image | None] | None = None
    names_frames: bool = False
    annotated_file: Path | None = None
    problem: str = ""
