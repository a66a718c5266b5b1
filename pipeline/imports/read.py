"""From a file of masks to the corrections that it brings, video by video; nothing is written here."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.imports.changes import Changes, Rules, compare_picture
from spotlabel.pipeline.imports.coco import read_coco_masks
from spotlabel.pipeline.imports.cvat import read_cvat_masks
from spotlabel.pipeline.imports.png import read_png_masks
from spotlabel.pipeline.imports.shapes import Picture
from spotlabel.pipeline.imports.video import Video
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.upkeep.labelled import check_labelled
from spotlabel.pipeline.upkeep.plan import Item

ImportFormat = Literal["coco", "cvat", "png"]


def _cvat(path: Path) -> Iterator[Picture]:
    """Pictures of a file, or of the folder of an export, video by video."""
    files = sorted(path.glob("*/annotations.xml")) if path.is_dir() else [path]
    if not files:
        raise DatasetError.at(
            path, "", "has no <video>/annotations.xml", "name an XML file, or the folder of an export to CVAT"
        )
    for file in files:
        if file.is_file() and zipfile.is_zipfile(file):
            raise DatasetError.at(file, "", "is a ZIP archive, expected XML", "unpack it first")
        for picture in read_cvat_masks(file):
            yield picture if file == path else replace(picture, place=f"{file.parent.name}: {picture.place}")


READERS: Mapping[str, Callable[[Path], Iterator[Picture]]] = {
    "coco": read_coco_masks,
    "cvat": _cvat,
    "png": read_png_masks,
}


@dataclass(frozen=True)
class Source:
    """A file of masks.

    Attributes:
        path: the file, of ``png`` the folder of the export, of ``cvat`` either.
        form: its format.
        min_believability: as in the export that was edited.
    """

    path: Path
    form: ImportFormat
    min_believability: float = 0.0


def read_changes(
    recipe: Recipe, known: list[Item], chosen: list[Item], source: Source, rules: Callable[[Item], Rules]
) -> dict[str, Changes]:
    """What a file would change.

    Args:
        recipe: the recipe.
        known: all of its videos.
        chosen: those that are meant.
        source: the file.
        rules: how it is taken, for each video.

    Returns:
        By name of the video, of those that the file tells of.

    Raises:
        DatasetError: the file cannot be used, or is of another video; names the element.
        StoreError: masks are missing, damaged or not up to date.
    """
    found: dict[str, Changes] = {}
    videos: dict[str, Video] = {}
    seen: set[tuple[str, int]] = set()
    try:
        for picture in READERS[source.form](source.path):
            item = _item_of(picture, known, chosen, source.path)
            if item is None:
                continue
            name = item.sequence.name
            if name not in videos:
                check_labelled(recipe, item, trusted=("manual",))
                videos[name], found[name] = Video(item, source.min_believability), Changes()
            index = _index_of(picture, videos[name], source.path)
            if (name, index) in seen:
                number = videos[name].masks.numbers[index]
                raise DatasetError.at(source.path, picture.place, f"frame {number} of {name} a second time")
            seen.add((name, index))
            compare_picture(videos[name], index, picture, rules(item), found[name])
    finally:
        for video in videos.values():
            video.masks.close()
    if not found:
        names = ", ".join(item.sequence.name for item in chosen[:3]) + (", ..." if len(chosen) > 3 else "")
        raise DatasetError.at(source.path, "", f"tells of no frame of {names}")
    return found


def _index_of(picture: Picture, video: Video, path: Path) -> int:
    """Position of a picture's frame in its video, whose size it must have."""
    name, (height, width) = video.item.sequence.name, video.masks.size
    index = video.index_of(picture)
    if index is None:
        which = picture.name if picture.number is None else picture.number
        raise DatasetError.at(
            path, picture.place, f"{name} has no frame {which!r}",
            "images have to keep the names that the export gave them; --only names another video",
        )  # fmt: skip
    if picture.size != (height, width):
        problem = (
            f"{picture.size[1]} x {picture.size[0]} pixels, the frames of {name} have {width} x {height}"
        )
        raise DatasetError.at(
            path, picture.place, problem, "export images and masks in the size of the frames"
        )
    return index


def _item_of(picture: Picture, known: list[Item], chosen: list[Item], path: Path) -> Item | None:
    """The video that a picture is of; None if it is one that is not meant."""
    named = [
        item
        for item in known
        if picture.video and picture.video in (item.sequence.name, file_stem(item.sequence.name))
    ]
    if named:
        meant = {item.sequence.name for item in chosen}
        return named[0] if named[0].sequence.name in meant else None
    if len(chosen) == 1:
        return chosen[0]
    said = (
        f"is of the video {picture.video!r}, which the recipe has not" if picture.video else "names no video"
    )
    raise DatasetError.at(path, picture.place, said, "name its video with --only")
