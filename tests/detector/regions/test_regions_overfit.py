"""Small region-based detectors learn one batch by heart: targets, losses and decoding agree."""

from __future__ import annotations

import pytest
import torch

from spotlabel.detector.regions.presets import build_region_detector
from tests.helpers.regions_scenes import CLASSES, average_precision, learnt, scenes

torch.set_num_threads(1)


@pytest.mark.parametrize("backbone", ["small-c4", "small-fpn"])
@pytest.mark.parametrize("preset", ["faster-rcnn"])
def test_a_preset_learns_one_batch(preset: str, backbone: str) -> None:
    torch.manual_seed(0)
    batch = scenes()
    model = build_region_detector(preset, backbone, CLASSES)
    assert average_precision(model, batch) < 0.5
    assert learnt(model, batch, most=300, enough=0.98) > 0.98
