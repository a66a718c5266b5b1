"""R27: damage to compiled code that is kept on disk."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.labelers import compile_cache
from spotlabel.labelers.compiling import compile_cached


def run(bench: Bench) -> Iterator[Result]:
    """Index or code of one function, damaged in every way, then used."""
    draw = bench.draw("caches")
    tally = Tally(
        "R27",
        "compiled code on disk damaged",
        f"{', '.join(_DAMAGES)}, of the index or the code of a function: as a new process would have it, it "
        "still gives the right result, with one line at most, and another where it cannot be kept anew",
        bench.counts.caches * len(_DAMAGES),
    )
    told = _Told()
    logging.getLogger("spotlabel").addHandler(told)
    try:
        for name, damage in _DAMAGES.items():
            for number in range(bench.counts.caches):
                folder = bench.fresh("caches")
                with mock.patch("numba.core.config.CACHE_DIR", str(folder)):
                    tally.record(f"{name}, {number + 1}", _after(folder, damage, draw, told))
    finally:
        logging.getLogger("spotlabel").removeHandler(told)
    yield tally.result()


def _after(
    folder: Path, damage: Callable[[Path, random.Random], None], draw: random.Random, told: _Told
) -> list[str]:
    _add_two_to(1)
    files = sorted(path for path in folder.rglob("*.nb?") if path.is_file())
    damage(draw.choice(files), draw)
    told.lines.clear()
    compile_cache._told.clear()  # as in a new process
    try:
        found = _add_two_to(5)
    except Exception as error:  # whatever comes out of it is what is looked for
        return [f"{type(error).__name__}: {error}"]
    problems = [] if found == 7 else [f"5 + 2 gave {found}"]
    kept = not any("cannot be kept" in line for line in told.lines)
    return problems + ([] if len(told.lines) <= 2 - kept else [f"{len(told.lines)} lines"])


def _add_two_to(value: int) -> Any:
    return compile_cached(_add_two, "sources")(value)


def _add_two(value: int) -> int:
    return value + 2


class _Told(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _flip(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def _cut(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content))])


def _other(path: Path, draw: random.Random) -> None:
    path.write_bytes(draw.randbytes(draw.randrange(400)))


def _gone(path: Path, draw: random.Random) -> None:
    path.unlink()


def _folder(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


_DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "a bit flipped": _flip, "cut short": _cut, "other bytes": _other, "gone": _gone,
    "a folder instead": _folder,
}  # fmt: skip
