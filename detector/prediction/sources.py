"""From paths on the command line to clips."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from spotlabel.detector.data.stills.settings import CocoPart, Part, StillsSettings, VocPart, open_stills
from spotlabel.detector.data.stills.voc_tree import VocTree
from spotlabel.detector.errors import PredictionError
from spotlabel.detector.prediction.clips import Clip, ImageList
from spotlabel.pipeline.datasets.layout import natural_key
from spotlabel.pipeline.datasets.video import VIDEO_SUFFIXES
from spotlabel.pipeline.frames import VideoFile
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.names import check_names
from spotlabel.pipeline.sequence import Sequence

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
Orientation = Literal["upright", "stored"]
LOOSE = "images"
"""Name of the clip of images that were named one by one."""


def clips_of_paths(paths: list[Path], orientation: Orientation = "upright") -> list[Clip]:
    """Clips of image files, folders and video files.

    Images that are named one by one form a clip, those of a folder another, and every video one of its own.

    Args:
        paths: files and folders.
        orientation: whether EXIF orientations and display matrices are followed.

    Raises:
        PredictionError: a path does not exist, is neither image nor video, or a folder holds neither.
        DatasetError: two clips that cannot be told apart.
    """
    paths = list(dict.fromkeys(paths))
    loose = [path for path in paths if _is(path, IMAGE_SUFFIXES)]
    found: list[tuple[Path, Clip]] = []
    for path in paths:
        if path.is_dir():
            found.extend(_folder(path, orientation))
        elif _is(path, VIDEO_SUFFIXES):
            found.append(_video(path, orientation))
        elif path not in loose:
            raise _unusable(path)
    clips = _named_apart(found)
    if loose:
        clips.append(Clip(LOOSE, ImageList(loose, orientation)))
    check_names([clip.name for clip in clips])
    return clips


def clips_of_sequences(sequences: list[Sequence], skip_bad: bool) -> list[Clip]:
    """Clips of a dataset's sequences.

    Args:
        sequences: the sequences.
        skip_bad: leave out frames that cannot be read.
    """
    return [Clip(sequence.name, sequence.frames, skip_bad, sequence) for sequence in sequences]


def clips_of_stills(stills: StillsSettings, data: Path) -> list[Clip]:
    """Clips of still pictures to be looked at, one for each part: ``VOC2007-test``, ``instances_val2017``.

    Args:
        stills: which they are.
        data: folder that relative paths start at.

    Raises:
        DatasetError: a part cannot be used, or two of them cannot be told apart.
        PredictionError: there is no part to look at.
    """
    clips = [_part(part, stills, data) for part in parts_to_look_at(stills)]
    check_names([clip.name for clip in clips])
    return clips


def parts_to_look_at(stills: StillsSettings) -> tuple[Part, ...]:
    """The parts of ``test``, else those of ``held_out``; PredictionError if there are none."""
    parts = stills.test or stills.held_out
    if not parts:
        raise PredictionError("stills.test: names no part to look at, nor does stills.held_out")
    return parts


def _part(part: Part, stills: StillsSettings, data: Path) -> Clip:
    if isinstance(part, VocPart):
        tree = VocTree(data / part.root)  # its annotations are not needed; those of test sets may be secret
        paths = [tree.image(name) for name in tree.names(part.split)]
    else:
        paths = [picture.path for picture in open_stills([part], "one", data)[0].pictures]
    split = part.annotations.stem if isinstance(part, CocoPart) else part.split
    name = split if isinstance(part, CocoPart) else f"{part.root.name}-{split}"
    return Clip(name, ImageList(paths, stills.orientation), split=split)


def _folder(folder: Path, orientation: Orientation) -> list[tuple[Path, Clip]]:
    try:
        held = sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    except OSError as error:
        raise PredictionError(f"{folder}: cannot be listed: {error.strerror or error}") from error
    images = [path for path in held if _is(path, IMAGE_SUFFIXES)]
    found = [(folder, Clip("", ImageList(images, orientation)))] if images else []
    found += [_video(path, orientation) for path in held if _is(path, VIDEO_SUFFIXES)]
    if not found:
        advice = (
            "name its subfolders, for example with /*" if any(p.is_dir() for p in held) else "is it empty?"
        )
        raise PredictionError(
            f"{folder}: holds no images ({', '.join(IMAGE_SUFFIXES[:4])}...) and no videos ({advice})"
        )
    return found


def _video(path: Path, orientation: Orientation) -> tuple[Path, Clip]:
    options = FrameOptions(grey="convert", orientation=orientation)
    return path.with_suffix(""), Clip("", VideoFile(path, options))


def _named_apart(found: list[tuple[Path, Clip]]) -> list[Clip]:
    """Clips named after file or folder; with the folders above where that is not enough."""
    parts = [path.resolve().parts for path, _ in found]
    names = [part[-1] for part in parts]
    for depth in range(2, max(map(len, parts), default=0) + 1):
        often = Counter(name.lower() for name in names)
        if not any(often[name.lower()] > 1 for name in names):
            break
        names = [
            "/".join(part[-depth:]).lstrip("/") if often[name.lower()] > 1 else name
            for part, name in zip(parts, names, strict=True)
        ]
    return [Clip(name, clip.frames) for name, (_, clip) in zip(names, found, strict=True)]


def _is(path: Path, suffixes: tuple[str, ...]) -> bool:
    return path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith(".")


def _unusable(path: Path) -> PredictionError:
    if not path.exists():
        return PredictionError(f"{path}: no such file or folder")
    known = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
    return PredictionError(f"{path}: neither an image nor a video (known: {', '.join(known)})")
