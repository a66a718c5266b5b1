"""R23: an input edited at any instant of a run, for good or for a moment: what is called fresh is right."""

from __future__ import annotations

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from collections.abc import Sequence as Seq
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline import inputs
from spotlabel.pipeline.store import sealed

_LINGERS = (1, 2, 3, 5, 9, 17, 0)
"""After how many further boundaries an edit is undone; 0: never."""


@dataclass(frozen=True)
class Edit:
    """One way to make other content of a file.

    Attributes:
        name: for the report.
        do: called with the file and the other content.
        undo: called with the file and its own content.
    """

    name: str
    do: Callable[[Path, bytes], None]
    undo: Callable[[Path, bytes], None]


def _in_place(path: Path, content: bytes) -> None:
    """Other bytes in the same file under the old dates."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.aside")


def _replace(path: Path, content: bytes) -> None:
    """Another file under the name; the own one waits beside."""
    os.rename(path, _aside(path))
    path.write_bytes(content)


def _put_back(path: Path, _content: bytes) -> None:
    os.replace(_aside(path), path)


def _take_away(path: Path, _content: bytes) -> None:
    os.rename(path, _aside(path))


EDITS = (
    Edit("written over", _in_place, _in_place),
    Edit("replaced", _replace, _put_back),
    Edit("taken away", _take_away, _put_back),
)


@dataclass(frozen=True)
class Plot:
    """What is done to which file, and when.

    Attributes:
        path: of the file.
        edit: how it is edited.
        at: boundary before which that happens.
        lingers: boundaries until it is undone; 0 for never.
    """

    path: Path
    edit: Edit
    at: int
    lingers: int

    def __str__(self) -> str:
        until = f"for {self.lingers}" if self.lingers else "for good"
        return f"{self.path.name} {self.edit.name} at boundary {self.at} {until}"


class Stage(ABC):
    """One part of the work over a few files; subclasses say which, and what comes of it.

    Attributes:
        name: for the report.
        files: what is edited.
        others: other content of each file.
        rare: share of the edits that do not go to the first of the files.
    """

    name: str
    files: Seq[Path]
    others: Mapping[Path, bytes]
    rare = 0.5

    @abstractmethod
    def clear(self) -> None:
        """Take away what earlier runs have made."""

    @abstractmethod
    def run(self) -> bool:
        """Do the work; True if it was refused."""

    @abstractmethod
    def claimed(self) -> dict[str, bytes] | None:
        """What is now up to date with the files as they are, or is made so by going on; None if nothing."""

    @abstractmethod
    def alone(self) -> dict[str, bytes] | None:
        """What a run that nobody disturbs makes of the files as they are; None if it is refused."""

    def boundaries(self) -> int:
        """How many moments there are."""
        self.clear()
        with at_every_boundary(lambda _: None) as count:
            assert not self.run()
        return count[0]


def _play(
    stage: Stage, plot: Plot, known: dict[Hashable, dict[str, bytes] | None]
) -> tuple[list[str], bool] | None:
    """Run once with an edit: the broken promises, and whether the run was refused.

    None if the run came to its end before: frames that are read ahead in a thread, and not wanted in the end,
    make the number of boundaries vary.
    """
    own, other = plot.path.read_bytes(), stage.others[plot.path]
    stage.clear()
    edited, undone = False, False

    def act(boundary: int) -> None:
        nonlocal edited, undone
        if boundary == plot.at:
            plot.edit.do(plot.path, other)
            edited = True
        elif edited and not undone and plot.lingers and boundary >= plot.at + plot.lingers:
            plot.edit.undo(plot.path, own)
            undone = True

    with at_every_boundary(act):
        refused = stage.run()
    try:
        return (_broken(stage, known), refused) if edited else None
    finally:
        if edited and not undone:
            plot.edit.undo(plot.path, own)


def _broken(stage: Stage, known: dict[Hashable, dict[str, bytes] | None]) -> list[str]:
    """Whether what is called fresh is what an undisturbed run makes of the files as they are."""
    found = stage.claimed()
    if found is None:
        return []
    state = tuple(path.read_bytes() if path.exists() else b"" for path in stage.files)
    if state not in known:
        known[state] = stage.alone()
    expected = known[state]
    if expected is None:
        return ["fresh, though no run succeeds with these files"]
    return [f"{name} is called fresh and holds another input's result"
            for name in sorted(found) if found[name] != expected.get(name)]  # fmt: skip


_LOOKS = (
    *((inputs, name) for name in ("_settled", "_note")), (inputs.Inputs, "check"),
    *((sealed, name) for name in ("check_seal", "open_frames", "_look")),
)  # fmt: skip
"""Where input files and stores are looked at."""


@contextmanager
def at_every_boundary(act: Callable[[int], None]) -> Iterator[list[int]]:
    """Call ``act`` with a running number before and after every look at an input."""
    count = [0]

    def next_boundary() -> None:
        count[0] += 1
        act(count[0])

    def framed(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            next_boundary()
            try:
                return function(*arguments, **named)
            finally:
                next_boundary()

        return call

    own = [(place, name, getattr(place, name)) for place, name in _LOOKS]
    try:
        for place, name, function in own:
            setattr(place, name, framed(function))
        yield count
    finally:
        for place, name, function in own:
            setattr(place, name, function)


def other_input(path: Path) -> bytes:
    """Other boxes of the same length, or another picture."""
    content = path.read_bytes()
    if path.suffix == ".txt":
        return content.replace(b",14,12,", b",13,12,")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    done, data = cv2.imencode(path.suffix, 255 - image)
    assert done
    return bytes(data.tobytes())


def _plots(stage: Stage, boundaries: int, draw: random.Random) -> Iterator[Plot]:
    """All boundaries, in another order each time; the rest at random."""
    while True:
        for at in draw.sample(range(1, boundaries + 1), boundaries):
            path = stage.files[0] if draw.random() >= stage.rare else draw.choice(stage.files[1:])
            yield Plot(path, draw.choice(EDITS), at, draw.choice(_LINGERS))


def sweep(stage: Stage, wanted: int, draw: random.Random) -> Result:
    """Edit a file at all boundaries of a stage.

    Args:
        stage: what is disturbed.
        wanted: number of edits.
        draw: random numbers.
    """
    boundaries = stage.boundaries()
    tally = Tally(
        "R23",
        f"inputs edited during {stage.name}",
        f"at each of the {boundaries} moments before and after a file is opened, hashed or looked at a last "
        "time, one of its inputs is written over under its old dates, replaced or taken away, for good or "
        "for a few such moments: what is then called fresh has the bytes of an undisturbed run",
        wanted,
    )
    refused, known = 0, dict[Hashable, "dict[str, bytes] | None"]()
    for plot in _plots(stage, boundaries, draw):
        if tally.count == wanted:
            break
        if (played := _play(stage, plot, known)) is not None:
            problems, was_refused = played
            refused += was_refused
            tally.record(str(plot), problems)
    return tally.result(f"{refused} runs failed by name, the others were right")
