"""Image folders with an annotation file for every image: sequences and frame numbers of the images."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spotlabel.pipeline.datasets.frame_names import counted, last_number, scattered, sequence_of
from spotlabel.pipeline.datasets.layout import folders, held, is_litter, natural_key
from spotlabel.pipeline.errors import DatasetError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


@dataclass
class Group:
    """Images of one sequence.

    Attributes:
        name: of the sequence.
        folder: where the annotation files lie.
        images: path of every frame number.
        files: annotation file of every frame number that has one.
        problem: why the sequence cannot be used, empty if it can.
    """

    name: str
    folder: Path
    images: dict[int, Path] = field(default_factory=dict)
    files: dict[int, Path] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Layout:
    """How a format names folders.

    Attributes:
        suffix: ending of its files, with the dot.
        partners: for a folder of images the folders that may hold its annotation files, in its place.
        not_files: names of files with this ending that describe no image.
    """

    suffix: str
    partners: Mapping[str, tuple[str, ...]]
    not_files: tuple[str, ...] = ()


def image_groups(root: Path, layout: Layout, images: Path | None, annotations: Path | None) -> list[Group]:
    """Sequences of the images below a root that have annotation files of the same names.

    Annotation files lie beside their images, or in a folder whose path differs in one part (``images`` and
    ``labels``). The folder is the sequence, named by its path without that part; where images of
    several videos lie in one folder, what stands before the numbers in their names tells them apart.

    Args:
        root: the dataset's root.
        layout: names of folders and files.
        images: folder to look in, relative to the root or absolute; the root if None.
        annotations: folder of the annotation files, with the folders that ``images`` has; None to look.

    Raises:
        DatasetError: there is none, or a given folder does not exist.
    """
    base = folders(root, images, "images", ["."])[0]
    given = None if annotations is None else folders(root, annotations, "annotations", [])[0]
    found: list[Group] = []
    for folder, names in _image_folders(base):
        relative = folder.relative_to(base)
        places = [given / relative, given] if given is not None else _places(base, relative, layout)
        for place in places:
            files = _stems(place, layout)
            if files:
                parts = [part for part in relative.parts if part not in layout.partners]
                name = "/".join(parts) or base.absolute().name
                found += _groups(name, folder, names, place, files)
                break
    if not found:
        looked = f"images with a file *{layout.suffix} each, beside them or in another folder"
        pairs = ", ".join(f"{a} and {b[0]}" for a, b in layout.partners.items())
        raise DatasetError.at(base, "", f"no {looked} ({pairs}); here is {held(base)}")
    return _once(found)


def _image_folders(base: Path) -> list[tuple[Path, list[str]]]:
    """Folders that hold images, with the names of these, in natural order."""
    found = []
    for folder, below, names in os.walk(base):
        below[:] = sorted((name for name in below if not is_litter(name)), key=natural_key)
        pictures = [name for name in names if not is_litter(name) and name.lower().endswith(IMAGE_SUFFIXES)]
        if pictures:
            found.append((Path(folder), sorted(pictures, key=natural_key)))
    return found


def _places(base: Path, relative: Path, layout: Layout) -> list[Path]:
    """Where the annotation files of a folder may lie."""
    whole = base / relative
    places = [whole]
    for at in range(len(whole.parts) - 1, len(base.parts) - 2, -1):
        for partner in layout.partners.get(whole.parts[at], ()):
            places.append(Path(*whole.parts[:at], partner, *whole.parts[at + 1 :]))
    return places


def _stems(place: Path, layout: Layout) -> dict[str, Path]:
    """Annotation files of a folder by their names without ending."""
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return {}
    wanted = (
        name
        for name in names
        if name.lower().endswith(layout.suffix) and not is_litter(name) and name not in layout.not_files
    )
    return {name[: -len(layout.suffix)]: place / name for name in wanted}


def _groups(name: str, folder: Path, names: list[str], place: Path, files: Mapping[str, Path]) -> list[Group]:
    """Sequences of one folder of images; those without any annotation file are none."""
    try:
        numbered = _numbered(name, folder, names)
    except DatasetError as error:
        return [Group(name, place, problem=str(error))]
    groups: dict[str, Group] = {}
    for (sequence, number), image in zip(numbered, names, strict=True):
        group = groups.setdefault(sequence, Group(sequence, place))
        group.images[number] = folder / image
        if file := files.get(os.path.splitext(image)[0]):
            group.files[number] = file
    return [group for group in groups.values() if group.files]


def _numbered(name: str, folder: Path, names: list[str]) -> list[tuple[str, int]]:
    """Sequence and frame number of every image of a folder."""
    stems = [os.path.splitext(image)[0] for image in names]
    if len({*stems}) < len(stems):
        second = next(image for i, image in enumerate(names) if stems[i] in stems[:i])
        raise DatasetError.at(folder / second, "", "a second image of this name", "keep one of them")
    digits = [last_number(stem) for stem in stems]
    if None in digits:
        image = names[digits.index(None)]
        raise DatasetError.at(folder / image, "", "no frame number in its name", "number the images")
    numbers = [int(number) for number in digits if number is not None]
    twice = len({*numbers}) < len(numbers)
    if not twice and not scattered(numbers):
        return [(name, number) for number in numbers]
    pairs = counted(stems)
    if pairs is not None:
        several = len({before for before, _ in pairs}) > 1
        return [(f"{name}/{sequence_of(b) or b}" if several else name, number) for b, number in pairs]
    problem = "images have one frame number" if twice else "frame numbers are too far apart for a video"
    raise DatasetError.at(folder, "", f"{problem}: {names[0]}, {names[-1]}", "number the images")


def _once(groups: list[Group]) -> list[Group]:
    """Groups in natural order of their names; a name that two have is a problem of the second."""
    taken: dict[str, Group] = {}
    for group in sorted(groups, key=lambda group: natural_key(group.name)):
        if (other := taken.get(group.name)) is not None:
            other.problem = f"{group.folder}: a second sequence of this name, the other is in {other.folder}"
        taken.setdefault(group.name, group)
    return list(taken.values())


def usable(groups: list[Group]) -> Callable[[str], Group]:
    """The group of a name; raises DatasetError if it cannot be used."""
    by_name = {group.name: group for group in groups}

    def group(name: str) -> Group:
        if by_name[name].problem:
            raise DatasetError(by_name[name].problem)
        return by_name[name]

    return group
