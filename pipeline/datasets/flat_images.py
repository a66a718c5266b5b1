"""Images of many sequences in one folder, as UA-DETRAC is shared today: ``MVI_20011_img00001.jpg``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from re import Pattern

from spotlabel.pipeline.datasets.layout import is_litter
from spotlabel.pipeline.errors import DatasetError


def flat_images(
    folders: Iterable[Path], file_name: Pattern[str], only: str | None = None
) -> dict[str, dict[str, list[tuple[int, Path]]]]:
    """Images that carry the name of their sequence, by sequence and folder.

    Args:
        folders: where to look; folders that cannot be listed hold none.
        file_name: matches a whole file name; its groups ``sequence`` and ``number`` say which frame it is.
        only: the only sequence that is wanted.

    Returns:
        For every sequence the folders that hold images of it, with number and path of each, in their order.
    """
    found: dict[str, dict[str, list[tuple[int, Path]]]] = {}
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            match = None if is_litter(name) else file_name.fullmatch(name)
            if match is not None and only in (None, match["sequence"]):
                by_folder = found.setdefault(match["sequence"], {})
                by_folder.setdefault(str(folder), []).append((int(match["number"]), folder / name))
    return found


def numbered(sequence: str, by_folder: dict[str, list[tuple[int, Path]]]) -> dict[int, Path]:
    """Path of every frame number of a sequence, whatever folder it is in (``train``, ``val``).

    Raises:
        DatasetError: two images of one number.
    """
    files: dict[int, Path] = {}
    for images in by_folder.values():
        for number, path in images:
            if number in files:
                problem = (
                    f"two images of {sequence[:80]} have frame number {number}, the other is {files[number]}"
                )
                raise DatasetError.at(path, "", problem, "keep one of them")
            files[number] = path
    return files
