"""``python -m benchmarks.fuzz``: mutated files of every kind, and which were not taken as they should be."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from benchmarks.campaign.report import lines
from benchmarks.fuzz.child import draw_of, quiet
from benchmarks.fuzz.kinds import kind_of, kinds, shares
from benchmarks.fuzz.run import fuzz
from spotlabel.pipeline.errors import SpotlabelError


@click.command()
@click.option("--inputs", default=100_000, show_default=True, help="In all, or of the kind chosen.")
@click.option("--only", type=click.Choice([kind.name for kind in kinds()]), help="Only this kind of file.")
@click.option("--seed", type=int, help="Only this input of the kind, here, with whatever it raises.")
@click.option("--first", default=0, show_default=True, help="Number of the first input.")
@click.option("--keep", type=click.Path(path_type=Path), help="With --seed: an empty folder for the files.")
def main(inputs: int, only: str | None, seed: int | None, first: int, keep: Path | None) -> None:
    """Fuzz whatever reads files. The exit code is 1 if one was neither refused in a line nor made sense."""
    if seed is not None:
        if only is None:
            raise click.UsageError("--seed: needs --only, the kind that the input is of")
        _once(only, seed, keep)
        return
    chosen = tuple(kind for kind in kinds() if only in (None, kind.name))
    results = []
    for kind in chosen:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            results.append(fuzz(kind, first, shares(inputs, chosen)[kind.name], Path(folder)))
        result = results[-1]
        click.echo(
            f"{kind.name}: {result.count} tried, {result.lost} lost, {result.seconds:.0f} s; {result.note}",
            err=True,
        )
        for problem in result.problems:
            click.echo(f"    {problem}", err=True)
    click.echo(lines(results))
    sys.exit(any(result.verdict == "FAILED" for result in results))


def _once(name: str, seed: int, keep: Path | None) -> None:
    quiet()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        trial = kind_of(name).prepare(folder)
        try:
            problems = trial(draw_of(name, seed))
        except SpotlabelError as error:
            click.echo(f"refused: {error}")
            return
    click.echo("\n".join(problems) or "accepted")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
