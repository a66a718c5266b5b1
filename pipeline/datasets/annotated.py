"""Which frames were annotated: a frame that nobody looked at is not a frame without objects.

Some formats say it (COCO by its ``images``); of the others the option ``dataset.annotated`` does. Frames that
were not annotated have unknown masks and are not trained on; labelers see them all the same.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field

from spotlabel.pipeline.datasets.text import read_text
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.sequence import Annotations, FrameSource, Sequence

logger = logging.getLogger("spotlabel")

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

SEQUENCE = "{sequence}"
"""Stands for the sequence's name in the name of a file of frame numbers."""
_EVERY = re.compile(r"every-([1-9][0-9]{0,8})")
_SPAN = re.compile(r"([0-9]{1,15})(?:-([0-9]{1,15}))?")


def _word_or_file(value: object) -> object:
    """Text that is none of the words names a file; what was meant as ``every-N`` does not."""
    if not isinstance(value, str) or value in ("all", "listed") or _EVERY.fullmatch(value):
        return value
    if re.fullmatch(r"every[-_ ]*-?[0-9.]*", value) or not value.strip():
        raise ValueError(f"{value!r} is none of all, listed, every-N (N from 1), or the name of a file")
    return Path(value)


AnnotatedOption = Annotated[
    Literal["all", "listed"] | Annotated[str, Field(pattern=rf"^{_EVERY.pattern}$")] | Path | None,
    BeforeValidator(_word_or_file),
]
"""``all``, ``listed``, ``every-N``, or the path of a file of frame numbers."""


def with_option(sequence: Sequence, root: Path, given: str | Path | None) -> Sequence:
    """A sequence whose annotations say which frames were annotated, as the option asks.

    Args:
        sequence: as its reader lists it.
        root: what the path of a file of frame numbers is relative to.
        given: the option; None leaves it to the format.
    """
    if given is None or (given == "all" and not sequence.names_frames):
        return sequence
    file = None
    if isinstance(given, Path):
        file = root / str(given).replace(SEQUENCE, sequence.name)
        if SEQUENCE in str(given) and ".." in PurePosixPath(sequence.name).parts:
            raise DatasetError.at(file, "", f"the sequence's name {sequence.name[:80]!r} leads elsewhere")
    load = partial(_load, sequence.load, sequence.frames, given, file)
    return replace(sequence, load=load, names_frames=False, annotated_file=file)


def _load(
    load: Callable[[], Annotations], frames: FrameSource, given: str | Path, file: Path | None
) -> Annotations:
    found = load()
    if given == "all":
        return replace(found, annotated=None)
    if file is not None:
        annotated = _at(read_numbers(file), frames.numbers, file)
    elif given == "listed":
        annotated = _rows(found) if found.listed is None else found.listed
    else:
        annotated = every(int(str(given).removeprefix("every-")), _rows(found))
    if outside := int(np.count_nonzero(_rows(found) & ~annotated)):
        logger.warning(
            "dataset.annotated=%s: %d frames with boxes are not among the annotated, their masks are unknown",
            given,
            outside,
        )
    return replace(found, annotated=None if annotated.all() else annotated)


def as_listed(found: Annotations, path: Path) -> Annotations:
    """Annotations of a file that names the frames somebody looked at; told if these are not all."""
    if found.listed is None or found.listed.all():
        return found
    unlisted = int(np.count_nonzero(~found.listed))
    logger.warning(
        "%s: %d of %d frames are not listed, nobody looked at them: their masks are unknown "
        "(dataset.annotated=all takes them for frames without objects)",
        path,
        unlisted,
        len(found.listed),
    )
    return replace(found, annotated=found.listed)


def _rows(found: Annotations) -> Bool:
    """Frames with boxes, bool (T,)."""
    return np.diff(found.boxes.offsets) > 0


def every(step: int, rows: Bool) -> Bool:
    """Every ``step``-th frame, in the phase in which most frames with boxes are.

    Args:
        step: >= 1.
        rows: bool (T,), frames with boxes; without any, the phase is that of the first frame.

    Returns:
        bool (T,).
    """
    phase = int(np.bincount(np.flatnonzero(rows) % step, minlength=1).argmax())
    chosen: Bool = np.arange(len(rows)) % step == phase
    return chosen


def read_numbers(path: Path) -> Int64:
    """Frame numbers of a file: numbers and spans such as ``10-20``, apart by blanks, commas or line ends.

    ``#`` begins a remark.

    Returns:
        int64 (K,), rising, each once.

    Raises:
        DatasetError: there is no such file, no number in it, or something else; names the line.
    """
    if not path.is_file():
        advice = "dataset.annotated is one of all, listed, every-N, or a file of frame numbers"
        raise DatasetError.at(path, "", "no such file", advice)
    spans: list[Int64] = []
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        for word in text.split("#")[0].replace(",", " ").replace(";", " ").split():
            match = _SPAN.fullmatch(word)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
            if not first <= last < first + 10_000_000:
                problem = f"{word[:40]!r} is neither a frame number nor a span such as 10-20"
                raise DatasetError.at(path, f"line {line}", problem)
            spans.append(np.arange(first, last + 1, dtype=np.int64))
    if not spans:
        raise DatasetError.at(path, "", "holds no frame number", "one per line, or spans such as 10-20")
    return np.unique(np.concatenate(spans))


def _at(wanted: Int64, numbers: Int64, path: Path) -> Bool:
    """Which of the frames are wanted, bool (T,); refuses a number that no frame has."""
    strangers = wanted[~np.isin(wanted, numbers)]
    if len(strangers):
        problem = f"frame {strangers[0]} is none of the frames, which are {numbers[0]} to {numbers[-1]}"
        raise DatasetError.at(path, "", problem)
    return np.isin(numbers, wanted)
