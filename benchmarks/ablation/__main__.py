"""``python -m benchmarks.ablation``: make the runs that are missing, then compare."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click
import torch

from benchmarks.ablation import report, runs
from benchmarks.ablation.runs import Job, Outcome
from benchmarks.ablation.settings import QUICK, QUICK_SEEDS, SEEDS, TEST_SEED, VARIANTS, Settings


def _seeds(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """``21,22`` or ``21-26`` or both; None stays."""
    if text is None:
        return None
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)):
            raise click.BadParameter(f"expected numbers and ranges, like 21,22 or 21-26, found {part!r}")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds or max(seeds) >= TEST_SEED:
        raise click.BadParameter(f"expected seeds below {TEST_SEED}, which draws the test scenes")
    return tuple(dict.fromkeys(seeds))


def _variants(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    chosen = [part.strip() for part in text.split(",")]
    unknown = [name for name in chosen if name not in VARIANTS]
    if unknown:
        raise click.BadParameter(f"no variant {unknown[0]!r}; there are {', '.join(VARIANTS)}")
    return tuple(name for name in VARIANTS if name in chosen)


def _device(_context: click.Context, _option: click.Parameter, text: str) -> str:
    if text == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=text)
    except (RuntimeError, AssertionError) as error:
        raise click.BadParameter(f"{text!r} cannot be used: {str(error).splitlines()[0]}") from error
    return text


@click.command()
@click.option(
    "--seeds",
    callback=_seeds,
    metavar="LIST",
    help=f"Like 21,22 or 21-26.  [default: {SEEDS[0]}-{SEEDS[-1]}; quick: 1-2]",
)
@click.option(
    "--variants",
    callback=_variants,
    default=",".join(VARIANTS),
    metavar="LIST",
    help=f"Some of {', '.join(VARIANTS)}.  [default: all]",
)
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time.  [default: 1 on a GPU, else all cores]")
@click.option(
    "--device", callback=_device, default="auto", show_default=True, help="auto, cpu, cuda, cuda:1..."
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
    folder = out / "runs"
    wanted = [
        Job(seed, variant) for seed in seeds or (QUICK_SEEDS if quick else SEEDS) for variant in variants
    ]
    records = {(j.variant, j.seed): r for j in wanted if (r := runs.load(folder, j, settings)) is not None}
    todo = [job for job in wanted if (job.variant, job.seed) not in records]
    workers = jobs or (1 if device.startswith("cuda") else os.cpu_count() or 1)
    click.echo(
        f"{len(wanted)} runs, {len(records)} finished before, {workers} at a time on {device}", err=True
    )
    failed = 0
    started = time.perf_counter()
    for done, outcome in enumerate(runs.run_all(folder, todo, settings, device, workers), 1):
        spent = time.perf_counter() - started
        left = spent / done * (len(todo) - done)
        click.echo(f"{done}/{len(todo)}, {left / 60:.0f} min left: {_line(outcome)}", err=True)
        if outcome.record is None:
            failed += 1
        else:
            records[outcome.job.variant, outcome.job.seed] = outcome.record
    written = report.write_report(out, folder, records, settings, wanted)
    if written:
        click.echo(written[0].read_text(encoding="utf-8"))
    click.echo("\n".join(f"wrote {path}" for path in written) or "no seed is complete: nothing to compare")
    sys.exit(1 if failed or not written else 0)


def _line(outcome: Outcome) -> str:
    if outcome.record is None:
        return f"{outcome.job.name} FAILED: {outcome.problem}"
    figures = outcome.record["figures"]
    shown = ", ".join(f"{title} {figures[name]:.1f}" for name, title in report.TITLES.items())
    return f"{outcome.job.name}: {shown} ({outcome.record['seconds']:.0f} s)"


if __name__ == "__main__":
    main()
