"""Do better masks make better detectors? ``make helps``.

    python -m benchmarks.helps DATA [--out runs/quality] [--runs runs/helps] [--page docs/helps.md]

Labels are those of ``make quality`` where they are kept, and are made where they are not. Finished runs are
kept, so that one that was cut off goes on.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from benchmarks.helps.material import Places, frames_to_test, frames_to_train
from benchmarks.helps.report import TITLES, section, write_page
from benchmarks.helps.settings import EXACT, QUICK, SCENES, SEEDS, VARIANTS, Settings
from benchmarks.helps.train import FIGURES, run
from benchmarks.paired.command import make_missing, seeds_below, some_of, usable_device
from benchmarks.paired.runs import Job, Keeping, Records


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/quality"), show_default=True,
              help="Where labels are kept.")  # fmt: skip
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs/helps"), show_default=True)
@click.option("--page", type=click.Path(path_type=Path), default=Path("docs/helps.md"), show_default=True)
@click.option("--scenes", callback=some_of(list(SCENES)), default=",".join(SCENES), metavar="LIST")
@click.option("--variants", callback=some_of(list(VARIANTS)), default=",".join(VARIANTS), metavar="LIST",
              help=f"Some of {', '.join(VARIANTS)}; the page is written when all are there.")  # fmt: skip
@click.option(
    "--seeds", callback=seeds_below(1000), metavar="LIST", help=f"[default: {SEEDS[0]}-{SEEDS[-1]}]"
)
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time.  [default: 1 on a GPU, else all cores]")
@click.option("--device", callback=usable_device, default="auto", show_default=True)
@click.option("--quick", is_flag=True, help="Tiny runs, into RUNS/quick; they measure nothing.")
def main(
    *,
    data: Path,
    out: Path,
    runs: Path,
    page: Path,
    scenes: tuple[str, ...],
    variants: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    jobs: int | None,
    device: str,
    quick: bool,
) -> None:
    """Train a small SpotNet on several labelers' masks of the same frames, test it on others."""
    settings, runs = (QUICK, runs / "quick") if quick else (Settings(), runs)
    found: dict[str, Records] = {}
    failed = 0
    for name in scenes:
        wanted = [
            Job(seed, variant)
            for seed in seeds or SEEDS
            for variant in variants
            if SCENES[name].exact or variant != EXACT
        ]
        _label(Places(data, out), name, variants)
        keeping = Keeping(runs / name, settings.as_data(), FIGURES)
        make = partial(run, settings, name, Places(data, out))
        titles = {figure: TITLES[figure] for figure in FIGURES}
        found[name], lost = make_missing(keeping, wanted, make, titles, device=device, jobs=jobs)
        failed += lost
    for name, records in found.items():
        click.echo(f"\n{SCENES[name].title}\n\n{section(records)}")
    if not quick and write_page(page, found, settings):
        click.echo(f"page: {page}")
    sys.exit(1 if failed else 0)


def _label(places: Places, name: str, variants: tuple[str, ...]) -> None:
    """Make all labels first: runs beside each other must not."""
    for variant in variants:
        frames_to_train(places, SCENES[name], VARIANTS[variant])
    frames_to_test(places, SCENES[name])


if __name__ == "__main__":
    main()
