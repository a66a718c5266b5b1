"""Scenes as tensors, all held in memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmarks.paired.scenes import SIZE, Scene
from spotlabel.detector.centernet.targets import batch_targets
from spotlabel.detector.data.batches import stack_samples
from spotlabel.detector.data.samples import Sample, make_sample
from spotlabel.detector.data.views import letterbox_view

STRIDE = 4
"""Pixels per cell of the heatmap."""


def as_sample(scene: Scene) -> Sample:
    """The scene at its own scale; nothing is augmented."""
    view = letterbox_view((SIZE, SIZE), (SIZE, SIZE))
    label = np.zeros(len(scene.boxes), np.int64)
    return make_sample(scene.image, scene.mask, scene.boxes, label, view=view)


def as_tensors(scenes: list[Scene], device: torch.device) -> dict[str, Tensor]:
    """Inputs and targets of N scenes.

    Returns:
        ``input`` float32 [N, 3, 128, 128] (channels last), and the targets of
        :func:`spotlabel.detector.centernet.losses.detection_loss`: ``hm`` [N, 1, 32, 32], ``wh`` and ``reg``
        [N, K, 2], ``ind`` and ``mask`` [N, K], ``seg`` [N, 1, 128, 128].
    """
    batch = stack_samples([as_sample(scene) for scene in scenes])
    targets = batch_targets(batch, 1, STRIDE)
    tensors = {name: targets[name] for name in ("hm", "wh", "reg", "ind", "mask", "seg")}
    tensors["input"] = batch["image"].contiguous(memory_format=torch.channels_last)
    return {name: tensor.to(device) for name, tensor in tensors.items()}
