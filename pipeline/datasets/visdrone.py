"""VisDrone (VID, MOT): aerial sequences with a text file of boxes each.

Sequences are ``sequences/<sequence>/0000001.jpg``, numbered from 1, and ``annotations/<sequence>.txt`` with
rows ``frame, id, left, top, width, height, score, category, truncation, occlusion``. Coordinates are 0-based.
Score 0 marks what does not count; category 0 are ignore regions, 11 are objects of no category. The cameras
move.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.layout import (
    OwnDataOptions,
    entries,
    folders,
    image_folders,
    paired,
)
from spotlabel.pipeline.datasets.native import NativeBoxes, NativeRects
from spotlabel.pipeline.datasets.text import read_table
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder, scan_images
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

NAME = "visdrone"
VERSION = 1
ORIGIN = 0.0
"""Left and top image edge in VisDrone's coordinates."""

IMAGE_NAME = re.compile(r"(?:img)?(\d+)\.(?:jpe?g|png)", re.ASCII | re.IGNORECASE)
SPLITS = tuple(
    f"VisDrone2019-{task}-{split}"
    for task in ("VID", "MOT")
    for split in ("train", "val", "test-dev", "test-challenge")
)
IMAGE_ROOTS = ("sequences", *(f"{split}/sequences" for split in SPLITS), ".")
BOX_ROOTS = ("annotations", *(f"{split}/annotations" for split in SPLITS), ".")
COLUMNS = (
    "frame", "id", "left", "top", "width", "height", "score", "category", "truncation", "occlusion"
)  # fmt: skip
CATEGORIES = (
    "ignored regions", "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle",
    "awning-tricycle", "bus", "motor", "others",
)  # fmt: skip
"""By their numbers; the first is none of objects."""
CLASS_NAMES = CATEGORIES[1:]
OTHERS = CATEGORIES.index("others")


class VisdroneOptions(OwnDataOptions):
    """Options of the VisDrone reader; folders are relative to the root or absolute."""

    images: Path | None = None
    """Folder that holds a folder of images per sequence; the usual ones if not set."""
    annotations: Path | None = None
    """Folder of the files of boxes; the usual ones if not set."""
    others: Literal["ignore", "keep"] = "ignore"
    """Objects of category 11, "others": ignore regions, as in the benchmark, or boxes."""
    first_frame: int | None = None
    """What the boxes file calls the first image; if not set, the number in the image's file name."""


def list_sequences(
    root: Path, options: ReaderOptions, frame_options: FrameOptions, only: str | None = None
) -> list[Sequence]:
    """Sequences that have both images and boxes.

    Raises:
        DatasetError: there is none, or a folder that an option names does not exist.
    """
    assert isinstance(options, VisdroneOptions)
    images = image_folders(folders(root, options.images, "images", IMAGE_ROOTS), IMAGE_NAME, only)
    files: dict[str, Path] = {}
    for base in folders(root, options.annotations, "annotations", BOX_ROOTS):
        for path in entries(base):
            if path.suffix.lower() == ".txt" and only in (None, path.stem):
                files.setdefault(path.stem, path)
    looked = "sequences/<sequence>/0000001.jpg and annotations/<sequence>.txt"
    names = paired(root, images, files, looked)

    def sequence(name: str) -> Sequence:
        return _sequence(name, images[name], files[name], options, frame_options)

    return one_by_one(names, f"{NAME} {VERSION}", sequence)


READER = Reader(NAME, VERSION, VisdroneOptions, list_sequences, finds_one=True)


def read_rows(path: Path, others: Literal["ignore", "keep"] = "ignore") -> tuple[NativeBoxes, NativeRects]:
    """Boxes of a file, and its ignore regions.

    Flags: truncated and occluded where their columns are above 0. A region is what has score 0 or category
    0, and objects of category 11 if ``others`` says so.

    Raises:
        DatasetError: names line and column.
    """
    table = read_table(path, COLUMNS, required=len(COLUMNS), may_be_empty=False)
    category = table.whole("category")
    wrong = (category < 0) | (category >= len(CATEGORIES))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        known = ", ".join(f"{number} {name}" for number, name in enumerate(CATEGORIES))
        problem = f"category is {category[row]}, expected {known}"
        raise DatasetError.at(path, f"line {table.lines[row]}", problem)
    ignored = (table.number("score") == 0) | (category == 0)
    if others == "ignore":
        ignored |= category == OTHERS
    flags: npt.NDArray[np.int64] = (table.whole("truncation") > 0) * int(BoxFlag.TRUNCATED)
    flags = flags + (table.whole("occlusion") > 0) * int(BoxFlag.OCCLUDED)
    rects = NativeRects.of_table(table, table.whole("frame"))
    class_id = np.maximum(category - 1, 0).astype(np.int16)
    boxes = NativeBoxes(rects, class_id, table.whole("id"), flags.astype(np.uint8), CLASS_NAMES)
    return boxes.select(~ignored), rects.select(ignored)


def _sequence(
    name: str, images: Path, file: Path, options: VisdroneOptions, frame_options: FrameOptions
) -> Sequence:
    frames = ImageFolder(scan_images(images, IMAGE_NAME), frame_options)
    return Sequence(
        name=name,
        frames=frames,
        camera=options.camera or Camera.MOVING,
        annotation_files=(file,),
        reader=f"{NAME} {VERSION}",
        load=partial(_load, file, frames, options),
    )


def _load(file: Path, frames: FrameSource, options: VisdroneOptions) -> Annotations:
    boxes, regions = read_rows(file, options.others)
    canvas = Canvas.of(frames, ORIGIN, options, first_frame=options.first_frame, numbered=True)
    static = [NativeRects.of_option(options.ignore, ORIGIN)]
    return build_annotations(boxes, canvas, static=static, per_frame=regions)
