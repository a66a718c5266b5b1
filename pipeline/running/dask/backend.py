"""Run many videos on the workers of a Dask cluster; each is labelled as on one machine.

Futures are used directly: through joblib's Dask backend one video whose workers were killed would end
the run of all others, since the first error of a task ends the whole call.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed

from spotlabel.pipeline.atomic import clear_partials, locked_partial
from spotlabel.pipeline.frames import decoders
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.dask.address import DaskError, scheduler_address
from spotlabel.pipeline.running.dask.worker import run_video, stop_run, unfit
from spotlabel.pipeline.running.isolate import Children
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import absolute_tree, stopping_on_signals
from spotlabel.pipeline.running.watcher import Watcher
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.upkeep.freshness import library_versions

_SECONDS_TO_CONNECT = 10
_SECONDS_TO_STOP = 3.0


def run_on_dask(
    recipe: Recipe, names: list[str], scheduler: str, masks_only: bool, watcher: Watcher
) -> list[Outcome]:
    """Bring the named sequences up to date on the workers of a Dask cluster.

    A video whose worker is lost is run again by Dask on another, as often as its scheduler's
    ``distributed.scheduler.allowed-failures`` allows (3 times); a failed video never stops the others.

    Args:
        recipe: the recipe; its data and output folders must be visible to all workers under the same paths.
        names: sequences, in the order they are started.
        scheduler: address (``tcp://host:8786``) or path of a scheduler file.
        masks_only: never run a labeler.
        watcher: told of everything as it happens.

    Returns:
        One outcome per name, in the order of ``names``.

    Raises:
        DaskError: no scheduler answers, or a worker cannot take part.
        Interrupted: SIGINT or SIGTERM came; what ran is cancelled, finished videos are kept.
    """
    if not names:
        return []
    done: dict[str, Outcome] = {}
    with (
        stopping_on_signals(Children()),
        _marked(recipe.out) as marker,
        _connected(scheduler) as client,
    ):
        run = f"spotlabel-{marker.name.split('.')[-2]}"
        common = {
            "run": run,
            "recipe": absolute_tree(recipe),
            "masks_only": masks_only,
            "marker": os.path.abspath(marker),
            "libraries": _libraries(recipe),
        }
        client.subscribe_topic(run, lambda event: _tell(event[1], watcher))
        with _stopping_workers(client, run):
            _check_workers(client, common, watcher)
            for outcome in _outcomes(client, names, common):
                done[outcome.sequence] = outcome
                watcher.finished(outcome)
    return [done[name] for name in names]


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    address = scheduler_address(scheduler)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is told in the outcomes
    try:
        client = Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise DaskError(
            f"--scheduler {scheduler}: no Dask scheduler answers at {address}; start one with "
            f"`dask scheduler` and workers with `dask worker {address} --nthreads 1`"
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=1)


@contextmanager
def _marked(out: Path) -> Iterator[Path]:
    """A file in the output folder that this run alone has, by which workers know the folder.

    It is a locked partial file, so that the next run clears it if this one is killed.
    """
    marker, descriptor = locked_partial(out / "logs" / "dask")
    try:
        yield marker
    finally:
        marker.unlink(missing_ok=True)
        os.close(descriptor)
        clear_partials(out)


def _libraries(recipe: Recipe) -> dict[str, str]:
    """Versions that must be the same everywhere."""
    names = {"spotlabel", *decoders.LIBRARIES}
    for camera in Camera:
        names.update(recipe.labeler_for(camera)[0].libraries)
    return library_versions(tuple(sorted(names)))


def _check_workers(client: Client, common: dict[str, Any], watcher: Watcher) -> None:
    """Find out before the work whether the workers that are there can do it.

    Raises:
        DaskError: the first that cannot.
    """
    problems = client.run(unfit, common, on_error="return")
    if not problems:
        watcher.note("no Dask worker is connected yet: waiting for one")
    for address, problem in sorted(problems.items()):
        if isinstance(problem, Exception):
            raise DaskError(
                f"Dask worker {address} cannot run spotlabel ({_one_line(problem)}); "
                "install the same version there"
            )
        if problem:
            raise DaskError(problem)


def _outcomes(client: Client, names: list[str], common: dict[str, Any]) -> Iterator[Outcome]:
    """Outcomes in the order in which the videos are done."""
    keys = [(common["run"], number) for number in range(len(names))]
    futures = client.map(run_video, names, key=keys, pure=False, common=common)
    owner = dict(zip(futures, names, strict=True))
    for future in as_completed(futures, loop=client.loop):
        yield _outcome(future, owner.pop(future))
        future.release()


def _outcome(future: Future, name: str) -> Outcome:
    if future.status == "finished":
        return Outcome(**future.result())
    if future.status == "cancelled":
        return Outcome(name, error="the Dask scheduler went away or dropped it; run the same command again")
    error = future.exception()
    if isinstance(error, KilledWorker):
        times = error.allowed_failures + 1
        return Outcome(
            name, error=f"{times} Dask workers died with it (out of memory, or taken away?); run it again"
        )
    return Outcome(name, error=f"Dask: {_one_line(error)}")


def _one_line(error: BaseException) -> str:
    """Kind and words of an error of others, which may hold whole tracebacks."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _tell(message: list[Any], watcher: Watcher) -> None:
    """Pass on what a worker's messenger sent."""
    what, *values = message
    if what == "progress":
        watcher.progress(*values)
    else:
        watcher.note(*values)


@contextmanager
def _stopping_workers(client: Client, run: str) -> Iterator[None]:
    """If the block is left early, end what runs on the workers: Dask itself only forgets running tasks."""

    def stop() -> None:
        client.run(stop_run, run, on_error="ignore")

    try:
        yield
    except BaseException:
        stopper = threading.Thread(target=stop, daemon=True)  # a worker that hangs must not hold us
        stopper.start()
        stopper.join(_SECONDS_TO_STOP)
        raise
