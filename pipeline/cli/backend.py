"""``--backend`` and ``--scheduler``: where videos are labelled."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import click

from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.dask.address import scheduler_address
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import run_all, usable_cores
from spotlabel.pipeline.running.watcher import Watcher

_Command = TypeVar("_Command", bound=Callable[..., Any])


def backend_options(command: _Command) -> _Command:
    """``--backend`` and ``--scheduler``."""
    command = click.option(
        "--scheduler", metavar="ADDRESS",
        help="Of the Dask cluster: tcp://host:8786, or the path of a scheduler file.",
    )(command)  # fmt: skip
    return click.option(
        "--backend", type=click.Choice(["local", "dask"]), default="local", show_default=True,
        help="Label on this machine, or on the workers of a Dask cluster (one video per worker thread).",
    )(command)  # fmt: skip


def check_backend(backend: str, scheduler: str | None, jobs: int | None) -> None:
    """Refuse options that do not go together, before anything is read.

    Raises:
        click.UsageError: they do not.
        DaskError: the scheduler is neither an address nor a scheduler file.
    """
    if backend == "dask" and not scheduler:
        raise click.UsageError("--backend dask needs --scheduler, e.g. --scheduler tcp://host:8786")
    if backend == "dask" and jobs:
        raise click.UsageError("--jobs is for --backend local; a Dask worker takes one video per thread")
    if backend == "local" and scheduler:
        raise click.UsageError("--scheduler is for --backend dask")
    if scheduler:
        scheduler_address(scheduler)


def run_videos(
    recipe: Recipe, names: list[str], where: tuple[str | None, int | None], masks_only: bool, watcher: Watcher
) -> list[Outcome]:
    """Bring the named sequences up to date where the user wants it.

    Args:
        recipe: the recipe.
        names: sequences, in the order they are started.
        where: address of a Dask scheduler, or None for this machine; and the number of videos at a time
            here (None: one per processor).
        masks_only: never run a labeler.
        watcher: told of everything as it happens.

    Returns:
        One outcome per name, in the order of ``names``.

    Raises:
        SpotlabelError: Dask is wanted and not installed; else as :func:`run_on_dask`.
    """
    scheduler, jobs = where
    if scheduler is None:
        return run_all(recipe, names, jobs or usable_cores(), masks_only, watcher)
    try:
        dask = importlib.import_module("spotlabel.pipeline.running.dask.backend")  # needs the extra `dask`
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("dask", "distributed"):
            raise
        raise SpotlabelError(
            f"--backend dask needs {error.name}, which is not installed (pip install 'spotlabel[dask]')"
        ) from error
    outcomes: list[Outcome] = dask.run_on_dask(recipe, names, scheduler, masks_only, watcher)
    return outcomes
