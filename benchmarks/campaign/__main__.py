"""``python -m benchmarks.campaign``: break things on purpose, count what is lost, write it down."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click

from benchmarks.campaign import crash_points, kills
from benchmarks.campaign.bench import Bench
from benchmarks.campaign.counts import QUICK, Counts
from benchmarks.campaign.promises import PROMISES
from benchmarks.campaign.report import lines, page
from benchmarks.campaign.result import Result
from pipeline.atomic import write_atomically


@dataclass(frozen=True)
class Family:
    """Faults of one kind.

    Attributes:
        rows: the promises it tries.
        run: injects them.
    """

    rows: tuple[str, ...]
    run: Callable[[Bench], Iterator[Result]]


FAMILIES = (
    Family(("R1",), kills.run),
    Family(("R1", "R5"), crash_points.run),
)


def _rows(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...]:
    known = tuple(promise.row for promise in PROMISES)
    chosen = tuple(part.strip().upper() for part in text.split(",")) if text else known
    unknown = [row for row in chosen if row not in known]
    if unknown:
        raise click.BadParameter(f"no promise {unknown[0]!r}; there are {known[0]} to {known[-1]}")
    return chosen


@click.command()
@click.option("--only", callback=_rows, metavar="R1,R5", help="Only these promises; prints, writes no page.")
@click.option("--quick", is_flag=True, help="A few injections of each kind; prints, writes no page.")
@click.option(
    "--page",
    "target",
    type=click.Path(path_type=Path),
    default=Path("docs/reliability.md"),
    show_default=True,
    help="The page to write.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of real sequences (with cdnet/), for the published accuracy.",
)
@click.option(
    "--scratch",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the small videos are labelled.  [default: the system's temporary folder]",
)
@click.option("--seed", default=1, show_default=True, help="Of everything random.")
def main(*, only: tuple[str, ...], quick: bool, target: Path, data: Path | None, scratch: Path | None,
         seed: int) -> None:  # fmt: skip
    """Try every promise. The exit code is 1 if one was broken."""
    whole = len(only) == len(PROMISES) and not quick
    with tempfile.TemporaryDirectory(prefix="campaign-", dir=scratch) as folder:
        bench = Bench(Path(folder), QUICK if quick else Counts(), data, seed)
        results = [result for family in FAMILIES for result in _tried(family, bench, only)]
    if whole:
        write_atomically(target, page(results, _machine()).encode())
        click.echo(f"wrote {target}")
    else:
        click.echo(lines(results))
    failed = [result for result in results if result.verdict == "FAILED"]
    click.echo(f"{len(failed)} of {len(results)} lines FAILED", err=True)
    sys.exit(1 if failed or not results else 0)


def _tried(family: Family, bench: Bench, only: tuple[str, ...]) -> Iterator[Result]:
    """The lines of a family; one that breaks down is a failed line, not a missing one."""
    if not set(family.rows) & set(only):
        return
    started = time.perf_counter()
    try:
        for result in family.run(bench):
            counted = f"{result.count} injected, {result.lost} lost, {result.seconds:.0f} s"
            click.echo(
                f"{result.row} {result.fault}: {result.verdict} ({result.not_run or counted})", err=True
            )
            for problem in result.problems:
                click.echo(f"    {problem}", err=True)
            yield result
    except Exception as error:
        traceback.print_exc()
        spent = time.perf_counter() - started
        problem = f"the campaign itself broke down: {' '.join(str(error).split())}"
        module = family.run.__module__.rpartition(".")[2]
        yield Result(family.rows[0], f"family {module}", "", 0, 0, spent, problems=(problem,))


def _machine() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("h5py", "opencv-contrib-python", "torch"))
    return f"On {platform.system()} {platform.machine()}, Python {platform.python_version()}, {libraries}."


if __name__ == "__main__":
    main()
