"""Pascal VOC layout: image folders with an XML file for every image (see ``voc_xml``).

Folders ``JPEGImages`` and ``Annotations`` (or ``images`` and ``annotations``, ``Data`` and ``Annotations``),
with a folder per sequence in both, or XML files beside the images. An XML file without ``object`` belongs to
an image without objects; an image without an XML file was not annotated. Objects that are "difficult" become
ignore regions.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Literal

from spotlabel.pipeline.datasets.annotated import as_listed
from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.image_tree import Group, Layout, image_groups, usable
from spotlabel.pipeline.datasets.layout import OwnDataOptions, check_declared_size
from spotlabel.pipeline.datasets.native import Collector, NativeRects
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.datasets.voc_xml import ORIGIN, SIDES, read_voc
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

logger = logging.getLogger("spotlabel")

NAME = "voc"
VERSION = 1
LAYOUT = Layout(
    ".xml",
    {
        "JPEGImages": ("Annotations",),
        "images": ("annotations", "Annotations", "labels"),
        "Data": ("Annotations",),
    },
)


class VocOptions(OwnDataOptions):
    """Options of the Pascal VOC reader; folders are relative to the root or absolute."""

    images: Path | None = None
    """Folder to look for images in, with those below it; the root if not set."""
    annotations: Path | None = None
    """Folder of the XML files; if not set beside the images, or ``Annotations`` for ``JPEGImages``."""
    origin: Literal[0, 1] = 1
    """Number of the first pixel: 1 in VOC; 0 in the files of tools that count pixel edges, whose right and
    bottom edges are then exclusive (labelImg, CVAT, Roboflow)."""
    difficult: Literal["ignore", "keep"] = "ignore"
    """Objects that are "difficult" become ignore regions, or are boxes as others."""


def list_sequences(root: Path, options: ReaderOptions, frame_options: FrameOptions) -> list[Sequence]:
    """Folders of images of which at least one has an XML file.

    Raises:
        DatasetError: there is none. A sequence whose images have no frame numbers, or two with one number,
            has a ``problem`` and stops no other.
    """
    assert isinstance(options, VocOptions)
    groups = image_groups(root, LAYOUT, options.images, options.annotations)
    group = usable(groups)

    def sequence(name: str) -> Sequence:
        return _sequence(group(name), options, frame_options)

    return one_by_one([each.name for each in groups], f"{NAME} {VERSION}", sequence)


READER = Reader(NAME, VERSION, VocOptions, list_sequences)


def _sequence(group: Group, options: VocOptions, frame_options: FrameOptions) -> Sequence:
    frames = ImageFolder(dict(sorted(group.images.items())), frame_options)
    return Sequence(
        name=group.name,
        frames=frames,
        camera=options.camera or Camera.FIXED,
        annotation_files=tuple(group.files[number] for number in sorted(group.files)),
        reader=f"{NAME} {VERSION}",
        load=partial(_load, group, frames, options),
        names_frames=True,
    )


def _load(group: Group, frames: FrameSource, options: VocOptions) -> Annotations:
    boxes = Collector(group.folder, "frame {frame}: object {}", SIDES)
    regions = Collector(group.folder, boxes.place_format, SIDES)
    names: dict[str, int] = {}
    for number in sorted(group.files):
        file = read_voc(group.files[number])
        if file.size is not None:
            check_declared_size(group.files[number], "size", file.size, frames)
        own = file.boxes
        for row, (x0, y0, x1, y1) in enumerate(own.rects.xyxy.tolist()):
            # What is read counts the last pixel in; a file of pixel edges does not have it.
            box = (x0, y0, x1 - (1 - options.origin), y1 - (1 - options.origin))
            place = int(own.rects.place[row])
            if file.difficult[row] and options.difficult == "ignore":
                regions.add(number, box, place)
                continue
            name = own.class_names[own.class_id[row]]
            class_id = names.setdefault(name, len(names))
            boxes.add(number, box, place, class_id=class_id, flags=int(own.flags[row]))
    origin = ORIGIN if options.origin else 0.0
    _tell_zeros(boxes, origin)
    found = build_annotations(
        boxes.boxes(tuple(names)),
        Canvas.of(frames, origin, options),
        static=[NativeRects.of_option(options.ignore, origin)],
        per_frame=regions.rects(),
        named=group.files,
    )
    return as_listed(found, group.folder) if options.annotated is None else found


def _tell_zeros(boxes: Collector, origin: float) -> None:
    """Tell of corners of 0 where the first pixel has the number 1."""
    zeros = sum(min(x0, y0) == 0 for x0, y0, _, _ in boxes.xyxy)
    if origin and zeros:
        told = "%s: %d boxes begin at 0, but VOC calls the first pixel 1 (dataset.origin=0 counts from 0)"
        logger.warning(told, boxes.path, zeros)
