"""Videos with their sealed masks, and which of their frames are trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.sequence import FrameSource, Sequence
from spotlabel.pipeline.store import UNKNOWN, MaskReader
from spotlabel.pipeline.store.schema import FrameState

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class RawFrame:
    """One labelled frame as it lies on disk.

    Attributes:
        image: uint8 (H, W, 3) BGR.
        mask: uint8 (H, W), 0 background, 1 foreground, 255 unknown.
        boxes: float32 (N, 4), x0, y0, x1, y1 in pixel edges.
        class_id: int64 (N,), index into the detector's class names.
        hidden: bool (H, W), where objects may stand that nobody annotated; None if these are the unknown
            pixels outside all boxes.
    """

    image: UInt8
    mask: UInt8
    boxes: npt.NDArray[np.float32]
    class_id: npt.NDArray[np.int64]
    hidden: npt.NDArray[np.bool_] | None = None

    def unlabelled(self) -> npt.NDArray[np.bool_]:
        """Where objects may stand that nobody annotated: bool (H, W)."""
        return unknown_outside(self.mask, self.boxes) if self.hidden is None else self.hidden


class Held(Protocol):
    """Pictures that are held out, under one index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> RawFrame:
        """One picture with all that is known of it.

        Raises:
            SpotlabelError: it cannot be read.
        """

    def title(self, index: int) -> str:
        """What it is called."""


def unknown_outside(mask: UInt8, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Unknown pixels of a mask (H, W) outside all boxes (N, 4): bool (H, W)."""
    unknown: npt.NDArray[np.bool_] = mask == UNKNOWN
    for x0, y0, x1, y1 in np.rint(boxes).astype(int).clip(0).tolist():
        unknown[y0:y1, x0:x1] = False
    return unknown


@dataclass(frozen=True)
class Labelled:
    """One video with its masks; frames and store agree on numbers and size.

    Attributes:
        name: the sequence's name.
        frames: where the images come from.
        masks: the sealed mask store, with the boxes it was made from.
        attributes: what the dataset says of the whole video (weather...).
    """

    name: str
    frames: FrameSource
    masks: MaskReader
    attributes: tuple[tuple[str, str], ...] = ()

    def read(self, index: int, classes: ClassMap) -> RawFrame:
        """The frame at a position.

        Raises:
            FrameError: the image cannot be read.
            StoreError: the store is damaged.
        """
        boxes = self.masks.boxes
        class_id = classes.indices(self.masks.class_names)[boxes.class_id[boxes.rows(index)]]
        kept = class_id >= 0
        return RawFrame(
            image=self.frames.read(index),
            mask=self.masks.read(index),
            boxes=boxes.at(index)[kept],
            class_id=class_id[kept],
        )

    def objects(self, indices: Iterable[int], classes: ClassMap) -> int:
        """Boxes of a detector's classes in the frames at some positions."""
        boxes = self.masks.boxes
        wanted = classes.indices(self.masks.class_names)[boxes.class_id] >= 0
        return sum(int(wanted[boxes.rows(index)].sum()) for index in indices)

    def usable(self, every: int = 1) -> list[int]:
        """Positions of the frames that have an image and whose masks are past their warm-up.

        Args:
            every: keep frames whose number is divisible by this (the papers' "1 in 10").
        """
        good = (self.masks.state == FrameState.OK) & (self.masks.numbers % every == 0)
        return [int(index) for index in np.flatnonzero(good)]


@dataclass(frozen=True)
class ClassMap:
    """From a dataset's class names to a detector's channels.

    Attributes:
        names: the detector's class names.
        merge: every class is the one class ``names[0]``, as in the published models.
    """

    names: tuple[str, ...]
    merge: bool = False

    def indices(self, own: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Channel of each of a dataset's classes, int64; -1 for those that the detector leaves out."""
        if self.merge:
            return np.zeros(max(len(own), 1), np.int64)
        return np.array([self.names.index(n) if n in self.names else -1 for n in own] or [-1], np.int64)


def class_map(videos: Iterable[Labelled], wanted: str | tuple[str, ...]) -> ClassMap:
    """Classes of a detector.

    Args:
        videos: what will be trained on.
        wanted: ``one`` (all classes are "object"), ``all`` (every class of the videos, in order of
            appearance), or the names to keep.

    Raises:
        StoreError: a name that no video has.
    """
    if wanted == "one":
        return ClassMap(("object",), merge=True)
    known = list(dict.fromkeys(name for video in videos for name in video.masks.class_names))
    if wanted == "all":
        return ClassMap(tuple(known))
    for name in wanted:
        if name not in known:
            raise StoreError(f"training.classes: no video has the class {name!r} (known: {', '.join(known)})")
    return ClassMap(tuple(wanted))


def open_labelled(sequence: Sequence, path: Path) -> Labelled:
    """Open a video for training.

    Args:
        sequence: the video.
        path: its mask store.

    Raises:
        StoreError: the store is missing, damaged or empty, or was made from other frames.
        FrameError, DatasetError: the frames cannot be listed.
    """
    masks = MaskReader(path)
    own, frames = masks.numbers, sequence.frames
    if masks.sequence != sequence.name:
        raise StoreError(f"{path}: holds masks of {masks.sequence!r}, expected {sequence.name!r}")
    if not len(own):
        raise StoreError(f"{path}: holds no frame; there is nothing to train on")
    if not np.array_equal(own, frames.numbers):
        raise StoreError(
            f"{path}: masks of frames {_span(own)}, but {sequence.name} has frames {_span(frames.numbers)}; "
            "run `spotlabel label` again"
        )
    if masks.size != frames.size:
        raise StoreError(
            f"{path}: masks of {masks.size[1]}x{masks.size[0]} pixels, but the frames of {sequence.name} "
            f"have {frames.size[1]}x{frames.size[0]}; run `spotlabel label` again"
        )
    return Labelled(sequence.name, frames, masks, tuple(sorted(sequence.attributes.items())))


def _span(numbers: npt.NDArray[np.int64]) -> str:
    return f"{numbers[0]} to {numbers[-1]} ({len(numbers)})" if len(numbers) else "none"
