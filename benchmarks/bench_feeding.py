"""What training needs beside its network: ``make bench-feeding [DATA=../shared/data]``.

Images a second of one loader process from JPEG and mask store to 512x512, the average of the weights after a
step, and writing the state. CPU time of one thread, the best of some rounds; with ``--data`` UA-DETRAC's
MVI_40201, else a rendered scene of its size.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import cv2
import torch

from benchmarks.bench_labels import recipe_for
from spotlabel.detector.data.batches import stack_samples
from spotlabel.detector.data.device import stack_raw
from spotlabel.detector.data.frames import FrameList, Key, ParitySamples, RawSamples, SampleRules
from spotlabel.detector.data.labelled import class_map, open_labelled
from spotlabel.detector.data.samples import IgnoreMode
from spotlabel.detector.data.split import Part
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.training.loop import new_trained
from spotlabel.detector.training.optimisation import AveragedWeights
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import Progress, Trained, save_state
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import items

BATCH = 8


def best(job: Callable[[], object], rounds: int) -> float:
    """CPU seconds of the quickest of some rounds."""
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        job()
        spent.append(time.process_time() - started)
    return min(spent)


def labelled_frames(data: Path | None, out: Path) -> FrameList:
    """Frames of one video with masks, labelled here."""
    recipe = recipe_for(data, out, "mog2", 100)
    (item,) = items(recipe)
    if run_sequence(recipe, item.sequence.name, False, lambda *_: None).failed:
        raise SystemExit("the video could not be labelled")
    video = open_labelled(item.sequence, item.mask_path)
    return FrameList((Part(video, video.usable()),), class_map([video], "one"))


def images_a_second(frames: FrameList, fast: bool, batches: int, rounds: int) -> float:
    """Of one process; ``fast`` leaves warp and colour to the device."""
    rules = SampleRules((512, 512), ignore_mode=IgnoreMode.MASK_LOSS)
    samples: Any = RawSamples(frames, rules) if fast else ParitySamples(frames, rules)

    def load() -> None:
        for batch in range(batches):
            keys = [Key(0, 7 * (BATCH * batch + place) % len(frames)) for place in range(BATCH)]
            some = [samples[key] for key in keys]
            _ = stack_raw(some, colour=True) if fast else stack_samples(some)

    return BATCH * batches / best(load, rounds)


def trained(backbone: str) -> Trained:
    """A detector after a step of which only the moments matter."""
    network = ModelSpec(preset="spotnet-paper", backbone=backbone).build()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    made = new_trained(network, TrainingSettings())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    made.optimiser.step()
    return made


def peak() -> float:
    """Most memory that this process ever had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Folder of ua-detrac.")
@click.option("--backbone", default="hourglass-small", show_default=True)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
def main(data: Path | None, backbone: str, rounds: int) -> None:
    """Measure and print a Markdown table."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    made = trained(backbone)
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder, "state.safetensors")
        saving = best(lambda: save_state(state, made, Progress(step=1)), rounds)
        size, more = state.stat().st_size / 2**20, peak() - before
        frames = labelled_frames(data / "ua-detrac" if data else None, Path(folder, "out"))
        fast, whole = (images_a_second(frames, way, 8, rounds) for way in (True, False))
    averaged = made.averaged
    assert isinstance(averaged, AveragedWeights)
    mean = best(lambda: averaged.update(made.network), 4 * rounds)
    click.echo(f"| {'MVI_40201' if data else 'rendered'}, 512x512; {backbone} | seen | aim |\n|---|---|---|")
    click.echo(f"| loader, warp and colour on the device (`fast_data`), images/s | {fast:.0f} | >= 300 |")
    click.echo(f"| loader, whole samples on the CPU, images/s | {whole:.0f} | |")
    click.echo(f"| average of the weights, ms a step | {mean * 1e3:.1f} | |")
    click.echo(f"| writing a state of {size:.0f} MiB, s of CPU | {saving:.2f} | |")
    click.echo(f"| more memory while it is written, MiB | {more:.0f} | |")


if __name__ == "__main__":
    main()
