"""Which still pictures to train on (recipe section ``stills``)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from spotlabel.detector.data.labelled import ClassMap
from spotlabel.detector.data.stills.coco import read_coco_set
from spotlabel.detector.data.stills.picture import Picture, PictureFiles
from spotlabel.detector.data.stills.sbd import sbd_pictures
from spotlabel.detector.data.stills.voc import voc_pictures
from spotlabel.detector.data.stills.voc_tree import VOC_CLASSES
from spotlabel.detector.errors import TrainingError
from spotlabel.pipeline.validation import nearest

Wanted = Literal["one", "all"] | tuple[str, ...]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class VocPart(_Section):
    """Pictures of a VOCdevkit year."""

    reader: Literal["voc"]
    """The folders of a VOCdevkit year."""
    root: Path
    """Folder of the year; like all paths here relative to ``data``."""
    split: str
    """List of ``ImageSets/Main``."""
    names: tuple[str, ...] = VOC_CLASSES
    """Classes that annotation files may name."""
    sbd: Path | None = None
    """``benchmark_RELEASE``, for masks of its pictures."""


class SbdPart(_Section):
    """Pictures of SBD alone, with boxes around its objects."""

    reader: Literal["sbd"]
    """SBD's own pictures and outlines."""
    root: Path
    """Its folder ``benchmark_RELEASE``."""
    split: str
    """List of ``dataset``, ``train`` or ``val``."""


class CocoPart(_Section):
    """Pictures of a COCO annotations file."""

    reader: Literal["coco"]
    """A COCO annotations file and its images."""
    annotations: Path
    """The JSON file."""
    images: Path
    """Folder that ``file_name`` is relative to."""
    only: Path | None = None
    """List of the pictures to take."""
    without: Path | None = None
    """List of pictures to leave out."""


Part = Annotated[VocPart | SbdPart | CocoPart, Field(discriminator="reader")]


class StillsSettings(_Section):
    """Still pictures, and how large a network sees them. The defaults are Faster R-CNN's for VOC."""

    train: tuple[Part, ...] = Field(min_length=1)
    """Parts to train on, one after the other."""
    held_out: tuple[Part, ...] = ()
    """Parts to validate on after each epoch; without any, pictures of ``train``, see ``every_held_out``."""
    every_held_out: int = Field(default=50, ge=2)
    """One in so many pictures of ``train`` is held out where ``held_out`` names none."""
    test: tuple[Part, ...] = ()
    """Parts that ``detect`` looks at; those of ``held_out`` if there are none."""
    classes: Wanted = "all"
    """``one`` class "object", ``all`` of the parts', or the names to keep."""
    short: int = Field(default=600, ge=32)
    """Pixels of the shorter side, in training and detection."""
    long: int = Field(default=1000, ge=32)
    """Most pixels of the longer side; where it would have more, the picture is made smaller."""
    mirror: bool = True
    """Mirror half of the pictures."""
    jitter: bool = False
    """Jitter colours."""
    orientation: Literal["upright", "stored"] = "upright"
    """Pictures as their EXIF orientation says they are to be seen, or as stored; boxes have to fit."""


def open_stills(
    parts: Iterable[Part],
    wanted: Wanted | ClassMap,
    data: Path,
    orientation: Literal["upright", "stored"] = "upright",
) -> tuple[PictureFiles, ClassMap]:
    """Pictures of some parts, and the detector's classes.

    Args:
        parts: where the pictures come from.
        wanted: see :attr:`StillsSettings.classes`, or the classes themselves.
        data: folder that relative paths start at.
        orientation: see :attr:`StillsSettings.orientation`.

    Raises:
        DatasetError: a part cannot be used.
        TrainingError: a wanted class that no part has.
    """
    opened = [_Opened(part, data) for part in parts]
    classes = _classes(list(dict.fromkeys(name for part in opened for name in part.class_names)), wanted)
    pictures = [picture for part in opened for picture in part.pictures(classes)]
    return PictureFiles(pictures, orientation), classes


class _Opened:
    """A part whose classes are known."""

    def __init__(self, part: VocPart | SbdPart | CocoPart, data: Path) -> None:
        self.part, self.data = part, data
        self.coco = read_coco_set(data / part.annotations) if isinstance(part, CocoPart) else None

    @property
    def class_names(self) -> tuple[str, ...]:
        if self.coco:
            return self.coco.class_names
        return self.part.names if isinstance(self.part, VocPart) else VOC_CLASSES

    def pictures(self, classes: ClassMap) -> list[Picture]:
        part, data = self.part, self.data
        if isinstance(part, VocPart):
            sbd = data / part.sbd if part.sbd else None
            return voc_pictures(data / part.root, part.split, classes, names=part.names, sbd=sbd)
        if isinstance(part, SbdPart):
            return sbd_pictures(data / part.root, part.split, classes)
        assert self.coco is not None
        only, without = (data / path if path else None for path in (part.only, part.without))
        return self.coco.pictures(data / part.images, classes, only, without)


def _classes(known: list[str], wanted: Wanted | ClassMap) -> ClassMap:
    if isinstance(wanted, ClassMap):
        return wanted
    if wanted == "one":
        return ClassMap(("object",), merge=True)
    if wanted == "all":
        return ClassMap(tuple(known))
    for name in wanted:
        if name not in known:
            raise TrainingError(f"stills.classes: no part has the class {name!r}; {nearest(name, known)}")
    return ClassMap(tuple(wanted))
