"""From names in the data to files under the output root."""

from __future__ import annotations

import re
from pathlib import Path

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.hashing import text_digest

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_LONGEST_READABLE_PART = 60


def file_stem(name: str) -> str:
    """File name (without suffix) for a sequence name, which is data and may hold anything.

    A plain name stays as it is. Any other name is made plain and gets a piece of its digest, so two names
    never share a file and none leaves its folder (``..``, slashes, control characters, 200 letters...).

    Args:
        name: the sequence's own name.

    Returns:
        A string of letters, digits, ``_``, ``.``, ``-``; never starts with a dot.
    """
    if _SAFE.fullmatch(name) and "--" not in name:  # "--" marks the digest, so no plain name can pose as one
        return name
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:_LONGEST_READABLE_PART]
    return f"{readable or 'sequence'}--{text_digest(name)[:12]}"


def evidence_path(out: Path, labeler: str, sequence: str) -> Path:
    """Evidence store of a sequence: ``<out>/evidence/<labeler>/<sequence>.h5``."""
    return out / "evidence" / file_stem(labeler) / f"{file_stem(sequence)}.h5"


def student_path(out: Path, labeler: str, sequence: str) -> Path:
    """Student of a sequence: ``<out>/students/<labeler>/<sequence>.onnx``."""
    return out / "students" / file_stem(labeler) / f"{file_stem(sequence)}.onnx"


def shared_student_path(out: Path, labeler: str, group: str) -> Path:
    """Student of several videos: ``<out>/students/<labeler>/camera+<camera>.onnx``, ``dataset+all.onnx``."""
    kind, _, name = group.partition("+")
    return out / "students" / file_stem(labeler) / f"{kind}+{file_stem(name)}.onnx"


def mask_path(out: Path, sequence: str) -> Path:
    """Mask store of a sequence: ``<out>/masks/<sequence>.h5``."""
    return out / "masks" / f"{file_stem(sequence)}.h5"


def manual_path(out: Path, sequence: str) -> Path:
    """What people corrected in a sequence: ``<out>/manual/<sequence>.h5``."""
    return out / "manual" / f"{file_stem(sequence)}.h5"


def check_names(names: list[str]) -> None:
    """Refuse a dataset whose sequences cannot be told apart by their stores.

    Raises:
        DatasetError: two sequences have the same name (letter case aside: some disks ignore it), or a name
            is no Unicode text.
    """
    seen: dict[str, str] = {}
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise DatasetError(f"sequence name {name!r} is not UTF-8; rename its folder or file") from error
        key = file_stem(name).lower()
        if key in seen:
            raise DatasetError(
                f"two sequences would share one store: {seen[key]!r} and {name!r}; rename one of them"
            )
        seen[key] = name
