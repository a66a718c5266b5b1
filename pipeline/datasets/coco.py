"""COCO layout: one JSON file for all sequences, and image files that it names (see ``coco_json``).

JSON cannot be read in part: listing parses the whole file once, and loading a sequence uses what was parsed.
"""

from __future__ import annotations

import math
import os
from functools import partial
from pathlib import Path

from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.coco_json import ORIGIN, CocoFile, CocoImage, read_coco
from spotlabel.pipeline.datasets.layout import OwnDataOptions, check_declared_size, folders, inside, paired
from spotlabel.pipeline.datasets.native import NativeRects
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

NAME = "coco"
VERSION = 1

MAX_HOLES = 100
"""Most frames per image of a sequence, counting those without an image."""


class CocoOptions(OwnDataOptions):
    """Options of the COCO reader; paths are relative to the root or absolute."""

    annotations: Path | None = None
    """The JSON file; the only one in the root or its folder ``annotations`` if not set."""
    images: Path | None = None
    """Folder that ``file_name`` is relative to; ``images`` or else the root if not set."""


def list_sequences(root: Path, options: ReaderOptions, frame_options: FrameOptions) -> list[Sequence]:
    """Sequences of which at least one image file exists.

    Raises:
        DatasetError: there is none, the JSON file cannot be used, or a ``file_name`` leads out of the image
            folder.
    """
    assert isinstance(options, CocoOptions)
    image_root = folders(root, options.images, "images", ("images", "."))[0]
    file = read_coco(_json_file(root, options))
    listed = file.sequences()
    paths = {name: _paths(file, images, image_root) for name, images in listed.items()}
    existing = {name: files for name, files in paths.items() if any(map(os.path.isfile, files.values()))}
    for name in existing:
        _refuse_scattered(file, listed[name])
    names = paired(root, existing, listed, f"the images that {file.path} names in {image_root}")
    return [
        _sequence(name, ImageFolder(paths[name], frame_options), file, listed[name], options)
        for name in names
    ]


READER = Reader(NAME, VERSION, CocoOptions, list_sequences)


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
    found = sorted([*root.glob("*.json"), *root.glob("annotations/*.json")])
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
    step = max(1, math.gcd(*(number - numbers[0] for number in numbers)))
    span = (numbers[-1] - numbers[0]) // step + 1
    if span > MAX_HOLES * len(numbers):
        problem = f"{len(numbers)} frame numbers of {images[0].sequence[:80]!r} are spread over {span} frames"
        raise DatasetError.at(file.path, images[0].place, problem, "number the frames with frame_id")


def _paths(file: CocoFile, images: list[CocoImage], image_root: Path) -> dict[int, Path]:
    return {image.frame: inside(image_root, image.file_name, file.path, image.place) for image in images}


def _sequence(
    name: str, frames: FrameSource, file: CocoFile, images: list[CocoImage], options: CocoOptions
) -> Sequence:
    return Sequence(
        name=name,
        frames=frames,
        camera=options.camera or Camera.FIXED,
        annotation_files=(file.path,),
        reader=f"{NAME} {VERSION}",
        load=partial(_load, name, file, images, frames, options),
    )


def _load(
    name: str, file: CocoFile, images: list[CocoImage], frames: FrameSource, options: CocoOptions
) -> Annotations:
    boxes, crowds = file.boxes(name)
    canvas = Canvas.of(frames, ORIGIN, options.beyond)
    check_sizes(file, images, frames)
    static = [NativeRects.of_option(options.ignore, ORIGIN)]
    return build_annotations(boxes, canvas, static=static, per_frame=crowds)
