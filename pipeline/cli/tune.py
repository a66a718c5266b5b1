"""``spotlabel tune``: mask settings moved by hand, on a page of this machine."""

from __future__ import annotations

import shlex
import webbrowser
from collections.abc import Callable
from typing import Any

import click

from spotlabel.pipeline.cli.options import recipe_options
from spotlabel.pipeline.errors import DatasetError, StoreError
from spotlabel.pipeline.pages.serving.answer import Routes
from spotlabel.pipeline.pages.serving.server import PageServer
from spotlabel.pipeline.pages.serving.videos import evidence_files
from spotlabel.pipeline.pages.tune.app import Tuner
from spotlabel.pipeline.pages.tune.saving import RecipeFile
from spotlabel.pipeline.terminal import echo
from spotlabel.pipeline.upkeep.plan import items


def page_options(command: Any) -> Any:
    """RECIPE, ``--set``, ``--only``, ``--port`` and ``--no-browser``."""
    for option in (
        click.option("--no-browser", is_flag=True, help="Print the address alone, and open no browser."),
        click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N",
                     help="Port of the page's address; default: a free one."),
    ):  # fmt: skip
        command = option(command)
    return recipe_options(command)


@click.command()
@page_options
def tune(recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], port: int, no_browser: bool) -> None:
    """Move mask settings on a page, and watch the masks follow.

    Serves a page to this machine alone, at an address that nobody else knows, until Ctrl-C. Shows single
    frames of videos whose evidence is made; the masks are those that `relabel` would write. What was found
    goes into the recipe file, whose comments stay, and with one button over all videos.

    \b
    Examples:
      spotlabel tune my-cameras.yaml
      spotlabel tune my-cameras.yaml --only gate-3 --set masks.preset=paper
      spotlabel tune my-cameras.yaml --no-browser --port 8123   # from afar: ssh -L 8123:127.0.0.1:8123 HOST
    """
    file = RecipeFile(recipe, overrides)
    chosen = items(file.recipe, only)
    if not chosen:
        raise DatasetError(f"{file.recipe.data}: holds no videos")
    if not any(map(evidence_files, chosen)):
        raise StoreError(
            f"{file.recipe.out}: no video has evidence to make masks of; "
            f"run `spotlabel label {shlex.quote(recipe)}` first"
        )
    app = Tuner(file, chosen)
    serve_page("tune", port, app.routes, app.close, no_browser=no_browser)


def serve_page(
    name: str, port: int, routes: Callable[[], Routes], close: Callable[[], None], *, no_browser: bool
) -> None:
    """Serve a page until Ctrl-C, then close it."""
    server = PageServer(port)
    echo(f"{name}: {server.guard.address}")
    echo("open to this machine's browser alone; Ctrl-C ends it", err=True)
    if not no_browser:
        webbrowser.open(server.guard.door())
    try:
        server.serve(routes())
    except KeyboardInterrupt:  # the way a page is ended
        echo(f"{name}: ended", err=True)
    finally:
        close()
