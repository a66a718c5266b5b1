"""COCO layout: one JSON file for all sequences, and image files that it names (see ``coco_json``).

JSON cannot be read in part: listing parses the whole file once, and loading a sequence uses what was parsed.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import ClassVar

from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.coco_images import CocoImage
from spotlabel.pipeline.datasets.coco_json import ORIGIN, CocoFile, read_coco, rules_of
from spotlabel.pipeline.datasets.frame_names import scattered, spread
from spotlabel.pipeline.datasets.image_names import ImageNames
from spotlabel.pipeline.datasets.layout import (
    OwnDataOptions,
    check_declared_size,
    entries,
    folders,
    natural_key,
    paired,
    with_name,
)
from spotlabel.pipeline.datasets.native import NativeRects
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

NAME = "coco"
VERSION = 1


class CocoOptions(OwnDataOptions):
    """Options of the COCO reader; paths are relative to the root or absolute."""

    annotations: Path | None = None
    """The JSON file; the only one in the root or its folder ``annotations`` if not set."""
    images: Path | None = None
    """Folder that ``file_name`` is relative to; ``images`` or else the root if not set."""
    strip_prefix: str = ""
    """What to cut off in front of every ``file_name``: the folder on the machine that wrote the names."""

    later: ClassVar[tuple[str, ...]] = ("strip_prefix",)


def list_sequences(
    root: Path, options: ReaderOptions, frame_options: FrameOptions, only: str | None = None
) -> list[Sequence]:
    """Sequences of which at least one image file exists; listed images that do not are missing frames.

    Raises:
        DatasetError: there is none, or the JSON file cannot be used. A sequence with a frame number twice, or
            with a ``file_name`` that leads out of the image folder, has a ``problem`` and stops no other.
    """
    assert isinstance(options, CocoOptions)
    image_root = folders(root, options.images, "images", ("images", "."))[0]
    json_file = _json_file(root, options)
    bases = list(dict.fromkeys([image_root, root, json_file.parent]))
    names_of_images = ImageNames(json_file, bases, options.strip_prefix)
    file = read_coco(json_file, names_of_images.relative)
    listed = with_name(file.sequences(), only)
    broken = {**with_name(dict(file.problems), only)}
    paths: dict[str, dict[int, Path]] = {}
    for name, images in listed.items():
        try:
            paths[name] = {i.frame: names_of_images.path(i.file_name, i.place) for i in images}
        except DatasetError as error:
            broken.setdefault(name, str(error))
    existing = {name: files for name, files in paths.items() if any(map(os.path.isfile, files.values()))}
    sound = {name: images for name, images in listed.items() if name not in broken}
    first = next((image for images in sound.values() for image in images), None)
    looked = f"the images that {file.path} names in {image_root}"
    if first is not None and not existing:
        looked = names_of_images.looked_for(first.file_name, f"{file.path}: {first.place}")
    names = paired(root, existing, sound, looked) if sound or not broken else []

    def sequence(name: str) -> Sequence:
        if name in broken:
            raise DatasetError(broken[name])
        _refuse_scattered(file, listed[name])
        there = {number: path for number, path in paths[name].items() if os.path.isfile(path)}
        absent = {number: path for number, path in paths[name].items() if number not in there}
        frames = ImageFolder(there, frame_options, absent)
        return _sequence(name, frames, file, listed[name], options)

    return one_by_one(sorted([*names, *broken], key=natural_key), f"{NAME} {VERSION}", sequence)


READER = Reader(NAME, VERSION, CocoOptions, list_sequences, finds_one=True)


def check_sizes(file: CocoFile, images: list[CocoImage], frames: FrameSource) -> None:
    """Refuse boxes drawn on images of another size than the frames have.

    Raises:
        DatasetError: names the image.
    """
    for image in images:
        if image.size is not None:
            check_declared_size(file.path, image.place, image.size, frames)


def _json_file(root: Path, options: CocoOptions) -> Path:
    if options.annotations is not None:
        return root / options.annotations
    held = [*entries(root), *(entries(root / "annotations") if (root / "annotations").is_dir() else [])]
    found = sorted(path for path in held if path.name.endswith(".json"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:5]) or "none"
        problem = f"expected one JSON file here or in annotations, found {names}"
        raise DatasetError.at(root, "", problem, "set dataset.annotations")
    return found[0]


def _refuse_scattered(file: CocoFile, images: list[CocoImage]) -> None:
    """Refuse numbers that cannot be frame numbers of a video, such as times in milliseconds.

    Every number between the first and the last, in steps of their greatest common divisor, is a frame.
    """
    numbers = [image.frame for image in images]
    if scattered(numbers):
        named = f"{len(numbers)} frame numbers of {images[0].sequence[:80]!r}"
        problem = f"{named} are spread over {spread(numbers)} frames"
        raise DatasetError.at(file.path, images[0].place, problem, "number the frames with frame_id")


def _sequence(
    name: str, frames: FrameSource, file: CocoFile, images: list[CocoImage], options: CocoOptions
) -> Sequence:
    return Sequence(
        name=name,
        frames=frames,
        camera=options.camera or Camera.FIXED,
        annotation_files=(file.path,),
        reader=f"{NAME} {rules_of(file.path, VERSION)}",
        load=partial(_load, name, file, images, frames, options),
    )


def _load(
    name: str, file: CocoFile, images: list[CocoImage], frames: FrameSource, options: CocoOptions
) -> Annotations:
    boxes, crowds = file.boxes(name)
    canvas = Canvas.of(frames, ORIGIN, options)
    check_sizes(file, images, frames)
    static = [NativeRects.of_option(options.ignore, ORIGIN)]
    return build_annotations(boxes, canvas, static=static, per_frame=crowds)
