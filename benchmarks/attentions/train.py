"""One run: train a variant on the scenes of a seed, measure it on the test scenes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from benchmarks.attentions.hidden import hide
from benchmarks.attentions.metrics import measure
from benchmarks.attentions.settings import CLASSES, TEST_SEED, Settings, build_network
from benchmarks.paired.boxes import Float64
from benchmarks.paired.order import batches
from benchmarks.paired.runs import Run, TrainingError, in_parts
from benchmarks.paired.scenes import SIZE, Scene, make_scenes
from spotlabel.detector.contract import MAX_DETECTIONS, Batch, Detector
from spotlabel.detector.data.batches import stack_samples
from spotlabel.detector.data.colour import Colours
from spotlabel.detector.data.samples import make_sample
from spotlabel.detector.data.views import letterbox_view
from spotlabel.detector.training.step import StepOptions, train_step

SHOWN = 6
"""Test scenes whose detections are kept."""


def run(variant: str, seed: int, settings: Settings, device: torch.device) -> Run:
    """Train and measure; on a CPU the result is a pure function of the arguments but ``device``.

    Its arrays are ``found`` and ``found_hidden``, float64 (SHOWN, K, 6): x0, y0, x1, y1 in pixels, score and
    class of what is found in the first test scenes, without and with patches.

    Raises:
        TrainingError: the loss became infinite or NaN.
    """
    started = time.perf_counter()
    torch.manual_seed(seed)
    network = build_network(variant, settings).to(device)
    losses = train(network, seed, settings, settings.rate_of(variant), device)
    scenes = make_scenes(TEST_SEED, settings.test_images, CLASSES)
    covered = [replace(scene, image=hide(scene, TEST_SEED, i)) for i, scene in enumerate(scenes)]
    found, found_hidden = (predict(network, seen, settings.batch, device) for seen in (scenes, covered))
    return Run(
        figures=measure(scenes, found, found_hidden),
        losses=in_parts(losses),
        parameters=sum(p.numel() for p in network.parameters()),
        seconds=time.perf_counter() - started,
        arrays={"found": found[:SHOWN], "found_hidden": found_hidden[:SHOWN]},
    )


def as_batch(scenes: Sequence[Scene], colours: Colours, device: torch.device) -> Batch:
    """Scenes at their own scale as one batch; nothing is augmented."""
    view = letterbox_view((SIZE, SIZE), (SIZE, SIZE))
    batch = stack_samples(
        [
            make_sample(scene.image, scene.mask, scene.boxes, scene.kinds, view=view, colours=colours)
            for scene in scenes
        ]
    )
    return cast(Batch, {name: cast(torch.Tensor, part).to(device) for name, part in batch.items()})


def train(network: Detector, seed: int, settings: Settings, rate: float, device: torch.device) -> list[float]:
    """Train in place; the total loss of every step."""
    data = as_batch(make_scenes(seed, settings.train_images, CLASSES), network.colours, device)
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], rate)
    steps = [round(share * settings.iterations) for share in settings.milestones]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, steps, settings.decay)
    options = StepOptions(clip=settings.clip)
    network.train()
    losses = []
    for chosen in batches(seed, settings.train_images, settings.batch, settings.iterations):
        batch = {name: cast(torch.Tensor, part)[chosen.to(device)] for name, part in data.items()}
        losses.append(float(train_step(network, optimiser, cast(Batch, batch), options)["total"]))
        if not math.isfinite(losses[-1]):
            raise TrainingError(f"the loss is {losses[-1]} at step {len(losses)}")
        schedule.step()
    return losses


@torch.inference_mode()
def predict(network: Detector, scenes: Sequence[Scene], batch: int, device: torch.device) -> Float64:
    """Detections (scenes, K, 6): x0, y0, x1, y1 in pixels, score, class."""
    network.eval()
    found: list[Float64] = []
    for start in range(0, len(scenes), batch):
        image = as_batch(scenes[start : start + batch], network.colours, device)["image"]
        seen = network.find(image, MAX_DETECTIONS)
        rows = torch.cat([seen.boxes, seen.scores.unsqueeze(2), seen.classes.unsqueeze(2)], dim=2)
        found.append(rows.double().cpu().numpy())
    return np.concatenate(found)
