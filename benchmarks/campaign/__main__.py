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

from benchmarks.campaign import (
    bad_input,
    bits,
    checkpoints,
    clocks,
    crash_points,
    damage,
    disk,
    kills,
    loaders,
    memory,
    names,
    orders,
    ordinary,
    published,
    race_stages,
    readers,
    records,
    resume,
    stops,
    writers,
)  # fmt: skip
from benchmarks.campaign.bench import Bench
from benchmarks.campaign.counts import QUICK, Counts
from benchmarks.campaign.promises import PROMISES
from benchmarks.campaign.report import lines, page
from benchmarks.campaign.result import Result, not_run
from benchmarks.fuzz import run as fuzz
from spotlabel.pipeline.atomic import write_atomically


@dataclass(frozen=True)
class Family:
    """Faults of one kind.

    Attributes:
        name: for ``--only``, and of the file that keeps its lines.
        rows: the promises it tries.
        run: injects them.
    """

    name: str
    rows: tuple[str, ...]
    run: Callable[[Bench], Iterator[Result]]


FAMILIES = (
    Family("kills", ("R1",), kills.run),
    Family("aimed_kills", ("R1",), kills.run_aimed),
    Family("crash_points", ("R1", "R5"), crash_points.run),
    Family("stops", ("R2", "R3", "R4"), stops.run),
    Family("disk", ("R5",), disk.run),
    Family("damage", ("R6", "R7"), damage.run),
    Family("writers", ("R8",), writers.run),
    Family("readers", ("R9",), readers.run),
    Family("orders", ("R10",), orders.run),
    Family("bad_input", ("R12",), bad_input.run),
    Family("clocks", ("R14",), clocks.run),
    Family("names", ("R17",), names.run),
    Family("checkpoints", ("R18",), checkpoints.run),
    Family("resume", ("R19",), resume.run),
    Family("loaders", ("R20",), loaders.run),
    Family("memory", ("R21",), memory.run),
    Family("published", ("R22",), published.run),
    Family("fuzz", ("R13", "R25", "R31"), fuzz.run),
    Family("bits", ("R25",), bits.run),
    Family("ordinary", ordinary.ROWS, ordinary.run),
    Family("races", ("R23",), race_stages.run),
)


def _chosen(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[Family, ...]:
    """Families named by themselves (``disk``) or by a promise (``R5``); all without a word."""
    if not text:
        return FAMILIES
    wanted = [part.strip().lower() for part in text.split(",")]
    known = {word.lower() for family in FAMILIES for word in (family.name, *family.rows)}
    for word in wanted:
        if word not in known:
            where = next((p.tests for p in PROMISES if p.row.lower() == word), None)
            hint = (
                f"shown by ordinary tests alone: {', '.join(where)}"
                if where
                else f"known: {', '.join(sorted(known))}"
            )
            raise click.BadParameter(f"nothing to inject for {word!r}; {hint}")
    return tuple(f for f in FAMILIES if {f.name, *map(str.lower, f.rows)} & set(wanted))


@click.command()
@click.option(
    "--only", "families", callback=_chosen, metavar="R1,disk", help="Only these promises or families."
)
@click.option("--quick", is_flag=True, help="A few faults of each kind; prints, keeps and writes nothing.")
@click.option(
    "--page",
    "target",
    type=click.Path(path_type=Path),
    default=Path("docs/reliability.md"),
    show_default=True,
    help="The page to write.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/campaign"),
    show_default=True,
    help="Where the lines of full counts are kept between runs.",
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
def main(*, families: tuple[Family, ...], quick: bool, target: Path, keep: Path, data: Path | None,
         scratch: Path | None, seed: int) -> None:  # fmt: skip
    """Try the promises of docs/reliability.md. The exit code is 1 if one was broken.

    The page is written from the kept lines of all families; what was never tried is shown as such.
    """
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="campaign-", dir=scratch) as folder:
        bench = Bench(Path(folder), QUICK if quick else Counts(), data, seed)
        for family in families:
            tried = list(_tried(family, bench))
            results += tried
            if not quick:
                records.save(keep, family.name, tried)
    click.echo(lines(results))
    if not quick:
        write_atomically(target, page(_all(keep), _machine()).encode())
        click.echo(f"wrote {target}")
    failed = [result for result in results if result.verdict == "FAILED"]
    click.echo(f"{len(failed)} of {len(results)} lines FAILED", err=True)
    sys.exit(1 if failed else 0)


def _tried(family: Family, bench: Bench) -> Iterator[Result]:
    """The lines of a family; one that breaks down is a failed line, not a missing one."""
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
        yield Result(family.rows[0], f"family {family.name}", "", 0, 0, spent, problems=(problem,))


def _all(keep: Path) -> list[Result]:
    """The kept lines of every family."""
    found = []
    for family in FAMILIES:
        kept = records.load(keep, family.name)
        found += kept if kept is not None else _untried(family)
    return found


def _untried(family: Family) -> list[Result]:
    """A line for each promise of a family that has no kept lines."""
    faults = {promise.row: promise.fault for promise in PROMISES}
    why = "not yet at full counts with this version; the tests below show it at small counts"
    return [
        not_run(row, f"{faults[row]} (`{family.name}`)", f"`--only {family.name}`", why)
        for row in family.rows
    ]


def _machine() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("h5py", "opencv-contrib-python", "torch"))
    return f"On {platform.system()} {platform.machine()}, Python {platform.python_version()}, {libraries}."


if __name__ == "__main__":
    main()
