"""Images of a COCO file: to which sequence each belongs, and which frame of it.

An image belongs to the sequence ``video_id`` (by the name in ``videos`` if there is one) or else to the
folder part of its ``file_name``. Its frame number is ``frame_id``, ``frame_index`` or else the last run of
digits in the file name. Where those digits are the same for two images of a folder, or cannot
be those of a video, the number is what counts up in its names, and images that differ in the text before it
are sequences of their own (``MVI_20011_img00001.jpg``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from spotlabel.pipeline.datasets.coco_item import Id, Item, shown
from spotlabel.pipeline.datasets.frame_names import counted, last_number, own_stem, scattered, sequence_of
from spotlabel.pipeline.errors import DatasetError


@dataclass(frozen=True)
class CocoImage:
    """One entry of ``images``.

    Attributes:
        place: where it stands, for messages.
        file_name: as given; data, to be checked before it becomes a path.
        sequence: name of its sequence.
        frame: frame number.
        size: height and width, None if not given.
    """

    place: str
    file_name: str
    sequence: str
    frame: int
    size: tuple[int, int] | None


@dataclass(frozen=True)
class Listed:
    """All images of a file.

    Attributes:
        images: by image id.
        problems: why sequences cannot be used, by their names.
    """

    images: dict[Id, CocoImage]
    problems: dict[str, str]


@dataclass(frozen=True)
class _Entry:
    """An image and how it came to its frame number: ``stem`` is empty if the file says the number."""

    item: Item
    image: CocoImage
    stem: str
    named: bool
    """True if its sequence has a name that does not come from the file name."""


@dataclass
class _Reading:
    videos: Mapping[Id, str]
    relative: Callable[[str], str]
    problems: dict[str, str] = field(default_factory=dict)


def read_images(
    path: Path, items: list[Item], videos: Mapping[Id, str], relative: Callable[[str], str]
) -> Listed:
    """Sequence and frame number of every image.

    Args:
        path: the file.
        items: its images.
        videos: names of its videos by their ids.
        relative: what a ``file_name`` is relative to the folder of the images.

    Raises:
        DatasetError: an image without id or name, or an id twice. What is wrong with single sequences is in
            ``problems``.
    """
    reading = _Reading(videos, relative)
    entries: dict[Id, _Entry] = {}
    for item in items:
        entry = _entry(item, reading)
        image_id = item.identifier("id")
        if image_id in entries:
            raise item.error(f"id {shown(image_id)} a second time")
        entries[image_id] = entry
    _tell_apart(path, entries, reading.problems)
    return Listed({image_id: entry.image for image_id, entry in entries.items()}, reading.problems)


def _entry(item: Item, reading: _Reading) -> _Entry:
    file_name = item.text("file_name")
    name = PurePosixPath(reading.relative(file_name))
    sequence, named = _sequence(item, name, reading.videos)
    try:
        key = item.has("frame_id", "frame_index")
        frame = item.whole(key) if key else _number(item, name)
        size = (item.whole("height"), item.whole("width")) if item.has("height", "width") else None
    except DatasetError as error:
        reading.problems.setdefault(sequence, str(error))
        return _Entry(item, CocoImage(item.place, file_name, sequence, 0, None), "", named)
    return _Entry(
        item, CocoImage(item.place, file_name, sequence, frame, size), "" if key else name.stem, named
    )


def _sequence(item: Item, name: PurePosixPath, videos: Mapping[Id, str]) -> tuple[str, bool]:
    """Name of an image's sequence, and whether the file says it in so many words."""
    if item.data.get("video_id") is not None:
        video = item.identifier("video_id")
        if videos and video not in videos:
            raise item.error(f"video_id {shown(video)} is not among the videos")
        return videos.get(video, str(video)), True
    folder = str(name.parent)
    return (item.path.stem if folder == "." else folder), False


def _number(item: Item, name: PurePosixPath) -> int:
    digits = last_number(name.stem)
    if digits is None:
        raise item.error(f"no frame_id, and no frame number in file_name {name.name[:80]!r}")
    return int(digits)


def _tell_apart(path: Path, entries: dict[Id, _Entry], problems: dict[str, str]) -> None:
    """Find other numbers for sequences in which two images have one; those left so are a problem."""
    by_sequence: dict[str, list[Id]] = {}
    for image_id, entry in entries.items():
        by_sequence.setdefault(entry.image.sequence, []).append(image_id)
    for sequence, ids in by_sequence.items():
        if sequence in problems:
            continue
        numbers = [entries[image_id].image.frame for image_id in ids]
        twice = len({*numbers}) < len(numbers)
        if not twice and not scattered(numbers):
            continue
        again = _counted_again([entries[image_id] for image_id in ids])
        if again is None and not twice:
            continue
        if again is None:
            problems[sequence] = str(_second(path, [entries[image_id] for image_id in ids]))
            continue
        for image_id, image in zip(ids, again, strict=True):
            entries[image_id] = replace(entries[image_id], image=image)


def _counted_again(entries: list[_Entry]) -> list[CocoImage] | None:
    """Images of one sequence with what counts up in their names, None if nothing does."""
    if not all(entry.stem for entry in entries):
        return None
    pairs = counted([entry.stem for entry in entries])
    if pairs is None:
        return None
    starts = {before for before, _ in pairs}
    if len(starts) > 1 and any(entry.named for entry in entries):
        return None
    images = []
    for entry, (before, number) in zip(entries, pairs, strict=True):
        sequence = entry.image.sequence
        if len(starts) > 1:
            own = sequence_of(before) or before
            folder = str(PurePosixPath(sequence)) if sequence != entry.item.path.stem else ""
            sequence = f"{folder}/{own}" if folder else own
        images.append(replace(entry.image, sequence=sequence, frame=number))
    return images


def _second(path: Path, entries: list[_Entry]) -> DatasetError:
    """The first image whose frame another one has already."""
    first: dict[int, _Entry] = {}
    for entry in entries:
        image = entry.image
        if image.frame in first:
            problem = f"frame {image.frame} of sequence {image.sequence[:80]!r} a second time"
            problem += f", first in {first[image.frame].image.place}"
            advice = ""
            if entry.stem:
                digits = last_number(entry.stem)
                problem += f"; the number is the last of {own_stem(entry.stem)[-80:]!r}, {digits}"
                advice = (
                    "say the numbers with frame_id; of a picture that was exported several times keep one"
                )
            return entry.item.error(problem, advice)
        first[image.frame] = entry
    raise AssertionError(f"{path}: no frame number twice")
