"""Still pictures as what a run learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spotlabel.detector.contract import Detector
from spotlabel.detector.data.labelled import RawFrame, unknown_outside
from spotlabel.detector.data.loader import LoaderOptions
from spotlabel.detector.data.stills.loader import AspectBatches, StillBatches
from spotlabel.detector.data.stills.picture import Picture, PictureFiles
from spotlabel.detector.data.stills.sample import StillRules
from spotlabel.detector.data.stills.settings import StillsSettings, open_stills
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.store import UNKNOWN

ONLY_VIDEOS = (
    *("classes", "canvas", "crop", "extent", "colour", "ignore_mode", "index_boxes", "every"),
    *("every_held_out", "held_out", "fast_data", "remember"),
)
"""Settings of ``training`` that are about videos; ``stills`` has its own."""

DECIDING = ("short", "long", "mirror", "jitter", "classes", "orientation")
"""Settings of ``stills`` that decide what a network sees, beside the pictures themselves."""


@dataclass(frozen=True)
class StillsAsked:
    """Still pictures that a user wants to train on.

    Attributes:
        settings: which.
        data: folder that relative paths start at.
    """

    settings: StillsSettings
    data: Path


@dataclass(frozen=True)
class HeldPictures:
    """Pictures to validate on, as they lie on disk."""

    files: PictureFiles

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> RawFrame:
        """One picture; all of its mask is unknown where nobody made one.

        Raises:
            FrameError, DatasetError: it cannot be used.
        """
        still = self.files.read(index)
        size = still.image.shape[:2]
        mask = np.full(size, UNKNOWN, np.uint8) if still.mask is None else still.mask
        hidden = np.zeros(size, np.bool_) if still.mask is None else unknown_outside(mask, still.boxes)
        for x0, y0, x1, y1 in np.rint(still.ignore).astype(int).clip(0).tolist():
            hidden[y0:y1, x0:x1] = True
        return RawFrame(still.image, mask, still.boxes, still.class_id, hidden)

    def title(self, index: int) -> str:
        """Name of the image file."""
        return self.files.pictures[index].path.stem


@dataclass(frozen=True)
class StillMaterial:
    """Still pictures; see :class:`spotlabel.detector.training.material.Material`.

    Attributes:
        settings: how they are trained on.
        asked: which they are.
        spec: the detector.
        train: pictures to train on.
        held_out: pictures to validate on.
    """

    settings: TrainingSettings
    asked: StillsSettings
    spec: ModelSpec
    train: PictureFiles
    held_out: HeldPictures

    @property
    def count(self) -> int:
        """Number of pictures to train on."""
        return len(self.train)

    def split(self) -> dict[str, Any]:
        """How many pictures are on both sides, and why."""
        every = f"one in {self.asked.every_held_out} pictures of stills.train"
        rule = "the parts of stills.held_out" if self.asked.held_out else every
        return {"train": self.count, "held_out": len(self.held_out), "rule": rule}

    def identity(self) -> Mapping[str, Any]:
        """What is annotated, and how large pictures are seen."""
        asked = self.asked.model_dump(mode="json", include={*DECIDING})
        sides = (self.train.pictures, self.held_out.files.pictures)
        return {"stills": asked, "annotations": [_digest(pictures) for pictures in sides]}

    def notes(self, network: Detector) -> list[str]:
        """How many pictures have no mask, if an attention learns from masks."""
        without = sum(picture.mask is None for picture in self.train.pictures)
        if not without or not any(attention.foreground for attention in network.attentions.values()):
            return []
        return [f"{without} of {self.count} pictures to train on have no mask: none is compared with theirs"]

    def check(self, network: Detector) -> None:
        """Pictures are padded to whatever the network needs."""

    def batches(self, network: Detector, group: Group) -> StillBatches:
        """Whole pictures, those of alike aspect together."""
        settings, asked = self.settings, self.asked
        order = AspectBatches(
            self.train.sizes(), settings.batch, settings.seed, rank=group.rank, world=group.world
        )
        rules = StillRules(
            short=asked.short,
            long=asked.long,
            multiple=network.multiple,
            colours=network.colours,
            mirror=asked.mirror,
            jitter=asked.jitter,
            seed=settings.seed,
        )
        options = LoaderOptions(settings.workers, start_method=settings.start_method)
        return StillBatches(self.train, order, rules, group.device, options, held=self.held_out)


def open_stills_material(asked: StillsAsked, settings: TrainingSettings) -> StillMaterial:
    """List pictures and their annotations, and split them.

    Raises:
        DatasetError: a part cannot be used.
        TrainingError: a wanted class that no part has, or nothing to train or to validate on.
    """
    wanted = asked.settings
    train, classes = open_stills(wanted.train, wanted.classes, asked.data, wanted.orientation)
    if wanted.held_out:
        held_out, _ = open_stills(wanted.held_out, classes, asked.data, wanted.orientation)
    else:
        every = wanted.every_held_out
        held_out = PictureFiles(train.pictures[every - 1 :: every])
        train = PictureFiles([p for k, p in enumerate(train.pictures) if k % every != every - 1])
    for side, files in (("train", train), ("validate", held_out)):
        if not any(len(picture.boxes) for picture in files.pictures):
            raise TrainingError(
                f"the pictures to {side} on hold no object of the classes {', '.join(classes.names)}; choose "
                "other stills.held_out, stills.every_held_out or stills.classes"
            )
    spec = ModelSpec(
        preset=settings.preset,
        backbone=settings.backbone,
        class_names=classes.names,
        options=settings.options,
        sides=(wanted.short, wanted.long),
    )
    return StillMaterial(settings, wanted, spec, train, HeldPictures(held_out))


def _digest(pictures: Sequence[Picture]) -> str:
    """Of what is known of pictures without reading them."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.path.name} {picture.size} {picture.mask is None}".encode())
        for array in (picture.boxes, picture.class_id, picture.ignore):
            digest.update(array.tobytes() + b"|")
    return digest.hexdigest()
