"""YOLO layout: image folders with a label file for every image (see ``yolo_txt``), and ``data.yaml``.

Folders ``images`` and ``labels``, ``images/train`` and ``labels/train``, ``train/images`` and
``train/labels``, or label files beside the images. An empty label file belongs to an image without objects;
an image without a label file was not annotated.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

from spotlabel.pipeline.datasets.annotated import as_listed
from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.image_tree import Group, Layout, image_groups, usable
from spotlabel.pipeline.datasets.layout import OwnDataOptions
from spotlabel.pipeline.datasets.native import NativeRects
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.datasets.yolo_txt import NAMES_FILES, ORIGIN, Names, YoloRows, find_names
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

logger = logging.getLogger("spotlabel")

NAME = "yolo"
VERSION = 1
LAYOUT = Layout(".txt", {"images": ("labels",)}, (*NAMES_FILES, "train.txt", "val.txt", "test.txt"))


class YoloOptions(OwnDataOptions):
    """Options of the YOLO reader; folders are relative to the root or absolute."""

    images: Path | None = None
    """Folder to look for images in, with those below it; the root if not set."""
    annotations: Path | None = None
    """Folder of the label files; beside the images, or ``labels`` in place of ``images``, if not set."""
    classes: dict[int, str] | None = None
    """Class names by class number, from 0; if not set those of ``data.yaml`` or ``classes.txt``."""


def list_sequences(root: Path, options: ReaderOptions, frame_options: FrameOptions) -> list[Sequence]:
    """Folders of images of which at least one has a label file.

    Raises:
        DatasetError: there is none, or ``data.yaml`` cannot be used. A sequence whose images have no frame
            numbers, or two with one number, has a ``problem`` and stops no other.
    """
    assert isinstance(options, YoloOptions)
    groups = image_groups(root, LAYOUT, options.images, options.annotations)
    group = usable(groups)

    def sequence(name: str) -> Sequence:
        return _sequence(group(name), root, options, frame_options)

    return one_by_one([each.name for each in groups], f"{NAME} {VERSION}", sequence)


READER = Reader(NAME, VERSION, YoloOptions, list_sequences)


def _sequence(group: Group, root: Path, options: YoloOptions, frame_options: FrameOptions) -> Sequence:
    frames = ImageFolder(dict(sorted(group.images.items())), frame_options)
    names = _names(group, root, options)
    own = (names.path,) if names.path is not None else ()
    return Sequence(
        name=group.name,
        frames=frames,
        camera=options.camera or Camera.FIXED,
        annotation_files=(*(group.files[number] for number in sorted(group.files)), *own),
        reader=f"{NAME} {VERSION}",
        load=partial(_load, group, names, frames, options),
        names_frames=True,
    )


def _names(group: Group, root: Path, options: YoloOptions) -> Names:
    """Names of the option, of the root, or of the folder of the label files."""
    found = find_names(root) or find_names(group.folder) or Names({})
    return found if options.classes is None else replace(found, by_id=options.classes)


def _load(group: Group, names: Names, frames: FrameSource, options: YoloOptions) -> Annotations:
    canvas = Canvas.of(frames, ORIGIN, options)
    rows = YoloRows(group.folder, canvas.size, names)
    for number in sorted(group.files):
        rows.read(group.files[number], number)
    boxes = rows.boxes()
    if rows.unnamed:
        numbers = ", ".join(map(str, sorted(rows.unnamed)[:5]))
        advice = "name them in data.yaml, classes.txt or dataset.classes"
        logger.warning("%s: classes without a name are called %s (%s)", group.folder, numbers, advice)
    if rows.outlines:
        told = "%s: the boxes around %d outlines are taken, the outlines are not read"
        logger.warning(told, group.folder, rows.outlines)
    static = [NativeRects.of_option(options.ignore, ORIGIN)]
    found = build_annotations(boxes, canvas, static=static, named=group.files)
    return as_listed(found, group.folder) if options.annotated is None else found
