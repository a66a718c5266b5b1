"""What the commands of these experiments share: options, and making the runs that are missing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

import click
import torch

from benchmarks.paired.runs import Job, Keeping, Make, Outcome, Records, run_all

Callback = Callable[[click.Context, click.Parameter, str], tuple[str, ...]]


def seeds_below(
    limit: int,
) -> Callable[[click.Context, click.Parameter, str | None], tuple[int, ...] | None]:
    """A reader of ``21,22`` or ``21-26`` or both, all below ``limit``; None stays."""

    def read(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
        if text is None:
            return None
        seeds: list[int] = []
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            if not (first.isdecimal() and (last.isdecimal() if dash else True)):
                raise click.BadParameter(f"expected numbers and ranges, like 21,22 or 21-26, found {part!r}")
            seeds += range(int(first), int(last or first) + 1)
        if not seeds or max(seeds) >= limit:
            raise click.BadParameter(f"expected seeds below {limit}, which draws the test scenes")
        return tuple(dict.fromkeys(seeds))

    return read


def some_of(known: Sequence[str]) -> Callback:
    """A reader of names with commas between; they come back in the order of ``known``."""

    def read(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
        chosen = [part.strip() for part in text.split(",")]
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise click.BadParameter(f"no variant {unknown[0]!r}; there are {', '.join(known)}")
        return tuple(name for name in known if name in chosen)

    return read


def usable_device(_context: click.Context, _option: click.Parameter, text: str) -> str:
    """The device's name; ``auto`` is a GPU where there is one."""
    if text == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=text)
    except (RuntimeError, AssertionError) as error:
        raise click.BadParameter(f"{text!r} cannot be used: {str(error).splitlines()[0]}") from error
    return text


def make_missing(
    keeping: Keeping,
    wanted: Sequence[Job],
    make: Make,
    titles: Mapping[str, str],
    *,
    device: str,
    jobs: int | None,
) -> tuple[Records, int]:
    """Make those of the wanted runs that are not finished, with a line of progress for each.

    Args:
        keeping: where runs are kept.
        wanted: runs to have, in order.
        make: makes one.
        titles: figures to show, by name.
        device: to train on.
        jobs: runs at a time; None: one on a GPU, else as many as there are cores.

    Returns:
        Records of all finished ones, and the number of those that failed.
    """
    records = keeping.finished(wanted)
    todo = [job for job in wanted if (job.variant, job.seed) not in records]
    workers = jobs or (1 if device.startswith("cuda") else os.cpu_count() or 1)
    click.echo(
        f"{len(wanted)} runs, {len(records)} finished before, {workers} at a time on {device}", err=True
    )
    failed = 0
    started = time.perf_counter()
    for done, outcome in enumerate(run_all(keeping, todo, make, device, workers), 1):
        spent = time.perf_counter() - started
        left = spent / done * (len(todo) - done)
        click.echo(f"{done}/{len(todo)}, {left / 60:.0f} min left: {_line(outcome, titles)}", err=True)
        if outcome.record is None:
            failed += 1
        else:
            records[outcome.job.variant, outcome.job.seed] = outcome.record
    return records, failed


def _line(outcome: Outcome, titles: Mapping[str, str]) -> str:
    if outcome.record is None:
        return f"{outcome.job.name} FAILED: {outcome.problem}"
    figures = outcome.record["figures"]
    shown = ", ".join(f"{title} {figures[name]:.1f}" for name, title in titles.items())
    return f"{outcome.job.name}: {shown} ({outcome.record['seconds']:.0f} s)"
