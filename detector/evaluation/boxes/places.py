"""Which file or folder holds the detections of which sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.names import file_stem

COMP4 = "comp4_det_"
IMAGES_SUFFIX = "--images.json"
"""Ends the name of a file of image ids; no clip's own file ends so."""
JOINED = "coco--all.json"
"""The results of all clips in one file; a clip's own file is never called so."""


@dataclass(frozen=True)
class Places:
    """Where detections are.

    Attributes:
        by_name: a file, or a folder of ``comp4_det_*.txt``, by the sequence's name.
        strangers: files and folders of detections that belong to no sequence.
    """

    by_name: dict[str, Path]
    strangers: tuple[Path, ...]


def find_places(given: Path, names: Sequence[str], others: Iterable[str] = ()) -> Places:
    """Look for the detections of sequences.

    Args:
        given: a file; or a folder with ``<sequence>.txt``, ``<sequence>_Det_<detector>.txt`` or
            ``<sequence>.json``, ``<sequence>/det/det.txt`` (MOT), ``<sequence>/comp4_det_*.txt`` (VOC). The
            names are those that ``spotlabel detect`` gives its files. A file needs no name if there is one
            sequence only.
        names: the sequences.
        others: further sequences of the dataset, whose detections are passed over.

    Raises:
        DatasetError: nothing there, nothing that belongs to one of the sequences, or two for one.
    """
    if not given.exists():
        raise DatasetError.at(given, "", "no such file or folder of detections")
    single = given.is_file() or bool(_comp4(given))
    found = [given] if single else [path for path in sorted(given.iterdir()) if _holds_detections(path)]
    stems = {file_stem(name): name for name in names}
    passed = {file_stem(name): name for name in others}
    by_name: dict[str, Path] = {}
    strangers = []
    for path in found:
        name = names[0] if single and len(names) == 1 else _owner(path, stems)
        if name is None:
            if _owner(path, passed) is None:
                strangers.append(path)
        elif name in by_name:
            problem = f"a second file of {name}, the other is {by_name[name].name}"
            raise DatasetError.at(path, "", problem, "keep one in the folder")
        else:
            by_name[name] = path
    if not by_name:
        there = f"there are {_shown(path.name for path in strangers)}" if strangers else "there is none"
        expected = f"expected .txt, .json or a folder of comp4_det_*.txt called {_shown(stems)}"
        raise DatasetError.at(given, "", f"no detections of the recipe's sequences: {expected}", there)
    return Places({name: by_name[name] for name in names if name in by_name}, tuple(strangers))


def _holds_detections(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return bool(_comp4(path)) or (path / "det" / "det.txt").is_file()
    named_so = path.name.endswith(IMAGES_SUFFIX) or path.name == JOINED
    return path.suffix.lower() in (".txt", ".json") and not named_so


def _comp4(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{COMP4}*.txt")) if folder.is_dir() else []


def _owner(path: Path, stems: dict[str, str]) -> str | None:
    stem = path.name if path.is_dir() else path.stem
    return stems.get(stem, stems.get(stem.partition("_Det_")[0]))


def _shown(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
