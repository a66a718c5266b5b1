"""One run: train a variant on a scene's frames, measure it on the scene's test frames."""

from __future__ import annotations

import math
import time

import torch

from benchmarks.helps.material import Places, frames_to_test, frames_to_train
from benchmarks.helps.settings import SCENES, VARIANTS, Settings
from benchmarks.paired.runs import Job, Run, TrainingError, in_parts
from spotlabel.detector.contract import Detector
from spotlabel.detector.data.frames import EpochBatches, FrameList, SampleRules
from spotlabel.detector.data.loader import Batches, LoaderOptions, held_frames
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.prediction.engine import Switches
from spotlabel.detector.prediction.predictor import PredictOptions, Predictor
from spotlabel.detector.training.optimisation import AveragedWeights, build_optimiser, learning_rate
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.step import StepOptions, train_step
from spotlabel.detector.training.validation import tally

AP50, AP70, IOU = "ap50", "ap70", "seg_iou"
FIGURES = (AP70, AP50)


def run(settings: Settings, scene_name: str, places: Places, job: Job, device: torch.device) -> Run:
    """Train and measure; on a CPU the result is a pure function of the arguments but ``device``.

    Figures are percent: average precision at IoU .7 and .5, and where there is exact truth the IoU of the
    segmentation head with it.

    Raises:
        TrainingError: the loss became infinite or NaN.
    """
    started = time.perf_counter()
    scene, variant = SCENES[scene_name], VARIANTS[job.variant]
    asked = settings.training(variant, scene, job.seed)
    frames = frames_to_train(places, scene, variant)
    spec = ModelSpec(preset=asked.preset, backbone=asked.backbone, class_names=frames.classes.names)
    torch.manual_seed(job.seed)
    network = spec.build().to(device)
    losses = train(network, frames, asked, device)
    tested = frames_to_test(places, scene)
    scale = settings.scale(tested.parts[0].video.frames.size[1])
    options = PredictOptions(scales=(scale,), attention=scene.exact and bool(network.attentions), batch=4)
    predictor = Predictor(network, spec, options, Switches(str(device)))
    count = max(1, round(len(tested) * settings.share))
    figures = tally(predictor, held_frames(tested, range(count), options.batch)).figures()
    return Run(
        figures={name: 100 * value for name, value in figures.items()},
        losses=in_parts(losses),
        parameters=sum(p.numel() for p in network.parameters()),
        seconds=time.perf_counter() - started,
        arrays={},
    )


def train(network: Detector, frames: FrameList, asked: TrainingSettings, device: torch.device) -> list[float]:
    """Train in place to the averaged weights; the total loss of every step."""
    rules = SampleRules(
        asked.canvas, asked.crop, asked.extent, asked.colour, asked.ignore_mode, seed=asked.seed,
        colours=network.colours,
    )  # fmt: skip
    order = EpochBatches(len(frames), asked.batch, asked.seed)
    batches = Batches(frames, order, rules, device, LoaderOptions(fast=asked.fast_data))
    optimiser, averaged = build_optimiser(network, asked), AveragedWeights(network, asked.ema)
    options, steps, losses = StepOptions(asked.clip), len(batches) * asked.epochs, list[float]()
    network.train()
    for epoch in range(asked.epochs):
        for batch in batches.epoch(epoch):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(len(losses), steps, asked)
            losses.append(float(train_step(network, optimiser, batch, options)["total"]))
            if not math.isfinite(losses[-1]):
                raise TrainingError(f"the loss is {losses[-1]} at step {len(losses)}")
            averaged.update(network)
    network.load_state_dict(averaged.values)
    return losses
