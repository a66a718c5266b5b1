"""UAVDT: aerial sequences with one text file of boxes and one of ignore regions each.

Images are ``UAV-benchmark-M/M0101/img000001.jpg``, numbered from 1; the camera moves. Files in
``UAV-benchmark-MOTD_v1.0/GT`` have rows ``frame, id, left, top, width, height, out-of-view, occlusion,
category`` and 0 as the left and top image edge (so thousands of rows say; none but a 0-based origin keeps
them inside the image): ``_gt_whole`` all objects, ``_gt`` those of the tracking benchmark without categories,
``_gt_ignore`` the ignore regions of each frame.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.layout import entries, folders, image_folders, paired, with_name
from spotlabel.pipeline.datasets.native import NativeBoxes, NativeRects
from spotlabel.pipeline.datasets.text import Table, read_table
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder, scan_images
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

logger = logging.getLogger("spotlabel")

NAME = "uavdt"
VERSION = 2
ORIGIN = 0.0
"""Left and top image edge in UAVDT's coordinates."""

IMAGE_NAME = re.compile(r"img(\d+)\.jpg", re.ASCII | re.IGNORECASE)
IMAGE_ROOTS = ("UAV-benchmark-M", ".")
GT_ROOTS = ("UAV-benchmark-MOTD_v1.0/GT", "GT", ".")
COLUMNS = ("frame", "id", "left", "top", "width", "height", "out-of-view", "occlusion", "category")
CATEGORIES: tuple[str, ...] = ("car", "truck", "bus")
NOT_OUT_OF_VIEW = 1
NOT_OCCLUDED = 1


class UavdtOptions(ReaderOptions):
    """Options of the UAVDT reader; folders are relative to the root or absolute."""

    images: Path | None = None
    """Folder that holds the ``M*`` folders; the usual ones if not set."""
    annotations: Path | None = None
    """Folder of the ground-truth files; the usual ones if not set."""
    objects: Literal["whole", "gt"] = "whole"
    """All objects with their categories, or those of the tracking benchmark as one class "vehicle"."""
    first_frame: int | None = None
    """What the boxes file calls the first image; if not set, the number in the image's file name."""

    later: ClassVar[tuple[str, ...]] = ("first_frame",)


def list_sequences(
    root: Path, options: ReaderOptions, frame_options: FrameOptions, only: str | None = None
) -> list[Sequence]:
    """Sequences that have both images and boxes.

    Raises:
        DatasetError: there is none, or a folder that an option names does not exist.
    """
    assert isinstance(options, UavdtOptions)
    images = image_folders(folders(root, options.images, "images", IMAGE_ROOTS), IMAGE_NAME, only)
    suffix = "_gt_whole.txt" if options.objects == "whole" else "_gt.txt"
    files: dict[str, Path] = {}
    for base in folders(root, options.annotations, "annotations", GT_ROOTS):
        for path in entries(base):
            if path.name.endswith(suffix):
                files.setdefault(path.name.removesuffix(suffix), path)
    looked = f"images in {', '.join(IMAGE_ROOTS)}, files *{suffix} in {', '.join(GT_ROOTS)}"
    files = with_name(files, only)
    names = paired(root, images, files, looked)

    def sequence(name: str) -> Sequence:
        return _sequence(name, images[name], files[name], options, frame_options)

    return one_by_one(names, f"{NAME} {VERSION}", sequence)


READER = Reader(NAME, VERSION, UavdtOptions, list_sequences, finds_one=True)


def read_boxes(path: Path, objects: Literal["whole", "gt"] = "whole") -> NativeBoxes:
    """Boxes of a file ``_gt_whole``, or of a file ``_gt`` whose category column says nothing.

    Flags: truncated where out-of-view is above 1, occluded where occlusion is above 1 (1 means none; 2, 3
    and 4 are degrees).

    Raises:
        DatasetError: names line and column.
    """
    table = read_table(path, COLUMNS, required=len(COLUMNS), may_be_empty=False)
    truncated = table.whole("out-of-view") > NOT_OUT_OF_VIEW
    occluded = table.whole("occlusion") > NOT_OCCLUDED
    flags = truncated * int(BoxFlag.TRUNCATED) + occluded * int(BoxFlag.OCCLUDED)
    rects = NativeRects.of_table(table, table.whole("frame"))
    if objects == "whole":
        class_id, names = _class_ids(table), CATEGORIES
    else:
        class_id, names = np.zeros(len(rects), np.int16), ("vehicle",)
    return NativeBoxes(rects, class_id, table.whole("id"), flags.astype(np.uint8), names)


def read_ignore(path: Path) -> NativeRects:
    """Ignore regions of a file ``_gt_ignore``, with their frame numbers.

    Raises:
        DatasetError: names line and column.
    """
    table = read_table(path, COLUMNS, required=6)
    return NativeRects.of_table(table, table.whole("frame"))


def _class_ids(table: Table) -> npt.NDArray[np.int16]:
    category = table.whole("category")
    wrong = (category < 1) | (category > len(CATEGORIES))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        known = ", ".join(f"{i} {name}" for i, name in enumerate(CATEGORIES, start=1))
        problem = f"category is {category[row]}, expected {known}"
        raise DatasetError.at(table.path, f"line {table.lines[row]}", problem)
    return (category - 1).astype(np.int16)


def _sequence(
    name: str, images: Path, file: Path, options: UavdtOptions, frame_options: FrameOptions
) -> Sequence:
    frames = ImageFolder(scan_images(images, IMAGE_NAME), frame_options)
    ignore: Path | None = file.with_name(f"{name}_gt_ignore.txt")
    if ignore is not None and not ignore.is_file():
        logger.warning("%s: no such file, %s has no ignore regions", ignore, name)
        ignore = None
    return Sequence(
        name=name,
        frames=frames,
        camera=Camera.MOVING,
        annotation_files=(file, ignore) if ignore else (file,),
        reader=f"{NAME} {VERSION}",
        load=partial(_load, file, ignore, frames, options),
    )


def _load(file: Path, ignore: Path | None, frames: FrameSource, options: UavdtOptions) -> Annotations:
    regions = None if ignore is None else read_ignore(ignore)
    canvas = Canvas.of(frames, ORIGIN, options, first_frame=options.first_frame, numbered=True)
    return build_annotations(read_boxes(file, options.objects), canvas, per_frame=regions)
