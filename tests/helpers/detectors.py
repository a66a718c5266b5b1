"""Small networks and fixed backbones for the detector's tests."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from spotlabel.detector.centernet.network import CenterNet
from spotlabel.detector.centernet.presets import build_detector
from spotlabel.detector.checkpoint import public_name
from spotlabel.detector.networks.backbone import Backbone
from spotlabel.detector.networks.hourglass import Hourglass, HourglassSize
from tests.helpers import hash_tensors

# Small tensors gain nothing from threads and lose much where the cores are shared.
torch.set_num_threads(1)

MINI = HourglassSize(stem=4, dims=(8, 8, 12), modules=(1, 1, 1), stacks=2)
"""The smallest two-stack hourglass: input in multiples of 16 (64 with a U-Net head)."""


Network = TypeVar("Network", bound=nn.Module)


class Replay(Backbone):
    """A backbone that answers with given feature maps, whatever the image."""

    def __init__(self, features: list[Tensor]) -> None:
        super().__init__(features[0].shape[1], len(features), stride=4, multiple=128)
        self.features = features

    def forward(self, image: Tensor) -> list[Tensor]:
        return self.features


def fill_by_name(model: Network) -> Network:
    """Give every parameter and buffer its hash value (float64) by public name, and switch to eval mode."""
    state = {k: hash_tensors.parameter(public_name(k), tuple(v.shape)) for k, v in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    return model.eval()


def mini(preset: str, classes: int = 2, seed: int = 0) -> CenterNet:
    """A float64 detector of 8 channels with random weights, in eval mode."""
    torch.manual_seed(seed)
    model = build_detector(preset, Hourglass(MINI), classes).double()
    return model.eval()
