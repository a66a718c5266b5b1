"""CVAT layout: image folders with a CVAT XML 1.1 file each (see ``cvat_xml``).

``annotations.xml`` with the folder ``images`` beside it, in the root or in a folder per sequence, or
``<sequence>.xml`` beside the folder ``<sequence>``. A file for images names them, and its images are the
frames. A file for video counts them: frame k is the one called ``frame_00000k``, or else the k-th in the
order of the names. Listing parses the whole file once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from os.path import isfile  # says no to a name that no file can have, where Path raises
from pathlib import Path, PurePosixPath

import numpy as np

from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.cvat_xml import ORIGIN, ROOT, CvatFile, CvatImage, read_cvat
from spotlabel.pipeline.datasets.image_names import ImageNames
from spotlabel.pipeline.datasets.image_tree import IMAGE_SUFFIXES
from spotlabel.pipeline.datasets.layout import OwnDataOptions, entries, folders, held, natural_key, subfolders
from spotlabel.pipeline.datasets.native import NativeRects
from spotlabel.pipeline.datasets.sax import outermost
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

NAME = "cvat"
VERSION = 1
DEFAULT_FILE = "annotations.xml"
_FRAME_NAME = re.compile(r"frame_([0-9]{6,15})", re.IGNORECASE)


class CvatOptions(OwnDataOptions):
    """Options of the CVAT reader; paths are relative to the root or absolute."""

    annotations: Path | None = None
    """The XML file; those in the root and its folders if not set."""
    images: Path | None = None
    """Folder that the names of images are relative to; if not set ``images`` beside the XML file, the folder
    of its name, or its own folder."""
    strip_prefix: str = ""
    """What to cut off in front of every name of an image."""


@dataclass(frozen=True)
class _Found:
    """One sequence of a file: path of every frame number, those that are missing, elements ``image``."""

    file: CvatFile
    there: dict[int, Path] = field(default_factory=dict)
    absent: dict[int, Path] = field(default_factory=dict)
    images: list[CvatImage] = field(default_factory=list)


def list_sequences(root: Path, options: ReaderOptions, frame_options: FrameOptions) -> list[Sequence]:
    """Sequences of all CVAT files; listed images that do not exist are missing frames.

    Raises:
        DatasetError: there is no CVAT file. A file that cannot be used, or whose images cannot be found, is a
            sequence with a ``problem`` and stops no other.
    """
    assert isinstance(options, CvatOptions)
    found: dict[str, _Found | DatasetError] = {}
    for xml in _xml_files(root, options):
        own = xml.parent.absolute().name if xml.name == DEFAULT_FILE else xml.stem
        try:
            parts = _parts(xml, own, root, options)
        except DatasetError as error:
            parts = {own: error}
        for name, part in parts.items():
            twice = DatasetError.at(xml, "", f"a second sequence of the name {name[:80]!r}", "rename one")
            found[name] = twice if name in found else part

    def sequence(name: str) -> Sequence:
        part = found[name]
        if isinstance(part, DatasetError):
            raise part
        return _sequence(name, part, options, frame_options)

    return one_by_one(sorted(found, key=natural_key), f"{NAME} {VERSION}", sequence)


READER = Reader(NAME, VERSION, CvatOptions, list_sequences)


def _xml_files(root: Path, options: CvatOptions) -> list[Path]:
    base = folders(root, None, "root", ["."])[0]
    if options.annotations is not None:
        return [base / options.annotations]
    held_by = [base, *subfolders(base)]
    files = [path for folder in held_by for path in _files(folder) if path.suffix.lower() == ".xml"]
    cvat = [path for path in files if outermost(path) == ROOT]
    if not cvat:
        problem = f"no CVAT XML file here or in a folder; here is {held(base)}"
        raise DatasetError.at(root, "", problem, "export the task as CVAT for images 1.1 or for video 1.1")
    return cvat


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in entries(folder) if path.is_file()) if folder.is_dir() else iter(())


def _parts(xml: Path, own: str, root: Path, options: CvatOptions) -> dict[str, _Found | DatasetError]:
    """Sequences of one file; in a file for images those whose names have one folder."""
    file = read_cvat(xml)
    places = (xml.with_name("images"), xml.with_suffix(""), xml.parent)
    base = next(place for place in places if place.is_dir())
    if options.images is not None:
        base = folders(root, options.images, "images", [])[0]
    if not file.images:
        return {own: _Found(file, _counted(file, base))}
    names = ImageNames(xml, list(dict.fromkeys([base, xml.parent, root])), options.strip_prefix)
    parts: dict[str, _Found] = {}
    for image in file.images:
        folder = str(PurePosixPath(names.relative(image.name)).parent)
        part = parts.setdefault(own if folder == "." else folder, _Found(file))
        path = _with_ending(names.path(image.name, f"line {image.line}: image"))
        (part.there if isfile(path) else part.absent)[image.number] = path
        part.images.append(image)
    return {name: part if part.there else _nothing(part, names) for name, part in parts.items()}


def _nothing(part: _Found, names: ImageNames) -> DatasetError:
    image = part.images[0]
    looked = names.looked_for(image.name, f"line {image.line}: image")
    return DatasetError.at(
        part.file.path, "", f"none of {len(part.images)} images is there; looked for {looked}"
    )


def _with_ending(path: Path) -> Path:
    """The image of a name that CVAT wrote without its ending, as it does for the frames of videos."""
    candidates = (Path(f"{path}{ending}") for s in IMAGE_SUFFIXES for ending in (s, s.upper()))
    return path if isfile(path) else next((c for c in candidates if isfile(c)), path)


def _counted(file: CvatFile, base: Path) -> dict[int, Path]:
    """Images of a file that counts its frames."""
    images = [path for path in _files(base) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise DatasetError.at(file.path, "", f"no images in {base}, which holds {held(base)}")
    named = [_FRAME_NAME.fullmatch(path.stem) for path in images]
    if all(named):
        return {int(match[1]): path for match, path in zip(named, images, strict=True) if match}
    numbers = file.task.frames(file.path) or range(len(images))
    if len(numbers) != len(images):
        problem = f"is of {len(numbers)} frames, but {base} holds {len(images)} images"
        advice = "put the images of the task there, or export CVAT for images, which names them"
        raise DatasetError.at(file.path, "meta", problem, advice)
    order = sorted(images, key=lambda path: os.fsencode(path.name))
    return dict(zip(numbers, order, strict=True))


def _sequence(name: str, part: _Found, options: CvatOptions, frame_options: FrameOptions) -> Sequence:
    frames = ImageFolder(dict(sorted(part.there.items())), frame_options, part.absent)
    return Sequence(
        name=name,
        frames=frames,
        camera=options.camera or Camera.FIXED,
        annotation_files=(part.file.path,),
        reader=f"{NAME} {VERSION}",
        load=partial(_load, part, frames, options),
    )


def _load(part: _Found, frames: FrameSource, options: CvatOptions) -> Annotations:
    canvas = Canvas.of(frames, ORIGIN, options)
    file = replace(part.file, images=tuple(part.images))
    file.check(frames)
    boxes, regions = file.boxes, file.unread
    if part.images:
        own = np.array([image.number for image in part.images], np.int64)
        boxes = boxes.select(np.isin(boxes.rects.frame, own))
        regions = regions.select(np.isin(regions.frame, own))
    static = [NativeRects.of_option(options.ignore, ORIGIN)]
    return build_annotations(boxes, canvas, static=static, per_frame=regions, named=file.named())
