"""``python -m benchmarks.ablation``: make the runs that are missing, then compare."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click
import torch

from benchmarks.ablation import report, train
from benchmarks.ablation.metrics import FIGURES
from benchmarks.ablation.settings import QUICK, QUICK_SEEDS, SEEDS, TEST_SEED, VARIANTS, Settings
from benchmarks.paired.command import make_missing, seeds_below, some_of, usable_device
from benchmarks.paired.runs import Job, Keeping, Run


def _make(settings: Settings, job: Job, device: torch.device) -> Run:
    return train.run(job.variant, job.seed, settings, device)


@click.command()
@click.option(
    "--seeds",
    callback=seeds_below(TEST_SEED),
    metavar="LIST",
    help=f"Like 21,22 or 21-26.  [default: {SEEDS[0]}-{SEEDS[-1]}; quick: 1-2]",
)
@click.option(
    "--variants",
    callback=some_of(list(VARIANTS)),
    default=",".join(VARIANTS),
    metavar="LIST",
    help=f"Some of {', '.join(VARIANTS)}.  [default: all]",
)
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time.  [default: 1 on a GPU, else all cores]")
@click.option(
    "--device", callback=usable_device, default="auto", show_default=True, help="auto, cpu, cuda, cuda:1..."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/ablation"),
    show_default=True,
)
@click.option(
    "--quick",
    is_flag=True,
    help="A minute of training on other seeds, into OUT/quick: shows that it works, measures nothing.",
)
def main(
    *,
    seeds: tuple[int, ...] | None,
    variants: tuple[str, ...],
    jobs: int | None,
    device: str,
    out: Path,
    quick: bool,
) -> None:
    """Train variants of SpotNet on synthetic scenes and compare them seed by seed.

    Finished runs are kept in OUT/runs and are not made again under equal settings; stop and start at will.
    """
    settings = QUICK if quick else Settings()
    out = out / "quick" if quick else out
    wanted = [
        Job(seed, variant) for seed in seeds or (QUICK_SEEDS if quick else SEEDS) for variant in variants
    ]
    keeping = Keeping(out / "runs", settings.as_data(), FIGURES)
    make = partial(_make, settings)
    records, failed = make_missing(keeping, wanted, make, report.TITLES, device=device, jobs=jobs)
    written = report.write_report(out, keeping.folder, records, settings, wanted)
    if written:
        click.echo(written[0].read_text(encoding="utf-8"))
    click.echo("\n".join(f"wrote {path}" for path in written) or "no seed is complete: nothing to compare")
    sys.exit(1 if failed or not written else 0)


if __name__ == "__main__":
    main()
