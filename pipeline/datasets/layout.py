"""What readers share about folders: finding them, pairing images with annotations, keeping names inside."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import field_validator

from spotlabel.pipeline.datasets.base import ReaderOptions
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder, VideoFile
from spotlabel.pipeline.frames.shape import wide
from spotlabel.pipeline.sequence import Camera, FrameSource

logger = logging.getLogger("spotlabel")

_Any = TypeVar("_Any")
Rect = tuple[float, float, float, float]

_LITTER = ("thumbs.db", "ehthumbs.db", "desktop.ini")


class OwnDataOptions(ReaderOptions):
    """Options of the readers for a user's own data."""

    camera: Camera | None = None
    """Whether the cameras stand still; they do if neither this nor an annotation file says otherwise."""
    ignore: tuple[Rect, ...] = ()
    """Rectangles ``[x0, y0, x1, y1]``, 0-based pixel edges, where objects are not annotated."""

    @field_validator("ignore")
    @classmethod
    def _has_area(cls, ignore: tuple[Rect, ...]) -> tuple[Rect, ...]:
        for x0, y0, x1, y1 in ignore:
            if not (x0 < x1 and y0 < y1):
                raise ValueError(
                    f"[{x0:g}, {y0:g}, {x1:g}, {y1:g}] has no area, expected x0 < x1 and y0 < y1"
                )
        return ignore


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key that puts "a2" before "a10"."""
    parts = re.split(r"([0-9]+)", name)
    digits = [part.lstrip("0") if i % 2 else part for i, part in enumerate(parts)]
    return [(len(part) if i % 2 else 0, part) for i, part in enumerate(digits)], name


def folders(root: Path, given: Path | None, option: str, candidates: Iterable[str]) -> list[Path]:
    """Folders that exist: the one an option names, or else those of the usual names.

    Args:
        root: the dataset's root.
        given: value of the option, relative to ``root`` or absolute; None if not set.
        option: name of the option, for the error.
        candidates: usual names, relative to ``root``; "." is the root itself.

    Raises:
        DatasetError: ``root`` or the given folder is no folder.
    """
    if not root.is_dir():
        raise DatasetError.at(root, "", "no such folder", "set data to the folder of the dataset")
    if given is None:
        return [folder for name in candidates if (folder := root / name).is_dir()]
    if not (root / given).is_dir():
        raise DatasetError.at(root / given, "", "no such folder", f"named by dataset.{option}")
    return [root / given]


def subfolders(folder: Path, only: str | None = None) -> list[Path]:
    """Folders, and links that lead nowhere, right below a folder, in natural order.

    Args:
        folder: the folder.
        only: name of the only one that is wanted.
    """
    candidates = entries(folder) if only is None else [folder / only]
    return [path for path in candidates if os.path.isdir(path) or leads_nowhere(path)]


def leads_nowhere(path: Path) -> bool:
    """Whether a path is a link without a target, or in a circle, and has no file name ending.

    In a folder of sequences such a link is one of them that cannot be read, and not nothing.
    """
    return os.path.islink(path) and not os.path.exists(path) and not path.suffix


def is_litter(name: str) -> bool:
    """Whether a file is one that systems leave beside data (``._x``, ``.DS_Store``, ``Thumbs.db``...)."""
    return name.startswith(".") or name.lower() in _LITTER


def entries(folder: Path) -> list[Path]:
    """What a folder holds, in natural order and without the files that systems leave (:func:`is_litter`).

    A folder counts whatever its name: a video may be called ``.a``. Nothing, with a warning, if it cannot be
    listed.
    """
    try:
        held = [path for path in folder.iterdir() if not is_litter(path.name) or path.is_dir()]
        return sorted(held, key=lambda path: natural_key(path.name))
    except OSError as error:
        logger.warning("%s: cannot be listed and is left out: %s", folder, error.strerror)
        return []


def image_folders(
    bases: Iterable[Path], image_name: re.Pattern[str], only: str | None = None
) -> dict[str, Path]:
    """Folders below ``bases`` that hold at least one image, by name; for equal names the first counts.

    One that cannot be listed is among them: it fails when its images are looked for.
    """
    by_name: dict[str, Path] = {}
    for base in bases:
        for folder in subfolders(base, only):
            if folder.name not in by_name and (not can_be_listed(folder) or holds(folder, image_name)):
                by_name[folder.name] = folder
    return by_name


def can_be_listed(folder: Path) -> bool:
    """Whether a folder is there and may be read."""
    try:
        os.scandir(folder).close()
    except OSError:
        return False
    return True


def with_name(found: dict[str, _Any], only: str | None) -> dict[str, _Any]:
    """All that was found, or at most the entry called ``only``."""
    return found if only is None else {name: value for name, value in found.items() if name == only}


def holds(folder: Path, file_name: re.Pattern[str]) -> bool:
    """Whether a folder has a file whose whole name matches."""
    try:
        with os.scandir(folder) as listing:
            return any(file_name.fullmatch(entry.name) for entry in listing)
    except OSError as error:
        logger.warning("%s: cannot be listed and is left out: %s", folder, error.strerror)
        return False


def paired(
    root: Path, images: Mapping[str, object], annotations: Mapping[str, object], expected: str
) -> list[str]:
    """Names that have both images and annotations, in natural order; the others are named in the log.

    Args:
        root: the dataset's root, for messages.
        images: whatever has images, by sequence name.
        annotations: whatever has annotations, by sequence name.
        expected: where images and annotations were looked for, for the error.

    Raises:
        DatasetError: no name has both.
    """
    for only, missing in ((images, annotations), (annotations, images)):
        lacking = sorted(only.keys() - missing.keys(), key=natural_key)
        if lacking:
            what = "images but no annotations" if only is images else "annotations but no images"
            names = ", ".join(lacking[:5]) + (", ..." if len(lacking) > 5 else "")
            logger.warning("%s: %d left out, with %s: %s", root, len(lacking), what, names)
    names_of_both = sorted(images.keys() & annotations.keys(), key=natural_key)
    if not names_of_both:
        seen = f"images of {len(images)} and annotations of {len(annotations)} sequences, none with both"
        raise DatasetError.at(root, "", f"{seen}; looked for {expected}; here is {held(root)}")
    return names_of_both


def held(folder: Path) -> str:
    """The first names of a folder, in words, for messages."""
    names = [path.name[:80] for path in entries(folder)]
    return ", ".join(names[:3]) + (f", ... ({len(names)} in all)" if len(names) > 3 else "") or "nothing"


def inside(folder: Path, name: str, source: Path, where: str, else_do: str = "") -> Path:
    """Path of a file that an annotation file names, relative to a folder.

    Args:
        folder: the folder.
        name: as the file has it, with ``/`` between folders.
        source: the annotation file, for the error.
        where: element in it, for the error.
        else_do: further advice for the error.

    Raises:
        DatasetError: the name is absolute or leads out of the folder.
    """
    relative = PurePosixPath(name)
    if not name or "\0" in name or relative.is_absolute() or ".." in relative.parts:
        advice = "expected a path relative to the image folder, without '..'"
        advice += f", {else_do}" if else_do else ""
        raise DatasetError.at(source, where, f"{name[:80]!r} leads out of {folder}", advice)
    return folder / relative


def check_declared_size(source: Path, where: str, declared: tuple[int, int], frames: FrameSource) -> None:
    """Refuse boxes drawn on images of another size.

    Args:
        source: the file that declares a size.
        where: line or element in it.
        declared: height and width it declares.
        frames: the images.

    Raises:
        DatasetError: the sizes differ; tells if that is because of how the images are turned or stretched.
    """
    if declared != frames.size:
        because = frames.shape().because(declared) if isinstance(frames, ImageFolder | VideoFile) else ""
        problem = f"declares {wide(declared)} pixels, but the images have {wide(frames.size)}{because}"
        raise DatasetError.at(source, where, problem, "the boxes would not fit the images")
