"""What is compared, and under which settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.attentions import hidden
from benchmarks.paired import scenes
from spotlabel.detector.contract import Detector
from spotlabel.detector.families import family_of, own_settings

CLASSES = 2
"""Vehicles without and with a pillar in their windows."""

CENTERNET, SPOTNET = "centernet", "spotnet"
PLAIN, SPLIT, ALS, IA, LGA = "faster-rcnn", "als-split", "als", "ia", "lga"

PRESETS = {
    CENTERNET: "centernet",
    SPOTNET: "spotnet-paper",
    PLAIN: "faster-rcnn",
    SPLIT: "als-split",
    ALS: "als",
    IA: "ian",
    LGA: "lga",
}
"""Preset of each variant, in the order of tables."""

ONE_STAGE = (CENTERNET, SPOTNET)
REGION_OPTIONS: dict[str, object] = {
    # Vehicles are 12 to 26 pixels wide and half as high.
    "anchor_sizes": ((8.0, 16.0, 32.0),),
    "als": {"hidden": 128},
    "lga": {"hidden": 32, "guide_width": 128},
}

SEEDS = (31, 32, 33, 34, 35, 36)
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
        rate: Adam's learning rate of CenterNet and SpotNet, and of the others; multiplied by ``decay`` after
            each share of the steps in ``milestones``.
        milestones: see ``rate``.
        decay: see ``rate``.
        clip: largest L2 norm of the gradient.
        backbone: of CenterNet and SpotNet, and of the others.
        scenes_version: of the scene generator.
        patches_version: of the patches on test scenes.
        region_options: of the detectors on regions, as text.
    """

    train_images: int = 300
    test_images: int = 300
    iterations: int = 800
    batch: int = 4
    rate: tuple[float, float] = (2e-3, 1e-3)
    milestones: tuple[float, ...] = (0.7, 0.9)
    decay: float = 0.2
    clip: float = 10.0
    backbone: tuple[str, str] = ("hourglass-tiny", "small-c4")
    scenes_version: int = scenes.VERSION
    patches_version: int = hidden.VERSION
    region_options: str = repr(REGION_OPTIONS)

    def as_data(self) -> dict[str, Any]:
        """Plain data, comparable with what JSON gives back."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def rate_of(self, variant: str) -> float:
        """Learning rate of a variant's first steps."""
        return self.rate[variant not in ONE_STAGE]


QUICK = Settings(train_images=24, test_images=12, iterations=12)
"""Shows in a few minutes that everything works; its figures mean nothing."""


def build_network(variant: str, settings: Settings) -> Detector:
    """A fresh detector with weights from torch's default generator."""
    preset = PRESETS[variant]
    one_stage = variant in ONE_STAGE
    backbone, family = settings.backbone[not one_stage], family_of(preset)
    options = own_settings(preset, "options", {} if one_stage else REGION_OPTIONS, "options")
    return family.build(preset, backbone, CLASSES, family.settled(preset, backbone, options))
