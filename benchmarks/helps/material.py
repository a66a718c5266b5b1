"""Labelled frames to train on and to test on, masks exact where that is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.helps.settings import Scene, Variant
from benchmarks.quality.measured import label, recipe_for
from benchmarks.quality.tables import BOX, BOXBG, Data, Method
from spotlabel.detector.data.frames import FrameList
from spotlabel.detector.data.labelled import ClassMap, Labelled, RawFrame, open_labelled
from spotlabel.detector.data.split import Part
from spotlabel.pipeline.measures.quality import true_frame
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.upkeep.plan import items

ONE_CLASS = ClassMap(("object",), merge=True)


@dataclass(frozen=True)
class Exact(Labelled):
    """A video whose masks are its ground truth.

    Attributes:
        sequence: the video, with truth for each frame.
    """

    sequence: Sequence | None = None

    def read(self, index: int, classes: ClassMap) -> RawFrame:
        """As :meth:`Labelled.read`, with the exact mask."""
        assert self.sequence is not None
        exact = true_frame(self.sequence, self.sequence.load().regions, index)
        assert exact is not None  # rendered scenes have truth everywhere
        return replace(super().read(index, classes), mask=exact.foreground.astype(np.uint8))


@dataclass(frozen=True)
class Places:
    """Where things are: the data, and the labels that are made of them."""

    data: Path
    out: Path


def labelled(places: Places, dataset: Data, method: Method, exact: bool) -> Iterator[Labelled]:
    """The videos of a dataset with masks made by a method, made where they are not there."""
    recipe = recipe_for(places.data, places.out, dataset, method)
    chosen = items(recipe)
    label(recipe, chosen, jobs=1)
    for item in chosen:
        video = open_labelled(item.sequence, item.mask_path)
        if exact:
            video = Exact(video.name, video.frames, video.masks, video.attributes, item.sequence)
        yield video


def frames_to_train(places: Places, scene: Scene, variant: Variant) -> FrameList:
    """What a variant is trained on: the same frames for all."""
    parts = []
    for dataset in scene.train:
        found = labelled(places, dataset, variant.masks or BOXBG, variant.masks is None)
        parts += [_part(video, scene.train_frames, scene.every) for video in found]
    return FrameList(tuple(parts), ONE_CLASS, remember=400)


def frames_to_test(places: Places, scene: Scene) -> FrameList:
    """What all are tested on; masks are exact, or the boxes themselves, which tell the ignore regions."""
    found = labelled(places, scene.test, BOX, scene.exact)
    parts = tuple(_part(video, scene.test_frames, scene.every_test) for video in found)
    return FrameList(parts, ONE_CLASS)


def _part(video: Labelled, among: range, every: int) -> Part:
    return Part(video, tuple(index for index in video.usable() if index in among and index % every == 0))
