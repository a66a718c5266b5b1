"""Measure training and inference with each switch on, against the plain fp32 eager loop, in one run.

``python -m benchmarks.bench_training`` prints one Markdown table for training steps and one for inference.
Every variant takes turns with the plain one; the figure is the ratio of the medians of their times.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import click
import torch
from torch import Tensor

from spotlabel.detector.contract import MAX_DETECTIONS, Batch
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.networks.recompute import recompute_blocks
from spotlabel.detector.training.optimisation import build_optimiser
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.step import StepOptions, train_step

Job = Callable[[], None]


@dataclass(frozen=True)
class Variant:
    """One combination of switches."""

    name: str
    bf16: bool = False
    channels_last: bool = False
    compile: bool = False
    recompute: bool = False


PLAIN = Variant("fp32, eager (plain)")
VARIANTS = (
    Variant("channels_last", channels_last=True),
    Variant("bf16", bf16=True),
    Variant("bf16 + channels_last", bf16=True, channels_last=True),
    Variant("compile", compile=True),
    Variant("channels_last + compile", channels_last=True, compile=True),
    Variant("bf16 + channels_last + compile", bf16=True, channels_last=True, compile=True),
    Variant("checkpoint_activations", recompute=True),
)


def batch_of(count: int, size: tuple[int, int], device: torch.device) -> Batch:
    """Noise with 20 objects an image: what is in a batch does not change how long it takes."""
    height, width = size
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(count, 32, 2, generator=generator) * torch.tensor([width, height]) * 0.75
    sides = torch.rand(count, 32, 2, generator=generator) * min(size) * 0.2 + 4
    present = (torch.arange(32) < 20).repeat(count, 1)
    everywhere = torch.ones(count, 1, height, width, device=device)
    return {
        "image": torch.randn(count, 3, height, width, generator=generator).to(device),
        "extent": torch.tensor(size).repeat(count, 1).to(device),
        "boxes": (torch.cat([corners, corners + sides], dim=2) * present[..., None]).to(device),
        "classes": torch.zeros(count, 32, dtype=torch.long, device=device),
        "present": present.to(device),
        "mask": (torch.rand(count, 1, height, width, generator=generator) > 0.9).float().to(device),
        "known": everywhere,
        "labelled": everywhere,
    }


def training_job(spec: ModelSpec, variant: Variant, batch: Batch) -> Job:
    """One training step of a variant."""
    network = spec.build().train()
    if variant.recompute:
        recompute_blocks(network)
    memory = torch.channels_last if variant.channels_last else torch.contiguous_format
    network = network.to(batch["image"].device).to(memory_format=memory)  # type: ignore[call-overload]
    optimiser = build_optimiser(network, TrainingSettings())
    if variant.compile:
        network.compile()
    options = StepOptions(10.0, variant.bf16, variant.channels_last)
    return lambda: _discard(train_step(network, optimiser, batch, options))


def inference_job(spec: ModelSpec, variant: Variant, image: Tensor) -> Job:
    """What a variant finds in one image."""
    memory = torch.channels_last if variant.channels_last else torch.contiguous_format
    network = spec.build().eval().to(image.device).to(memory_format=memory)  # type: ignore[call-overload]
    find = torch.compile(network.find) if variant.compile else network.find
    placed = image.contiguous(memory_format=memory)

    def run() -> None:
        with torch.inference_mode(), torch.autocast(image.device.type, torch.bfloat16, enabled=variant.bf16):
            find(placed, MAX_DETECTIONS)

    return run


def _discard(_: object) -> None:
    pass


def seconds(job: Job, device: torch.device) -> float:
    """Wall time of one run, the device's queue emptied before and after."""
    _wait(device)
    started = time.perf_counter()
    job()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def switches(make: Callable[[Variant], Job]) -> dict[str, Callable[[], Job]]:
    """The plain way, then every variant."""
    return {variant.name: partial(make, variant) for variant in (PLAIN, *VARIANTS)}


def compare(
    makes: Mapping[str, Callable[[], Job]], images: int, rounds: int, device: torch.device
) -> list[str]:
    """Rows of a table: each job in turns with the first."""
    (name, make), *others = makes.items()
    rows = []
    plain = make()
    plain()
    for other, make_other in others:
        job = make_other()
        try:
            job()
            job()
        except Exception as error:
            rows.append(f"| {other} | does not work here: {str(error).splitlines()[0][:80]} | |")
            continue
        pairs = [(seconds(plain, device), seconds(job, device)) for _ in range(rounds)]
        slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
        rows.append(f"| {other} | {images / fast:.2f} | {slow / fast:.2f} |")
        if len(rows) == 1:
            rows.insert(0, f"| {name} | {images / slow:.2f} | 1 |")
        click.echo(rows[-1])
    return rows


@click.command()
@click.option("--preset", default="spotnet-paper", show_default=True)
@click.option("--beside", metavar="PRESET,PRESET,...", help="Measure steps of these in place of switches.")
@click.option("--backbone", default="hourglass-small", show_default=True)
@click.option("--batch", default=4, show_default=True)
@click.option("--size", default=256, show_default=True, help="Side of a training image.")
@click.option("--test-size", nargs=2, default=(320, 512), show_default=True, help="Of a test image: H W.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--device", default="auto", show_default=True)
def main(preset: str, beside: str | None, backbone: str, device: str, **sizes: Any) -> None:
    """Measure on a GPU: --backbone hourglass-104 --batch 16 --size 512 --test-size 640 1024."""
    batch, size, test_size, rounds = (sizes[name] for name in ("batch", "size", "test_size", "rounds"))
    chosen = torch.device("cuda" if device == "auto" and torch.cuda.is_available() else "cpu")
    spec = ModelSpec(preset=preset, backbone=backbone)
    target = batch_of(batch, (size, size), chosen)
    click.echo(f"training: {preset} on {backbone}, {size}x{size}, batch {batch}, {chosen}")
    if beside:
        specs = [spec, *(ModelSpec(preset=name, backbone=backbone) for name in beside.split(","))]
        compare({s.preset: partial(training_job, s, PLAIN, target) for s in specs}, batch, rounds, chosen)
        return
    training = compare(switches(lambda v: training_job(spec, v, target)), batch, rounds, chosen)
    click.echo(f"inference: {test_size[0]}x{test_size[1]}, batch 1")
    image = torch.randn(1, 3, *test_size, device=chosen)
    inference = compare(switches(lambda v: inference_job(spec, v, image)), 1, rounds, chosen)
    for title, rows in (("training step", training), ("inference", inference)):
        click.echo(f"\n| {title} | images/s | times plain |\n|---|---|---|\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
