"""``spotlabel report``: what was made, how good it is and where to look closer, as a page."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click

from spotlabel.pipeline.cli.options import console, recipe_options
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.pages.report.against import ReportError, read_earlier
from spotlabel.pipeline.pages.report.make import Watch, make_report
from spotlabel.pipeline.pages.report.video import Video
from spotlabel.pipeline.pages.report.write import MEGABYTE, Asked
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.watcher import SilentWatcher
from spotlabel.pipeline.terminal import echo
from spotlabel.pipeline.upkeep.plan import Item, items

PAGE = "report.html"
MOST_MEGABYTES = 20.0


@click.command()
@recipe_options
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE",
              help="The page, .html, its JSON twin beside it; default: <out>/report.html.")  # fmt: skip
@click.option("--against", type=click.Path(path_type=Path), metavar="OLD.json",
              help="Also say what changed since this report.")  # fmt: skip
@click.option("--max-mb", type=click.FloatRange(min=0.1), default=MOST_MEGABYTES, show_default=True,
              help="Most megabytes of the page; pictures are scaled to it.")  # fmt: skip
@click.option("--speeds", is_flag=True,
              help="Also how fast videos were made; reports of the same masks then differ.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress, and no line but problems.")
def report(  # noqa: PLR0917 - one argument per option
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    out: Path | None,
    against: Path | None,
    max_mb: float,
    speeds: bool,
    quiet: bool,
) -> None:
    """Write a page that shows what was made, how good it is, and where to look closer.

    One HTML file that opens from the disk and asks the network for nothing; the same figures stand as JSON
    beside it. Masks that are stale, damaged or missing are told in its first line and in its table.

    Exit code 0 if all masks are what the recipe asks for, 1 if the page says that some are not.

    \b
    Examples:
      spotlabel report demo
      spotlabel report my-cameras.yaml --only gate-3 --max-mb 5
      spotlabel report my-cameras.yaml --against last-week/report.json --out this-week/report.html
    """
    loaded = load_recipe(recipe, overrides)
    target = page_path(out or loaded.out / PAGE)
    earlier = None if against is None else (read_earlier(against), str(against))
    chosen = items(loaded, only)
    asked = Asked(
        title=f"Labels of {Path(recipe).stem}",
        commands=commands(recipe, overrides, only, against, max_mb, speeds=speeds),
        max_bytes=round(max_mb * MEGABYTE),
        earlier=earlier,
        speeds=speeds,
    )
    good = write_page(loaded, chosen, target, asked, quiet=quiet)
    sys.exit(0 if good else 1)


def page_path(path: Path) -> Path:
    """Where the page goes.

    Raises:
        ReportError: its name does not end in ``.html`` or ``.htm``, or is that of a folder.
    """
    if path.suffix not in (".html", ".htm"):
        raise ReportError(f"--out {path}: expected a file name that ends in .html")
    if path.is_dir():
        raise ReportError(f"--out {path}: is a folder, expected a file")
    return path


def write_page(recipe: Recipe, chosen: list[Item], target: Path, asked: Asked, *, quiet: bool) -> bool:
    """Write the page, with progress, and say where it stands; gives whether all masks are as asked for."""
    with watching(console(), len(chosen), quiet) as watcher:
        watch = _Watched(watcher)
        found, notes = make_report(recipe, chosen, target, asked, Watch(watch.progress, watch.finished))
    for note in notes:
        echo(f"{target}: {note}", err=True)
    if not quiet:
        echo(f"{found.headline}: {'; '.join(found.lines)}")
        echo(f"report: {target}")
    return found.level != "bad"


class _Watched:
    """Tells a watcher of runs how the report goes."""

    def __init__(self, watcher: SilentWatcher) -> None:
        self._watcher, self._started = watcher, time.perf_counter()

    def progress(self, name: str, done: int, total: int) -> None:
        self._watcher.progress(name, "report", done, total)

    def finished(self, video: Video) -> None:
        now = time.perf_counter()
        outcome = Outcome(video.name, seconds={"report": now - self._started})
        if not video.standing.good:
            outcome.error = f"{video.standing.state}: {video.standing.reason or 'run `spotlabel label`'}"
        self._started = now
        self._watcher.finished(outcome)


def commands(
    recipe: str,
    overrides: Iterable[str],
    only: Iterable[str] = (),
    against: Path | None = None,
    max_mb: float = MOST_MEGABYTES,
    *,
    speeds: bool = False,
) -> tuple[str, ...]:
    """The lines that make masks and report again, as a shell takes them; wherever the page then goes."""
    rest = [recipe]
    for option, values in (("--set", overrides), ("--only", only)):
        for value in values:
            rest += [option, value]
    how = [] if against is None else ["--against", str(against)]
    if max_mb != MOST_MEGABYTES:
        how += ["--max-mb", f"{max_mb:g}"]
    if speeds:
        how.append("--speeds")
    return shlex.join(["spotlabel", "label", *rest]), shlex.join(["spotlabel", "report", *rest, *how])
