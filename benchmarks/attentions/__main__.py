"""``python -m benchmarks.attentions``: make the runs that are missing, then write the page."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click
import torch

from benchmarks.attentions import report, train
from benchmarks.attentions.metrics import FIGURES
from benchmarks.attentions.settings import PRESETS, QUICK, QUICK_SEEDS, SEEDS, TEST_SEED, Settings
from benchmarks.paired.command import make_missing, seeds_below, some_of, usable_device
from benchmarks.paired.runs import Job, Keeping, Run


def _make(settings: Settings, job: Job, device: torch.device) -> Run:
    return train.run(job.variant, job.seed, settings, device)


@click.command()
@click.option(
    "--seeds",
    callback=seeds_below(TEST_SEED),
    metavar="LIST",
    help=f"Only these, like {SEEDS[0]},{SEEDS[1]}.  [default: {SEEDS[0]}-{SEEDS[-1]}; quick: 1-2]",
)
@click.option(
    "--variants",
    callback=some_of(list(PRESETS)),
    default=",".join(PRESETS),
    metavar="LIST",
    help=f"Only these of {', '.join(PRESETS)}.  [default: all]",
)
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time.  [default: 1 on a GPU, else all cores]")
@click.option(
    "--device", callback=usable_device, default="auto", show_default=True, help="auto, cpu, cuda, cuda:1..."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/attentions"),
    show_default=True,
    help="Where runs are kept.",
)
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("docs/attentions.md"),
    show_default=True,
    help="Page to write, and its plot beside it.",
)
@click.option("--page-only", is_flag=True, help="Make no run; write the page from those that are finished.")
@click.option(
    "--quick",
    is_flag=True,
    help="Short runs on other seeds, kept and shown in OUT/quick: shows that it works, measures nothing.",
)
def main(
    *,
    seeds: tuple[int, ...] | None,
    variants: tuple[str, ...],
    jobs: int | None,
    device: str,
    out: Path,
    page: Path,
    page_only: bool,
    quick: bool,
) -> None:
    """Train seven detectors on the same rendered scenes and compare attentions seed by seed.

    Finished runs are kept in OUT/runs and are not made again under equal settings; stop and start at will.
    The page always shows the whole campaign, and says what of it is not done.
    """
    settings = QUICK if quick else Settings()
    out, page = (out / "quick", out / "quick" / page.name) if quick else (out, page)
    usual = QUICK_SEEDS if quick else SEEDS
    # Seed by seed: a campaign that is stopped leaves seeds that are whole.
    campaign = [Job(seed, variant) for seed in usual for variant in PRESETS]
    wanted = [Job(seed, variant) for seed in seeds or usual for variant in variants]
    keeping = Keeping(out / "runs", settings.as_data(), FIGURES)
    failed = 0
    if not page_only:
        make = partial(_make, settings)
        _, failed = make_missing(keeping, wanted, make, report.TITLES, device=device, jobs=jobs)
    written = report.write_page(page, keeping.finished(campaign), settings, campaign)
    click.echo("\n".join(f"wrote {path}" for path in written))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
