"""Run many videos on one machine: joblib gives each its turn, a child process does the work."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from joblib import Parallel, delayed

from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.errors import Interrupted, RecipeError
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.isolate import Children, Lost, Stopped, run_isolated
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.scratch import clear_scratch
from spotlabel.pipeline.running.watcher import Watcher
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.upkeep.labeler_files import labeler_files

_TRIES = 2
"""A child that dies (not: fails) is tried once more; memory may have been short for a moment."""


def usable_cores() -> int:
    """Number of processors this process may use; inside a Slurm job no more than it was given."""
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE") or ""
    return min(seen, max(1, int(given))) if given.isdecimal() else seen


def check_writable(out: Path) -> None:
    """Find out before the work whether its results can be written.

    Raises:
        RecipeError: the output folder cannot be made or written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise RecipeError(f"out: {out} cannot be written to: {error.strerror}; set another `out`") from error


def run_all(recipe: Recipe, names: list[str], jobs: int, masks_only: bool, watcher: Watcher) -> list[Outcome]:
    """Bring the named sequences up to date, each in a process of its own.

    A failed video never stops the others.

    Args:
        recipe: the recipe.
        names: sequences, in the order they are started.
        jobs: videos at a time, >= 1.
        masks_only: never run a labeler.
        watcher: told of everything as it happens.

    Returns:
        One outcome per name, in the order of ``names``.

    Raises:
        Interrupted: SIGINT or SIGTERM came; the children are dead, finished videos are kept.
    """
    return _run_jobs(recipe, names, jobs, {"masks_only": masks_only}, watcher)


def teach_all(recipe: Recipe, names: list[str], jobs: int, watcher: Watcher) -> list[Outcome]:
    """Bring the students of the named sequences up to date; as :func:`run_all`."""
    return _run_jobs(recipe, names, jobs, {"teach": True}, watcher)


def _run_jobs(
    recipe: Recipe, names: list[str], jobs: int, what: Mapping[str, Any], watcher: Watcher
) -> list[Outcome]:
    """Run a job for each of the named sequences."""
    tree = absolute_tree(recipe)
    children = Children()
    threads = max(1, usable_cores() // max(1, min(jobs, len(names))))

    def run(name: str) -> Outcome:
        job = {"recipe": tree, "sequence": name, "threads": threads, **what}
        return run_one(job, recipe.out / "logs" / f"{file_stem(name)}.log", children, watcher)

    done: dict[str, Outcome] = {}
    with stopping_on_signals(children), _cleaning_up(children, recipe.out):
        pool = Parallel(n_jobs=jobs, backend="threading", return_as="generator_unordered")
        for outcome in pool(delayed(run)(name) for name in names):
            done[outcome.sequence] = outcome
            watcher.finished(outcome)
    return [done[name] for name in names]


def run_one(job: Mapping[str, Any], log: Path, children: Children, watcher: Watcher) -> Outcome:
    """Run one job in a child process, once more if the child dies; its outcome, whatever happens.

    What a dead child was writing is cleared at once. A child that ends by itself clears up behind itself, so
    no folder has to be listed for it: that would be work for every video over the files of all.
    """
    name = str(job["sequence"])
    reason = ""
    for attempt in range(_TRIES):
        try:
            return run_isolated(job, log, children, watcher.progress)
        except Stopped:
            return Outcome(name, error="stopped")
        except Lost as lost:
            reason = str(lost)
            _clear_up(job)
            if attempt + 1 < _TRIES:
                watcher.note(f"{name}: {reason}; trying once more")
        except OSError as error:  # no room for a log, no process to be had
            return Outcome(name, error=f"could not be started: {error}")
    return Outcome(name, error=f"{reason}; tried {_TRIES} times", log=str(log) if log.exists() else "")


def _clear_up(job: Mapping[str, Any]) -> None:
    """Clear what a dead child has left of its video, on the host it ran on."""
    clear_partials(Path(job["recipe"]["out"]), file_stem(str(job["sequence"])))


def absolute_tree(recipe: Recipe) -> dict[str, Any]:
    """The recipe as data for a child, which runs in another folder: every path in it is absolute."""
    tree = {**recipe.tree, "data": os.path.abspath(recipe.data), "out": os.path.abspath(recipe.out)}
    evidence = {name: dict(values) for name, values in recipe.tree.get("evidence", {}).items()}
    for labeler, settings in map(recipe.labeler_for, Camera):
        for name, path in labeler_files(labeler, settings).items():
            evidence.setdefault(labeler.name, {})[name] = os.path.abspath(path)
    return {**tree, "evidence": evidence} if evidence else tree


@contextmanager
def _cleaning_up(children: Children, out: Path) -> Iterator[None]:
    """At the end, however it comes, no child is left and no partial file of a dead one."""
    clear_scratch()
    try:
        yield
    finally:
        children.stop()
        children.join()
        clear_partials(out)


@contextmanager
def stopping_on_signals(children: Children) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM kill the children and raise :class:`Interrupted` in the main thread.

    The children are killed first: joblib waits for its threads, and those wait for the children.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        for again in (signal.SIGINT, signal.SIGTERM):  # a second one must not break off the cleaning up
            signal.signal(again, signal.SIG_IGN)
        children.stop()
        raise Interrupted(number)

    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
