"""What is compared, and under which settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.paired import scenes
from spotlabel.detector.centernet.gate import Gate, GateMode
from spotlabel.detector.centernet.heads import SegHead
from spotlabel.detector.centernet.network import CenterNet
from spotlabel.detector.centernet.presets import PRESETS, Preset
from spotlabel.detector.networks.hourglass import HOURGLASS_TINY, Hourglass, HourglassSize

CENTERNET, MULTITASK = "centernet", "multitask"
SIGMOID, LOGIT = "attention-sigmoid", "attention-logit"

VARIANTS: dict[str, Preset] = {
    CENTERNET: PRESETS["centernet"],
    MULTITASK: PRESETS["spotnet-multitask"],
    # The paper's probabilities, but on the heatmap alone: the two gates shall differ in nothing else.
    SIGMOID: Preset(SegHead.CONV2, Gate(GateMode.MUL_SIGMOID)),
    LOGIT: PRESETS["spotnet-released"],
}

SEEDS = (21, 22, 23, 24, 25, 26)
"""Fixed before any of them was run; pilots use others."""

QUICK_SEEDS = (1, 2)
TEST_SEED = 1_000_000
"""The test scenes of every run; no training seed reaches it."""


@dataclass(frozen=True)
class Settings:
    """All that a run's result depends on besides variant and seed.

    Attributes:
        train_images: number of training scenes, drawn with the run's seed.
        test_images: number of test scenes, the same ones for every run.
        iterations: optimiser steps.
        batch: images per step.
        rate: Adam's learning rate; multiplied by ``decay`` after each share of the steps in ``milestones``.
        milestones: see ``rate``.
        decay: see ``rate``.
        size: the backbone.
        scenes_version: of the scene generator.
    """

    train_images: int = 300
    test_images: int = 300
    iterations: int = 800
    batch: int = 16
    rate: float = 2e-3
    milestones: tuple[float, ...] = (0.7, 0.9)
    decay: float = 0.2
    size: HourglassSize = HOURGLASS_TINY
    scenes_version: int = scenes.VERSION

    def as_data(self) -> dict[str, Any]:
        """Plain data, comparable with what JSON gives back."""
        data = asdict(self)
        data["milestones"] = list(self.milestones)
        data["size"] = {k: list(v) if isinstance(v, tuple) else v for k, v in data["size"].items()}
        return data


QUICK = Settings(train_images=48, test_images=24, iterations=60)
"""Shows in a minute that everything works; its figures mean nothing."""


def build_network(variant: str, size: HourglassSize) -> CenterNet:
    """A fresh network; under one torch seed all variants share the weights they have in common."""
    preset = VARIANTS[variant]
    return CenterNet(Hourglass(size), 1, preset.seg_head, preset.gate)
