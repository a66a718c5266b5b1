"""Compare PAWCS with pybgs on the same frames: CPU time, threads, a smaller dictionary, memory, F on CDnet.

``python -m benchmarks.bench_pawcs --data DATA`` prints Markdown tables; DATA holds ``cdnet/baseline`` and
``ua-detrac``. Every sequence is timed in one fresh process, all contenders frame by frame in turn, so that
what else the machine does slows all alike; figures are medians over frames after a warm-up, ratios are of
two of them. CPU time on one thread; two threads by the wall clock, since that is what they are for.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.pawcs_child import REFERENCE
from benchmarks.pawcs_frames import SCORED, SEQUENCES, frame_files
from spotlabel.pipeline.errors import FrameError

_MEMORY_FRAMES = 12


class ChildError(click.ClickException):
    """A measuring process failed."""


def measure(kind: str, data: Path, **arguments: object) -> dict[str, Any]:
    """Run one measurement of :mod:`benchmarks.pawcs_child` in a fresh process, in an empty folder.

    Raises:
        ChildError: the process failed.
    """
    root = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "benchmarks.pawcs_child", kind, str(data), json.dumps(arguments)]
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "config").mkdir()  # else pybgs complains; it writes its settings there
        child = subprocess.run(
            command, cwd=scratch, env=environment, capture_output=True, text=True, check=False
        )
    answers = [line for line in child.stdout.splitlines() if line.startswith("{")]
    if child.returncode or not answers:
        raise ChildError(f"{kind} {arguments}: {(child.stderr.strip().splitlines() or ['no answer'])[-1]}")
    result: dict[str, Any] = json.loads(answers[-1])
    return result


def report_speed(data: Path, warm_up: int, frames: int, small: int) -> None:
    """Print the table of times and memory."""
    contenders: dict[str, dict[str, Any]] = {
        REFERENCE: {}, "one": {}, "two": {"threads": 2}, "small": {"words": small},
    }  # fmt: skip
    if importlib.util.find_spec("pybgs") is None:
        click.echo("pybgs is not installed (PYBGS=1 make setup): no ratios to it")
        del contenders[REFERENCE]
    click.echo(f"CPU ms a frame, median of {frames} frames after {warm_up}; words: 50 and {small}\n")
    click.echo("| | pybgs | ours | ratio | 2 threads, wall | of 1 thread | small | ratio | first frame, s |")
    click.echo("|---|---|---|---|---|---|---|---|---|")
    for name in SEQUENCES:
        result = measure("timing", data, sequence=name, warm_up=warm_up, frames=frames, contenders=contenders)
        theirs = result.get(REFERENCE, {}).get("cpu", float("nan"))
        one, two, little = result["one"], result["two"], result["small"]
        click.echo(
            f"| {name} | {theirs:.0f} | {one['cpu']:.1f} | {theirs / one['cpu']:.2f}x | {two['wall']:.1f} "
            f"| {one['wall'] / two['wall']:.2f}x | {little['cpu']:.1f} | {theirs / little['cpu']:.2f}x "
            f"| {one['first'] / 1e3:.1f} |"
        )
    click.echo("\npeak memory that one video adds to a fresh process, MB\n\n| | pybgs | ours | small |")
    click.echo("|---|---|---|---|")
    for name in SEQUENCES:
        cells = ["-" if contender not in contenders else f"{_memory(data, name, contender, contenders):.0f}"
                 for contender in (REFERENCE, "one", "small")]  # fmt: skip
        click.echo(f"| {name} | {' | '.join(cells)} |")


def _memory(data: Path, sequence: str, name: str, contenders: dict[str, dict[str, Any]]) -> float:
    answer = measure(
        "memory", data, sequence=sequence, frames=_MEMORY_FRAMES, name=name, settings=contenders[name]
    )
    return float(answer["memory"])


def report_quality(data: Path, words: list[int], seeds: int) -> None:
    """Print the table of F by sequence, dictionary and seed."""
    click.echo("\n| sequence | words | seed | recall | precision | F |\n|---|---|---|---|---|---|")
    for name in SCORED:
        for count in words:
            for seed in range(seeds):
                score = measure("quality", data, sequence=name, settings={"words": count, "seed": seed})
                cells = f"{score['recall']:.4f} | {score['precision']:.4f} | {score['f']:.4f}"
                click.echo(f"| {name} | {count} | {seed} | {cells} |")


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), default=Path("../shared/data"),
    show_default=True, help="Folder with cdnet/baseline and ua-detrac.",
)  # fmt: skip
@click.option("--warm-up", default=120, show_default=True, help="Frames before the clock runs.")
@click.option("--frames", default=80, show_default=True, help="Frames to time.")
@click.option("--small", default=25, show_default=True, help="Local words of the smaller dictionary.")
@click.option("--speed/--no-speed", default=True, show_default=True, help="Measure times and memory.")
@click.option("--seeds", default=0, show_default=True, help="Seeds for F on highway and office (minutes).")
@click.option("--f-words", multiple=True, type=int, default=[50], help="Local words for F; repeatable.")
def main(
    *, data: Path, warm_up: int, frames: int, small: int, speed: bool, seeds: int, f_words: tuple[int, ...]
) -> None:
    """Compare PAWCS with pybgs; print Markdown tables."""
    data = data.resolve()
    try:
        for name in SEQUENCES:
            frame_files(data, name)
    except FrameError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if speed:
        report_speed(data, warm_up, frames, small)
    if seeds:
        report_quality(data, list(f_words), seeds)
    click.echo(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
