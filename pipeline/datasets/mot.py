"""MOT layout: a folder per sequence with ``img1/000001.jpg``, ``gt/gt.txt`` and ``seqinfo.ini``.

Rows of ``gt.txt`` are described in :mod:`spotlabel.pipeline.datasets.mot_rows`; coordinates are 1-based. In
MOT17 rows whose flag "consider" is 0 are annotated, but are not objects of the benchmark (static people,
vehicles, occluders); ``inactive`` says whether their places become unknown or count as background.
"""

from __future__ import annotations

import configparser
import logging
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.layout import (
    OwnDataOptions,
    check_declared_size,
    holds,
    inside,
    paired,
    subfolders,
)
from spotlabel.pipeline.datasets.layout import folders as existing
from spotlabel.pipeline.datasets.mot_rows import ORIGIN, MotFile, read_mot
from spotlabel.pipeline.datasets.native import NativeRects
from spotlabel.pipeline.datasets.text import read_text
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder, scan_images
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

logger = logging.getLogger("spotlabel")

NAME = "mot"
VERSION = 1

IMAGE_SUFFIXES = "jpg|jpeg|png|bmp"


class MotOptions(OwnDataOptions):
    """Options of the MOT reader."""

    classes: dict[int, str] | None = None
    """Class names by class id; those of MOT17 if not set."""
    inactive: Literal["ignore", "drop"] = "ignore"
    """Rows with "consider" 0 become ignore regions, or are left out."""
    first_frame: int | None = None
    """What the boxes file calls the first image; if not set, the number in the image's file name."""

    later: ClassVar[tuple[str, ...]] = ("first_frame",)


@dataclass(frozen=True)
class SeqInfo:
    """What ``seqinfo.ini`` says, or its defaults.

    Attributes:
        path: the file; it need not exist.
        image_folder: name of the image folder.
        suffix: file name ending of the images without the dot, as a regular expression.
        length: number of images, None if not given.
        size: height and width, None if not given.
    """

    path: Path
    image_folder: str = "img1"
    suffix: str = IMAGE_SUFFIXES
    length: int | None = None
    size: tuple[int, int] | None = None


def list_sequences(
    root: Path, options: ReaderOptions, frame_options: FrameOptions, only: str | None = None
) -> list[Sequence]:
    """Sequences with images and ``gt/gt.txt``: the root itself, its folders, or theirs (``train``, ``test``).

    Raises:
        DatasetError: there is none, or a ``seqinfo.ini`` cannot be used.
    """
    assert isinstance(options, MotOptions)
    by_name: dict[str, Path] = {}
    for folder in _sequence_folders(root, only):
        name = folder.absolute().name
        if only not in (None, name):
            continue
        if name in by_name:
            problem = f"a second sequence of this name, the other is {by_name[name]}"
            raise DatasetError.at(folder, "", problem, "set data to one split")
        by_name[name] = folder
    images: dict[str, dict[int, Path]] = {}
    infos: dict[str, SeqInfo] = {}
    for name, folder in by_name.items():
        infos[name] = read_seqinfo(folder / "seqinfo.ini")
        image_folder = inside(folder, infos[name].image_folder, infos[name].path, "imDir")
        image_name = re.compile(rf"(\d+)\.(?:{infos[name].suffix})", re.ASCII | re.IGNORECASE)
        if image_folder.is_dir() and holds(image_folder, image_name):
            images[name] = scan_images(image_folder, image_name)
    files = {name: path for name, folder in by_name.items() if (path := folder / "gt" / "gt.txt").is_file()}
    names = paired(root, images, files, "<sequence>/img1/*.jpg and <sequence>/gt/gt.txt")
    return [
        _sequence(name, ImageFolder(images[name], frame_options), files[name], infos[name], options)
        for name in names
    ]


READER = Reader(NAME, VERSION, MotOptions, list_sequences, finds_one=True)


def read_seqinfo(path: Path) -> SeqInfo:
    """Read a ``seqinfo.ini``; its defaults if there is no such file.

    Raises:
        DatasetError: names the file and the key.
    """
    if not path.is_file():
        return SeqInfo(path)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_text(path))
        section = parser["Sequence"]
    except (configparser.Error, KeyError) as error:
        problem = "no section [Sequence]" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise DatasetError.at(path, "", problem, "expected a seqinfo.ini of MOT") from error
    width, height = (_whole(path, section, key) for key in ("imWidth", "imHeight"))
    suffix = section.get("imExt", "").strip().lstrip(".")
    return SeqInfo(
        path,
        section.get("imDir", "").strip() or SeqInfo.image_folder,
        re.escape(suffix) if suffix else IMAGE_SUFFIXES,
        _whole(path, section, "seqLength"),
        (height, width) if height is not None and width is not None else None,
    )


def inactive_regions(file: MotFile, inactive: Literal["ignore", "drop"]) -> NativeRects | None:
    """Ignore regions of the rows that are annotated but not to be detected."""
    return file.inactive if inactive == "ignore" else None


def _whole(path: Path, section: configparser.SectionProxy, key: str) -> int | None:
    try:
        return section.getint(key)
    except ValueError as error:
        problem = f"{key} is {section[key][:40]!r}, expected a whole number"
        raise DatasetError.at(path, "[Sequence]", problem) from error


def _sequence_folders(root: Path, only: str | None) -> list[Path]:
    base = existing(root, None, "root", ["."])[0]
    if _looks_like_sequence(base):
        return [base]
    if only is not None and _looks_like_sequence(base / only):
        return [base / only]
    folders_below: list[Path] = []
    for folder in subfolders(base):
        below = [folder] if _looks_like_sequence(folder) else subfolders(folder, only)
        folders_below += filter(_looks_like_sequence, below)
    return folders_below


def _looks_like_sequence(folder: Path) -> bool:
    return any((folder / part).exists() for part in ("gt/gt.txt", "seqinfo.ini", "img1"))


def _sequence(name: str, frames: ImageFolder, file: Path, info: SeqInfo, options: MotOptions) -> Sequence:
    if info.length is not None and info.length != len(frames.files()):
        logger.warning(
            "%s: seqLength is %d, but there are %d images", info.path, info.length, len(frames.files())
        )
    return Sequence(
        name=name,
        frames=frames,
        camera=options.camera or Camera.FIXED,
        annotation_files=(file, info.path) if info.path.is_file() else (file,),
        reader=f"{NAME} {VERSION}",
        load=partial(_load, file, info, frames, options),
    )


def _load(file: Path, info: SeqInfo, frames: FrameSource, options: MotOptions) -> Annotations:
    canvas = Canvas.of(frames, ORIGIN, options.beyond, first_frame=options.first_frame, numbered=True)
    if info.size is not None:
        check_declared_size(info.path, "[Sequence] imWidth, imHeight", info.size, frames)
    rows = read_mot(file, options.classes)
    return build_annotations(
        rows.boxes,
        canvas,
        static=[NativeRects.of_option(options.ignore, ORIGIN)],
        per_frame=inactive_regions(rows, options.inactive),
    )
