"""Interface of a labeler: frames of one video in, one evidence array per frame out.

A labeler sees arrays only. Where the frames come from, where the evidence goes and what happens to a
frame that cannot be read is the pipeline's business: a labeler meets readable frames only, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

MOTION_STEPS_PER_PIXEL = 16
"""Motion evidence is stored as uint8 in steps of 1/16 px per frame, saturating at 255/16 = 15.94 px."""


class EvidenceKind(StrEnum):
    """What the numbers of an evidence array mean.

    ``BINARY``: bool (H, W), true where the labeler says foreground.
    ``MOTION``: uint8 (H, W), speed in 1/16 px per frame, saturating (see :func:`encode_motion`).
    ``DISTANCE``: uint8 (H, W), a score of the labeler's own, monotone in "more foreground"; foreground is
    what lies above the labeler's ``neutral`` value.
    """

    BINARY = "binary"
    MOTION = "motion"
    DISTANCE = "distance"


class Settings(BaseModel):
    """Frozen typed settings; unknown keys and NaN are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,  # the recipe's schema and docs/settings.md are made of them
    )


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """One readable frame of a clip.

    Attributes:
        number: frame number as in the dataset's own numbering; two successive frames of a clip may lie
            more than one number apart where frames could not be read.
        image: uint8 (H, W, 3), BGR.
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges, 0-based, half-open.
        regions: float32 (M, 4), ignore regions: there may be objects there that have no box.
    """

    number: int
    image: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    regions: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))


class Clip(Protocol):
    """The readable frames of one video; every ``iter()`` starts again at the first frame."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every frame, in pixels."""

    @property
    def step(self) -> int:
        """Difference between the numbers of neighbouring frames (1 unless the video was subsampled)."""

    def __len__(self) -> int:
        """Number of frames, those that cannot be read included."""

    def __iter__(self) -> Iterator[ClipFrame]: ...

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        """Every n-th frame from the first, as far as these can be read; cheaper than to skip the others."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of one frame.

    Attributes:
        values: (H, W), bool or uint8 as the labeler's kind asks.
        warm_up: true where the labeler does not know the scene: not yet, or because the frame shows another
            one; the mask stage may call such a frame unknown.
        figures: float32 (N,) by name: what the labeler knows of each of the frame's boxes beside its pixels;
            NaN where it knows nothing. Those that its class names, see :func:`box_figures`.
    """

    values: npt.NDArray[np.bool_] | npt.NDArray[np.uint8]
    warm_up: bool = False
    figures: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)


class Labeler(Protocol):
    """Interface of a labeler; entry points of the group ``spotlabel.labelers`` name such classes.

    ``version`` changes whenever the same input and settings would give other evidence; ``libraries`` names
    the distributions whose version matters likewise. Evidence made with another version is stale.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    kind: ClassVar[EvidenceKind]
    neutral: ClassVar[int]
    """Foreground is ``values > neutral``; only read for ``DISTANCE`` evidence, 0 otherwise."""
    uses_boxes: ClassVar[bool]
    """True if evidence depends on boxes or ignore regions, so that changed annotations make it stale."""
    libraries: ClassVar[tuple[str, ...]]
    settings_type: ClassVar[type[Settings]]

    def __init__(self, settings: Settings) -> None: ...

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield exactly one evidence per frame of ``clip``, in order; may read ahead or read twice."""


Content = bytes | Path
"""What a labeler is given of a file: its content. Of a folder: its path, see :class:`FolderRules`."""


@dataclass(frozen=True)
class FolderRules:
    """How a folder stands in for a file of a labeler: several files, some of them too large to be held.

    Whoever runs the labeler notes and hashes the files that count; the labeler opens these by their names,
    and no others.

    Attributes:
        names: of the files that count; all have to be there.
        lacking: of the names in a folder, what it lacks and what to do, in a line; empty if nothing.
        libraries: distributions whose version matters beside the labeler's if a folder is named.
    """

    names: tuple[str, ...]
    lacking: Callable[[Collection[str]], str]
    libraries: tuple[str, ...]


class FileLabeler(Labeler, Protocol):
    """A labeler that is made of files too, of a network's weights, say.

    Whoever runs it reads the files, and their content belongs to what evidence depends on, not their place.
    A class with an attribute ``folders``, a :class:`FolderRules`, also takes folders.
    """

    files: ClassVar[Mapping[str, str]]
    """The settings that are paths of such files; of each what to do if there is none, in half a line."""

    def __init__(self, settings: Settings, files: Mapping[str, Content]) -> None:
        """Make the labeler from its settings and the content of its files, by the name of the setting."""


class TaughtLabeler(FileLabeler, Protocol):
    """A labeler with a network that is taught for the video it labels, or for several.

    Whoever runs it does the training and keeps the network: it has each of these videos studied, by a labeler
    of its own, asks for a lesson, trains what the course says, and gives the network back before it asks for
    evidence.
    """

    taught: ClassVar[bool]
    """True: this is one."""

    def choose(
        self, frames: npt.NDArray[np.integer], xyxy: npt.NDArray[np.float32], tracks: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.intp]:
        """Rows of the boxes that the lesson is about.

        Args:
            frames: int (N,), frame of each box; those of a second video go on where the first one's end.
            xyxy: float32 (N, 4).
            tracks: int (N,), -1 where there is none.
        """

    def study(
        self,
        clip: Clip,
        rows: Rows,
        answers: Answers,
        progress: Callable[[int, int], None],
    ) -> Study:
        """What one video adds to the lesson.

        Args:
            clip: the video.
            rows: the boxes that were chosen.
            answers: what a teacher has said of boxes so far; is added to.
            progress: told of boxes done and in all.
        """

    def lesson(self, studies: Sequence[Study], rows: Sequence[Rows], boxes: int) -> Lesson:
        """What the network is to learn.

        Args:
            studies: of each video.
            rows: the boxes that were chosen of each.
            boxes: how many they have in all.
        """

    def needs_training(self, chosen: int, boxes: int) -> bool:
        """Whether there is anything to learn once the teacher was asked about so many of all boxes."""

    def learn(self, network: bytes, answers: Answers) -> None:
        """Take the taught network, an ONNX file, and what the teacher has said of boxes of the video."""


Rows = Mapping[int, list[int]]
"""Some boxes of a video: of each frame that has such, by its number, their rows."""

Study = Mapping[str, npt.NDArray[Any]]
"""What a video adds to a lesson: arrays that only its labeler understands, by name."""

Answers = MutableMapping[tuple[int, int], list[npt.NDArray[np.uint8]]]
"""What a network said of boxes, by frame number and row of the box in its frame."""


@dataclass(frozen=True)
class Lesson:
    """What a network is to learn, and how.

    Attributes:
        arrays: the material, by name.
        course: how long and how it is trained, by name.
        metadata: entries of the ONNX file that is made of it, each a JSON value.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    course: Mapping[str, int | float | str]
    metadata: Mapping[str, str]


class FiguringLabeler(Labeler, Protocol):
    """A labeler that knows more of a box than evidence can hold, and says it in figures."""

    figures: ClassVar[Mapping[str, int]]
    """Which of :data:`spotlabel.labelers.masks.figures.FIGURES` each evidence has, and the version of how
    they are worked out. Evidence with another version is stale; what the labeler was taught is not."""


def box_figures(labeler: type[Labeler]) -> Mapping[str, int]:
    """The figures of a labeler, see :class:`FiguringLabeler`; most labelers have none."""
    return getattr(labeler, "figures", {})


def is_taught(labeler: type[Labeler]) -> bool:
    """Whether a labeler is a :class:`TaughtLabeler`."""
    return bool(getattr(labeler, "taught", False))


def file_settings(labeler: type[Labeler]) -> Mapping[str, str]:
    """The settings of a labeler that name files, see :class:`FileLabeler`; of most labelers none."""
    return getattr(labeler, "files", {})


def folder_rules(labeler: type[Labeler]) -> FolderRules | None:
    """How the settings of a labeler that name files take folders; None if they do not."""
    return getattr(labeler, "folders", None)


def instance(labeler: type[Labeler], settings: Settings, files: Mapping[str, Content]) -> Labeler:
    """Make a labeler.

    Args:
        labeler: its class.
        settings: its settings.
        files: content of each file that its settings name; not looked at if they name none.
    """
    if file_settings(labeler):
        return cast(type[FileLabeler], labeler)(settings, files)
    return labeler(settings)


def encode_motion(speed: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Quantise a speed map for storage.

    Args:
        speed: float32 (H, W), px per frame, >= 0.

    Returns:
        uint8 (H, W) in 1/16 px per frame, rounded to nearest, saturating at 255.
    """
    return np.minimum(np.rint(speed * MOTION_STEPS_PER_PIXEL), 255).astype(np.uint8)
