"""R23: an input edited at any instant of a run, for good or for a moment: what is called fresh is right."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline import inputs
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import Outcome, run_sequence
from spotlabel.pipeline.upkeep.plan import items, plan_item
from tests.helpers.recipes import stores, tree

LABELERS = ("filled-box", "mog2", "farneback", "boxbg", "pawcs")
"""One of each kind: with and without boxes, in one pass and in several, binary, motion, compiled."""
_FRAMES = 6
_VIDEO = "v"
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
        labeler: of the run.
        frame: position of the frame that is edited; None for the annotations.
        edit: how.
        at: boundary before which it happens.
        lingers: boundaries until it is undone; 0 for never.
    """

    labeler: str
    frame: int | None
    edit: Edit
    at: int
    lingers: int

    def __str__(self) -> str:
        what = "annotations" if self.frame is None else f"frame {self.frame + 1}"
        until = f"for {self.lingers}" if self.lingers else "for good"
        return f"{self.labeler}, {what} {self.edit.name} at boundary {self.at} {until}"


class Stage:
    """A video with other content for each of its files, and what undisturbed runs make of either."""

    def __init__(self, bench: Bench, labeler: str) -> None:
        self._folder = bench.fresh(f"races-{labeler}")
        self.recipe = self._recipe_of(labeler, "out")
        folder = self.recipe.data / _VIDEO
        self.files = [folder / "gt" / "gt.txt", *sorted((folder / "img1").iterdir())]
        self._own = {path: path.read_bytes() for path in self.files}
        self._labeler = labeler
        self._made: dict[tuple[bytes, ...], dict[str, bytes] | None] = {}
        self.boundaries = self._count()

    def _recipe_of(self, labeler: str, out: str) -> Recipe:
        made = tree(self._folder / "data", self._folder / out, _VIDEO, length=_FRAMES, labeler=labeler)
        evidence = made["evidence"] if labeler == "mog2" else {}
        return build_recipe({**made, "evidence": evidence, "frames": {"on_bad": "unknown"}})

    def _count(self) -> int:
        with _at_every_boundary(lambda _: None) as count:
            run_sequence(self.recipe, _VIDEO, False, lambda *_: None)
        return count[0]

    def play(self, plot: Plot) -> tuple[list[str], Outcome] | None:
        """Run once with the edit; the broken promises and what became of the video.

        None if the run came to its end before: frames that are read ahead in a thread, and not wanted in the
        end, make the number of boundaries vary.
        """
        path = self.files[0 if plot.frame is None else plot.frame + 1]
        own, other = self._own[path], _other(path, self._own[path])
        shutil.rmtree(self.recipe.out, ignore_errors=True)
        edited, undone = False, False

        def act(boundary: int) -> None:
            nonlocal edited, undone
            if boundary == plot.at:
                plot.edit.do(path, other)
                edited = True
            elif edited and not undone and plot.lingers and boundary >= plot.at + plot.lingers:
                plot.edit.undo(path, own)
                undone = True

        with _at_every_boundary(act):
            outcome = run_sequence(self.recipe, _VIDEO, False, lambda *_: None)
        try:
            return (self._broken(), outcome) if edited else None
        finally:
            if edited and not undone:
                plot.edit.undo(path, own)

    def _broken(self) -> list[str]:
        """Whether what is called fresh is what an undisturbed run makes of the files as they are."""
        try:
            (item,) = items(self.recipe)
        except DatasetError:  # annotations taken away for good
            return []
        if not plan_item(self.recipe, item, remember=False).idle:
            return []
        expected = self._undisturbed()
        found = stores(self.recipe.out)
        if expected is None:
            return ["fresh, though no run succeeds with these files"]
        return [f"{name} is called fresh and holds another input's result"
                for name in sorted(found) if found[name] != expected.get(name)]  # fmt: skip

    def _undisturbed(self) -> dict[str, bytes] | None:
        state = tuple(path.read_bytes() if path.exists() else b"" for path in self.files)
        if state not in self._made:
            recipe = self._recipe_of(self._labeler, "undisturbed")
            shutil.rmtree(recipe.out, ignore_errors=True)
            failed = run_sequence(recipe, _VIDEO, False, lambda *_: None).failed
            self._made[state] = None if failed else stores(recipe.out)
        return self._made[state]


@contextmanager
def _at_every_boundary(act: Callable[[int], None]) -> Iterator[list[int]]:
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

    own = {name: getattr(inputs, name) for name in ("_settled", "_note")}
    last_look = inputs.Inputs.check
    try:
        for name, function in own.items():
            setattr(inputs, name, framed(function))
        inputs.Inputs.check = framed(last_look)  # type: ignore[method-assign, assignment]
        yield count
    finally:
        for name, function in own.items():
            setattr(inputs, name, function)
        inputs.Inputs.check = last_look  # type: ignore[method-assign]


def _other(path: Path, content: bytes) -> bytes:
    """Other boxes of the same length, or another picture."""
    if path.suffix == ".txt":
        return content.replace(b",14,12,", b",13,12,")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    done, data = cv2.imencode(path.suffix, 255 - image)
    assert done
    return bytes(data.tobytes())


def _plots(stage: Stage, labeler: str, draw: random.Random) -> Iterator[Plot]:
    """Boundaries in turn, so that all are met; the rest at random."""
    for count in itertools.count():
        frame = None if draw.random() < 0.5 else draw.randrange(_FRAMES)
        yield Plot(labeler, frame, draw.choice(EDITS), 1 + count % stage.boundaries, draw.choice(_LINGERS))


def run(bench: Bench) -> Iterator[Result]:
    """A line for each kind of labeler."""
    for labeler in LABELERS:
        yield sweep(bench, labeler)


def sweep(bench: Bench, labeler: str) -> Result:
    """All boundaries of a run of one labeler."""
    stage, draw = Stage(bench, labeler), bench.draw(f"races {labeler}")
    tally = Tally(
        "R23",
        f"inputs edited during a run of {labeler}",
        f"at each of the {stage.boundaries} moments before and after a file is opened, hashed or looked at a "
        "last time, the annotations or a frame are written over under their old dates, replaced or taken "
        "away, for good or for a few such moments: what is then called fresh has the bytes of an undisturbed "
        "run",
        bench.counts.races,
    )
    refused = 0
    for plot in _plots(stage, labeler, draw):
        if tally.count == bench.counts.races:
            break
        if (played := stage.play(plot)) is not None:
            problems, outcome = played
            refused += outcome.failed
            tally.record(str(plot), problems)
    return tally.result(f"{refused} runs failed by name, the others were right")
