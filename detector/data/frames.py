"""Samples for a loader: which frame, seen how, for every step of every epoch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset, Sampler

from spotlabel.detector.data.colour import CENTERNET_COLOURS, Colours
from spotlabel.detector.data.labelled import ClassMap, RawFrame
from spotlabel.detector.data.samples import IgnoreMode, Sample, make_sample
from spotlabel.detector.data.split import Part
from spotlabel.detector.data.views import Rng, View, jittered_view, letterbox_view, random_view, rng_of
from spotlabel.pipeline.errors import SpotlabelError


class Crop(StrEnum):
    """How a training image comes to the canvas."""

    RANDOM = "random"
    """A random zoom around a random centre, mirrored half of the time: the published augmentation."""
    JITTERED = "jittered"
    """The whole image, slightly moved and zoomed, mirrored half of the time."""
    WHOLE = "whole"
    """The whole image as it is; no augmentation."""


class Key(NamedTuple):
    """One sample of one epoch; everything random about it follows from the key and the seed."""

    epoch: int
    frame: int


@dataclass(frozen=True)
class SampleRules:
    """How samples are made.

    Attributes:
        canvas: height and width of the network's input.
        crop: see :class:`Crop`.
        extent: share of an image that the canvas shows at zoom 1 (random crops only).
        colour: jitter brightness, contrast, saturation and lighting.
        ignore_mode: see :class:`spotlabel.detector.data.samples.IgnoreMode`.
        index_boxes: mirror boxes as the published code did, one pixel off; see
            :class:`spotlabel.detector.data.views.View`.
        seed: of all that is random.
        colours: how colours become the network's input.
    """

    canvas: tuple[int, int]
    crop: Crop = Crop.RANDOM
    extent: float = 1.0
    colour: bool = True
    ignore_mode: IgnoreMode = IgnoreMode.NONE
    index_boxes: bool = False
    seed: int = 0
    colours: Colours = CENTERNET_COLOURS

    def view(self, size: tuple[int, int], rng: Rng) -> View:
        """How an image of ``size`` (H, W) comes to the canvas."""
        return replace(self._view(size, rng), index_boxes=self.index_boxes)

    def _view(self, size: tuple[int, int], rng: Rng) -> View:
        if self.crop is Crop.RANDOM:
            return random_view(size, self.canvas, rng, self.extent)
        if self.crop is Crop.JITTERED:
            return jittered_view(size, self.canvas, rng)
        return letterbox_view(size, self.canvas)


class Raw(NamedTuple):
    """A frame that has not been warped yet, and how it is to be: what the fast path sends to the device.

    Attributes:
        frame: as it was read.
        view: how it comes to the canvas.
        boxes: float32 (N, 4), the frame's boxes in pixels of the canvas, not clipped.
        rng: draws the colour jitter.
    """

    frame: RawFrame
    view: View
    boxes: npt.NDArray[np.float32]
    rng: Rng


class FrameList:
    """Frames of several videos under one index; readers are opened in the process that reads.

    Args:
        parts: videos with the positions to use.
        classes: the detector's classes.
        remember: keep this many decoded frames in memory, per process; the latest are kept.
    """

    def __init__(self, parts: tuple[Part, ...], classes: ClassMap, remember: int = 0) -> None:
        self.parts = parts
        self.classes = classes
        self.remember = remember
        self._ends = np.cumsum([len(part.indices) for part in parts])
        self._known: OrderedDict[int, RawFrame] = OrderedDict()

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> RawFrame:
        if index in self._known:
            return self._known[index]
        part, position = self.place(index)
        frame = part.video.read(position, self.classes)
        if self.remember:
            self._known[index] = frame
            while len(self._known) > self.remember:
                self._known.popitem(last=False)
        return frame

    def title(self, index: int) -> str:
        """What a frame is called: its video, and its number there."""
        part, position = self.place(index)
        return f"{part.video.name} {part.video.masks.numbers[position]}"

    def place(self, index: int) -> tuple[Part, int]:
        """Video of an index, and the position in it."""
        k = int(np.searchsorted(self._ends, index, side="right"))
        first = int(self._ends[k - 1]) if k else 0
        return self.parts[k], self.parts[k].indices[index - first]


class ParitySamples(Dataset[Sample | SpotlabelError]):
    """Whole samples made on the CPU: the published augmentation, value by value.

    A frame that cannot be read comes as the error that says why: raised in a loader process, it would reach
    the user wrapped in two tracebacks.
    """

    def __init__(self, frames: FrameList, rules: SampleRules) -> None:
        self.frames, self.rules = frames, rules

    def __getitem__(self, key: Key) -> Sample | SpotlabelError:
        try:
            frame = self.frames[key.frame]
        except SpotlabelError as error:
            return error
        rules = self.rules
        rng = rng_of(rules.seed, *key)
        view = rules.view(_size(frame), rng)
        return make_sample(
            frame.image,
            frame.mask,
            frame.boxes,
            frame.class_id,
            view=view,
            rng=rng if rules.colour else None,
            ignore_mode=rules.ignore_mode,
            colours=rules.colours,
        )


class RawSamples(Dataset[Raw | SpotlabelError]):
    """Frames and views only; :mod:`spotlabel.detector.data.device` does the rest where the network is.

    Errors as in :class:`ParitySamples`.
    """

    def __init__(self, frames: FrameList, rules: SampleRules) -> None:
        self.frames, self.rules = frames, rules

    def __getitem__(self, key: Key) -> Raw | SpotlabelError:
        try:
            frame = self.frames[key.frame]
        except SpotlabelError as error:
            return error
        rng = rng_of(self.rules.seed, *key)
        view = self.rules.view(_size(frame), rng)
        boxes = view.boxes(frame.boxes, frame.image.shape[1]).astype(np.float32)
        return Raw(frame, view, boxes, rng)


class EpochBatches(Sampler[list[Key]]):
    """Batches of one epoch, shuffled by seed and epoch, the same for any number of loader processes.

    Args:
        frames: number of frames.
        batch: samples per batch and process; an incomplete last batch is left out.
        seed: of the order.
        rank: this process among ``world``; each takes every ``world``-th sample.
        world: number of processes that train together.
    """

    def __init__(self, frames: int, batch: int, seed: int, *, rank: int = 0, world: int = 1) -> None:
        self.frames, self.batch, self.seed, self.rank, self.world = frames, batch, seed, rank, world
        self.epoch = 0
        self.first = 0

    def start(self, epoch: int, first: int = 0) -> None:
        """Choose the epoch, and the batch to begin with (what came before it was trained on already)."""
        self.epoch, self.first = epoch, first

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return self.frames // (self.batch * self.world)

    def __iter__(self) -> Iterator[list[Key]]:
        order = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, self.epoch))))
        shuffled = order.permutation(self.frames)[self.rank :: self.world]
        for number in range(self.first, len(self)):
            chosen = shuffled[number * self.batch : (number + 1) * self.batch]
            yield [Key(self.epoch, int(index)) for index in chosen]


def _size(frame: RawFrame) -> tuple[int, int]:
    return int(frame.image.shape[0]), int(frame.image.shape[1])
