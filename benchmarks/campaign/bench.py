"""Where the campaign works: a scratch folder, small videos, and what an undisturbed run makes of them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from benchmarks.campaign.counts import Counts
from tests.helpers.recipes import command, environment, leftovers, stores, tree, write

_PATIENCE = 600.0


@dataclass(frozen=True)
class Whole:
    """Videos and what an undisturbed run left of them.

    Attributes:
        names: the videos.
        tree: their recipe as data; its ``out`` is the undisturbed run's.
        stores: every store's bytes by its path below the output folder.
        seconds: wall time of the run.
    """

    names: tuple[str, ...]
    tree: dict[str, Any]
    stores: dict[str, bytes]
    seconds: float


@dataclass
class Bench:
    """A scratch folder with what every family needs.

    Attributes:
        folder: scratch; removed by whoever made it.
        counts: how often each fault is injected.
        data: folder of the real sequences; None without.
        seed: of everything random.
    """

    folder: Path
    counts: Counts
    data: Path | None = None
    seed: int = 1
    _made: dict[tuple[int, int, str], Whole] = field(default_factory=dict)

    def draw(self, family: str) -> random.Random:
        """A family's own random numbers."""
        return random.Random(f"{self.seed} {family}")

    def fresh(self, name: str) -> Path:
        """An empty folder."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def whole(self, videos: int, frames: int = 12, labeler: str = "mog2") -> Whole:
        """Small videos, labelled without any disturbance; made once."""
        key = (videos, frames, labeler)
        if key not in self._made:
            self._made[key] = self._label(*key)
        return self._made[key]

    def _label(self, videos: int, frames: int, labeler: str) -> Whole:
        folder = self.fresh(f"whole-{labeler}-{videos}x{frames}")
        names = tuple(f"v{number}" for number in range(videos))
        recipe = tree(folder / "data", folder / "out", *names, length=frames, labeler=labeler)
        if labeler != "mog2":
            recipe.pop("evidence")
        started = time.perf_counter()
        done = label(write(folder / "recipe.yaml", recipe))
        if done.returncode:
            raise RuntimeError(f"the undisturbed run failed: {done.stderr}")
        return Whole(names, recipe, stores(folder / "out"), time.perf_counter() - started)

    def recipe(self, whole: Whole, out: Path, **changes: Any) -> Path:
        """The recipe of some videos with another output folder (and other values), as a file."""
        return write(out.with_name(f"{out.name}.yaml"), {**whole.tree, "out": str(out), **changes})

    @cached_property
    def idle_seconds(self) -> float:
        """Wall time of a run that has nothing to do."""
        whole = self.whole(1)
        started = time.perf_counter()
        label(self.recipe(whole, Path(whole.tree["out"])))
        return time.perf_counter() - started


def surroundings(**more: str) -> dict[str, str]:
    """The environment of a run: one thread, so that runs beside each other do not crowd."""
    return environment(OMP_NUM_THREADS="1", **more)


def label(recipe: Path, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    """``spotlabel label`` to its end; ``subprocess.TimeoutExpired`` if that takes minutes."""
    return subprocess.run(
        command("label", recipe, "--jobs", 2, *arguments),
        capture_output=True, text=True, env=surroundings(**env), check=False, timeout=_PATIENCE,
    )  # fmt: skip


def start(recipe: Path, *arguments: object, **env: str) -> subprocess.Popen[str]:
    """``spotlabel label``, running; whoever starts it ends it."""
    return subprocess.Popen(
        command("label", recipe, "--jobs", 2, *arguments),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings(**env),
    )  # fmt: skip


def family_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes below a running one."""
    try:
        return list(psutil.Process(process.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def end(processes: Iterable[psutil.Process]) -> None:
    """Kill processes that may be dead already."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def differences(out: Path, expected: dict[str, bytes]) -> list[str]:
    """In what an output folder differs from an undisturbed run's, byte by byte; also partial files."""
    found = stores(out)
    problems = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    problems += [f"{name} should not be there" for name in sorted(found.keys() - expected.keys())]
    problems += [f"{name} has other bytes" for name in sorted(found) if found[name] != expected.get(name)]
    return problems + [f"left behind: {path.name}" for path in leftovers(out)]


def unfinished(out: Path, *allowed: dict[str, bytes]) -> list[str]:
    """Final names whose bytes are none of those a finished store may have."""
    return [
        f"{name} stands under its final name with bytes that no finished run wrote"
        for name, content in stores(out).items()
        if all(content != known.get(name) for known in allowed)
    ]


def identities(out: Path) -> dict[Path, tuple[int, int]]:
    """Inode and time of every finished store: both change if it is made again."""
    found = {}
    for path in out.rglob("*.h5"):
        if not path.name.startswith("."):
            stat = os.stat(path)
            found[path] = (stat.st_ino, stat.st_mtime_ns)
    return found


def redone(out: Path, before: dict[Path, tuple[int, int]]) -> list[str]:
    """Finished stores that were made again."""
    after = identities(out)
    return [
        f"{path.name} was finished and was made again" for path in before if after.get(path) != before[path]
    ]
