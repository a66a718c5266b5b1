"""Labelled videos as what a run learns from."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlabel.detector.contract import Detector
from spotlabel.detector.data.frames import EpochBatches, FrameList, SampleRules
from spotlabel.detector.data.labelled import ClassMap, class_map, open_labelled
from spotlabel.detector.data.loader import Batches, LoaderOptions
from spotlabel.detector.data.split import Split, split_videos
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store.seal import read_seal


@dataclass(frozen=True)
class VideoMaterial:
    """Frames of videos with sealed masks; see :class:`spotlabel.detector.training.material.Material`.

    Attributes:
        settings: how they are trained on.
        stores: the mask store of each video.
        videos: which frames of which videos are trained on, and which are held out.
        spec: the detector.
        train: frames to train on.
        held_out: frames to validate on.
    """

    settings: TrainingSettings
    stores: Mapping[str, Path]
    videos: Split
    spec: ModelSpec
    train: FrameList
    held_out: FrameList

    @property
    def count(self) -> int:
        """Number of frames to train on."""
        return len(self.train)

    def split(self) -> dict[str, Any]:
        """The videos and frames of both sides."""
        return self.videos.as_data()

    def identity(self) -> Mapping[str, Any]:
        """The seals of the masks."""
        return {"masks": {name: read_seal(path).rstrip(b"\0").decode() for name, path in self.stores.items()}}

    def notes(self, network: Detector) -> list[str]:
        """Videos whose frames are slow to read in random order."""
        parts = (*self.videos.train, *self.videos.held_out)
        videos = {part.video.name: part.video for part in parts}
        return [
            f"{name}: a video file; reading its frames in random order is slow: extract them "
            "into a folder of images, or set training.remember to the number of frames"
            for name, video in videos.items()
            if len(video.frames.files()) == 1 < len(video.masks)
        ]

    def check(self, network: Detector) -> None:
        """Refuse a canvas that the network cannot look at."""
        height, width = self.settings.canvas
        if height % network.multiple or width % network.multiple:
            raise TrainingError(
                f"training.canvas: {height}x{width}: {self.spec.preset} on {self.spec.backbone} needs "
                f"multiples of {network.multiple}"
            )

    def batches(self, network: Detector, group: Group) -> Batches:
        """Random views of the frames on one canvas."""
        settings = self.settings
        order = EpochBatches(
            len(self.train), settings.batch, settings.seed, rank=group.rank, world=group.world
        )
        names = ("canvas", "crop", "extent", "colour", "ignore_mode", "index_boxes", "seed")
        rules = SampleRules(**{name: getattr(settings, name) for name in names}, colours=network.colours)
        options = LoaderOptions(settings.workers, settings.fast_data, settings.start_method)
        return Batches(self.train, order, rules, group.device, options, held=self.held_out)


def open_videos(videos: Seq[tuple[Sequence, Path]], settings: TrainingSettings) -> VideoMaterial:
    """Open videos and their masks, and split them.

    Args:
        videos: sequences with the paths of their mask stores.
        settings: how they will be trained on.

    Raises:
        TrainingError: there is nothing to train on, or nothing to validate on.
        StoreError: masks that do not fit their frames.
    """
    opened = [open_labelled(sequence, masks) for sequence, masks in videos]
    split = split_videos(
        opened, settings.held_out, every=settings.every, every_held_out=settings.every_held_out
    )
    classes = class_map(opened, settings.classes)
    _check_objects(split, classes)
    spec = ModelSpec(
        preset=settings.preset,
        backbone=settings.backbone,
        class_names=classes.names,
        options=settings.options,
    )
    return VideoMaterial(
        settings,
        {sequence.name: masks for sequence, masks in videos},
        split,
        spec,
        FrameList(split.train, classes, settings.remember),
        FrameList(split.held_out, classes, settings.remember),
    )


def _check_objects(split: Split, classes: ClassMap) -> None:
    for side, parts in (("to train on", split.train), ("to validate on", split.held_out)):
        if not any(part.video.objects(part.indices, classes) for part in parts):
            raise TrainingError(
                f"the frames {side} hold no object of the classes {', '.join(classes.names)}; choose other "
                "training.held_out, training.every or training.classes"
            )
