"""One run: train a variant on the scenes of a seed, measure it on the test scenes."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from torch import Tensor

from benchmarks.ablation.data import STRIDE, as_tensors
from benchmarks.ablation.metrics import measure
from benchmarks.ablation.settings import TEST_SEED, Settings, build_network
from benchmarks.paired.boxes import Float64
from benchmarks.paired.order import batches
from benchmarks.paired.runs import Run, TrainingError, in_parts
from benchmarks.paired.scenes import make_scenes
from spotlabel.detector.centernet.decode import decode_outputs
from spotlabel.detector.centernet.losses import detection_loss
from spotlabel.detector.centernet.network import CenterNet

SHOWN = 6
"""Test scenes whose detections and attention are kept for the pictures."""


def run(variant: str, seed: int, settings: Settings, device: torch.device) -> Run:
    """Train and measure; on a CPU the result is a pure function of the arguments but ``device``.

    Its arrays are ``found`` float64 (SHOWN, K, 6), detections on the first test scenes, in pixels, and
    ``attention`` float32 (SHOWN, 128, 128), foreground probabilities; empty without a segmentation head.

    Raises:
        TrainingError: the loss became infinite or NaN.
    """
    started = time.perf_counter()
    torch.manual_seed(seed)
    network = build_network(variant, settings.size)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    losses = train(network, seed, settings, device)
    scenes = make_scenes(TEST_SEED, settings.test_images)
    found, attention = predict(network, as_tensors(scenes, device)["input"], settings.batch)
    return Run(
        figures=measure([s.boxes for s in scenes], [s.twins for s in scenes], found),
        losses=in_parts(losses),
        parameters=sum(p.numel() for p in network.parameters()),
        seconds=time.perf_counter() - started,
        arrays={"found": found[:SHOWN], "attention": attention},
    )


def train(network: CenterNet, seed: int, settings: Settings, device: torch.device) -> list[float]:
    """Train in place; the total loss of every step."""
    data = as_tensors(make_scenes(seed, settings.train_images), device)
    optimiser = torch.optim.Adam(network.parameters(), settings.rate)
    steps = [round(share * settings.iterations) for share in settings.milestones]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, steps, settings.decay)
    network.train()
    losses = []
    for chosen in batches(seed, settings.train_images, settings.batch, settings.iterations):
        batch = {name: tensor[chosen.to(device)] for name, tensor in data.items()}
        loss = detection_loss(network.outputs(batch["input"]), batch)["total"]
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise TrainingError(f"the loss is {losses[-1]} at step {len(losses)}")
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    return losses


@torch.inference_mode()
def predict(
    network: CenterNet, inputs: Tensor, batch: int
) -> tuple[Float64, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Detections (N, K, 6) in pixels on all images [N, 3, H, W], and the attention of the first ones."""
    network.eval()
    found, attention = [], []
    for start in range(0, len(inputs), batch):
        outputs = network.outputs(inputs[start : start + batch], last_only=True)[-1]
        found.append(decode_outputs(outputs).double().cpu())
        if "seg" in outputs:
            attention.append(outputs["seg"][:, 0].float().sigmoid().cpu())
    boxes = torch.cat(found)
    boxes[:, :, :4] *= STRIDE
    maps = torch.cat(attention)[:SHOWN].numpy() if attention else np.zeros((0, 1, 1), np.float32)
    return boxes.numpy(), maps
