"""MOT layout: a folder per sequence with ``img1/000001.jpg``, ``gt/gt.txt`` and ``seqinfo.ini``.

Rows of ``gt.txt`` are described in :mod:`spotlabel.pipeline.datasets.mot_rows`; coordinates are 1-based. In
MOT17 rows whose flag "consider" is 0 are annotated, but are not objects of the benchmark (static people,
vehicles, occluders); ``inactive`` says whether their places become unknown or count as background.
"""

from __future__ import annotations

import configparser
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.layout import (
    OwnDataOptions,
    can_be_listed,
    check_declared_size,
    held,
    holds,
    inside,
    leads_nowhere,
    natural_key,
    paired,
    subfolders,
)
from spotlabel.pipeline.datasets.layout import folders as existing
from spotlabel.pipeline.datasets.mot_rows import ORIGIN, MotFile, labels_of, read_mot
from spotlabel.pipeline.datasets.native import NativeRects
from spotlabel.pipeline.datasets.text import read_text
from spotlabel.pipeline.datasets.unusable import one_by_one
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
    """Class names by class id; if not set those of ``gt/labels.txt`` (CVAT), else those of MOT17."""
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
        prefix: what the file names of the images begin with.
    """

    path: Path
    image_folder: str = "img1"
    suffix: str = IMAGE_SUFFIXES
    length: int | None = None
    size: tuple[int, int] | None = None
    prefix: str = ""

    @property
    def image_name(self) -> re.Pattern[str]:
        """Matches the file name of an image; its group is the frame number."""
        return re.compile(rf"{self.prefix}(\d+)\.(?:{self.suffix})", re.ASCII | re.IGNORECASE)


def list_sequences(
    root: Path, options: ReaderOptions, frame_options: FrameOptions, only: str | None = None
) -> list[Sequence]:
    """Sequences with images and ``gt/gt.txt``: the root itself, its folders, or theirs (``train``, ``test``).

    Raises:
        DatasetError: there is none, or two have one name. One that cannot be listed (an unusable
            ``seqinfo.ini``, an image number twice) has a ``problem`` and stops no other.
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
    broken, sound = _sorted_out(by_name)
    images = {name: found for name, found in sound.items() if found.folder is not None}
    files = {name: path for name in sound if _stands(path := by_name[name] / "gt" / "gt.txt")}
    try:
        names = paired(root, images, files, "<sequence>/img1/*.jpg and <sequence>/gt/gt.txt")
    except DatasetError as error:
        if not broken:
            _refuse_visdrone(root, error)
            raise
        names = []

    def sequence(name: str) -> Sequence:
        if name in broken:
            raise broken[name]
        info, folder = sound[name].info, sound[name].folder
        assert folder is not None  # paired
        frames = ImageFolder(scan_images(folder, info.image_name), frame_options)
        return _sequence(name, frames, files[name], info, options)

    return one_by_one(sorted([*names, *broken], key=natural_key), f"{NAME} {VERSION}", sequence)


def _refuse_visdrone(root: Path, error: DatasetError) -> None:
    """Name VisDrone's layout where nothing is found because of it."""
    if (root / "sequences").is_dir() and (root / "annotations").is_dir():
        raise DatasetError.at(
            root, "", "has the folders of VisDrone", "set dataset.reader=visdrone"
        ) from error


READER = Reader(NAME, VERSION, MotOptions, list_sequences, finds_one=True)


@dataclass(frozen=True)
class _Found:
    """What is known of a sequence before its images are listed; ``folder`` is None if it has none."""

    info: SeqInfo
    folder: Path | None


def _sorted_out(folders_by_name: Mapping[str, Path]) -> tuple[dict[str, Exception], dict[str, _Found]]:
    """Why some sequences cannot be used, and what is known of the others."""
    broken: dict[str, Exception] = {}
    sound: dict[str, _Found] = {}
    for name, folder in folders_by_name.items():
        try:
            os.scandir(folder).close()
            info = read_seqinfo(folder / "seqinfo.ini")
            images = inside(folder, info.image_folder, info.path, "imDir")
        except DatasetError as error:
            broken[name] = error
        except OSError as error:
            broken[name] = DatasetError.at(folder, "", f"cannot be listed: {error.strerror or error}")
        else:
            info = _with_present_prefix(_with_present_suffix(info, images), images)
            there = _stands(images) and (not can_be_listed(images) or holds(images, info.image_name))
            sound[name] = _Found(info, images if there else None)
    return broken, sound


def _with_present_suffix(info: SeqInfo, images: Path) -> SeqInfo:
    """The facts with the usual endings where a folder has no image of the declared one, but others."""
    usual = replace(info, suffix=IMAGE_SUFFIXES)
    if info.suffix == IMAGE_SUFFIXES or not can_be_listed(images):
        return info
    if holds(images, info.image_name) or not holds(images, usual.image_name):
        return info
    logger.warning(
        "%s: imExt is not that of the images, which are taken as they are: %s", info.path, held(images)
    )
    return usual


def _with_present_prefix(info: SeqInfo, images: Path) -> SeqInfo:
    """The facts with the names that CVAT gives (``frame_000000.PNG``) where a folder has no others."""
    named = replace(info, prefix="frame_")
    if not can_be_listed(images) or holds(images, info.image_name) or not holds(images, named.image_name):
        return info
    return named


def _stands(path: Path) -> bool:
    """Whether something has this name, be it a link that leads nowhere."""
    return os.path.lexists(path)


def read_seqinfo(path: Path) -> SeqInfo:
    """Read a ``seqinfo.ini``; its defaults if there is no such file.

    Raises:
        DatasetError: names the file and the key.
    """
    if not _stands(path):
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
    if not can_be_listed(folder):
        return os.path.isdir(folder) or leads_nowhere(folder)
    return any(_stands(folder / part) for part in ("gt/gt.txt", "seqinfo.ini", "img1"))


def _sequence(name: str, frames: ImageFolder, file: Path, info: SeqInfo, options: MotOptions) -> Sequence:
    if info.length is not None and info.length != len(frames.files()):
        logger.warning(
            "%s: seqLength is %d, but there are %d images", info.path, info.length, len(frames.files())
        )
    return Sequence(
        name=name,
        frames=frames,
        camera=options.camera or Camera.FIXED,
        annotation_files=(file, *(path for path in (info.path, labels_of(file)) if path.is_file())),
        reader=f"{NAME} {VERSION}",
        load=partial(_load, file, info, frames, options),
    )


def _load(file: Path, info: SeqInfo, frames: FrameSource, options: MotOptions) -> Annotations:
    canvas = Canvas.of(frames, ORIGIN, options, first_frame=options.first_frame, numbered=True)
    if info.size is not None:
        check_declared_size(info.path, "[Sequence] imWidth, imHeight", info.size, frames)
    rows = read_mot(file, options.classes)
    return build_annotations(
        rows.boxes,
        canvas,
        static=[NativeRects.of_option(options.ignore, ORIGIN)],
        per_frame=inactive_regions(rows, options.inactive),
    )
