"""The fast path: frames go to the device as bytes; geometry and colour are worked out there.

What is random is drawn on the CPU with the sample's own generator, in the order of the parity path, so both
paths show the network the same views and colours; they differ by the rounding of pixels to bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spotlabel.detector.contract import Batch
from spotlabel.detector.data.batches import stack_objects, whole_canvas
from spotlabel.detector.data.colour import EIGENVALUES, EIGENVECTORS, GREY, LIGHTING, STRENGTH, Colours
from spotlabel.detector.data.frames import Raw, SampleRules
from spotlabel.detector.data.samples import FOREGROUND, UNKNOWN, WEAK, IgnoreMode, tell_unknown_apart
from spotlabel.detector.data.views import Rng, View
from spotlabel.detector.geometry import Matrix, inverse

BYTE = 255.0
TOUCH = 0.5 / BYTE
"""Share of unknown from which a warped pixel counts as touched; rounding to bytes has the same limit."""


def stack_raw(samples: list[Raw], colour: bool) -> dict[str, Tensor]:
    """A batch for :func:`prepare`, on the CPU; smaller frames are padded to the largest one.

    Returns:
        ``image`` uint8 [B, H, W, 3], ``told`` uint8 [B, H, W] (the masks, weak boxes told apart), ``back``
        float32 [B, 2, 3] (from canvas to image), ``jitter`` float32 [B, 3, 2] (steps and factors), ``shift``
        float32 [B, 3]; ``extent``, ``boxes``, ``classes`` and ``present`` as the batch will have them.
    """
    height = max(s.frame.image.shape[0] for s in samples)
    width = max(s.frame.image.shape[1] for s in samples)
    images = np.zeros((len(samples), height, width, 3), np.uint8)
    masks = np.zeros((len(samples), height, width), np.uint8)
    jitters, shifts = np.zeros((len(samples), 3, 2), np.float32), np.zeros((len(samples), 3), np.float32)
    for k, sample in enumerate(samples):
        rows, columns = sample.frame.mask.shape
        images[k, :rows, :columns] = sample.frame.image
        masks[k, :rows, :columns] = tell_unknown_apart(sample.frame.mask, sample.frame.boxes)
        jitters[k], shifts[k] = _draw_jitter(sample.rng) if colour else (_NO_JITTER, 0)
    canvas = samples[0].view.canvas
    boxes, classes, present = stack_objects(
        [s.boxes for s in samples], [s.frame.class_id for s in samples], canvas
    )
    back = np.stack([_back(s.view, s.frame.image.shape[1]) for s in samples]).astype(np.float32)
    return {
        "image": torch.from_numpy(images),
        "told": torch.from_numpy(masks),
        "back": torch.from_numpy(back),
        "jitter": torch.from_numpy(jitters),
        "shift": torch.from_numpy(shifts),
        "extent": whole_canvas(len(samples), canvas),
        "boxes": boxes,
        "classes": classes,
        "present": present,
    }


_NO_JITTER = np.array([[0, 1], [0, 1], [0, 1]], np.float32)


def _draw_jitter(rng: Rng) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Draws of ``colour.jitter``: (3, 2) of step and factor in order, (3,) of shift."""
    steps = [(step, 1 + rng.uniform(-STRENGTH, STRENGTH)) for step in rng.permutation(3)]
    return np.array(steps, np.float32), EIGENVECTORS @ (EIGENVALUES * rng.normal(0, LIGHTING, 3))


def _back(view: View, width: int) -> Matrix:
    """From the canvas to the image as it was read, mirroring included."""
    back = inverse(view.matrix)
    if view.flip:
        back[0] = -back[0]
        back[0, 2] += width - 1
    return back


def prepare(raw: dict[str, Tensor], rules: SampleRules) -> Batch:
    """A batch for training from one of :func:`stack_raw`, on its device.

    Args:
        raw: the batch, already on the device.
        rules: canvas, colours and ignore mode.
    """
    image, told = raw["image"].permute(0, 3, 1, 2).float(), raw["told"].unsqueeze(1)  # [B, 3|1, H, W]
    unknown, unlabelled = (told >= WEAK).float(), (told == UNKNOWN).float()
    if rules.ignore_mode is IgnoreMode.BLACKEN:
        image = image * (1 - unlabelled)
    planes = torch.cat(
        [image / BYTE, (told == FOREGROUND).float(), unknown, unlabelled], dim=1
    )  # [B, 6, H, W]
    warped = warp(planes, raw["back"], rules.canvas)
    known = torch.ones_like(warped[:, 4:])  # [B, 2, H, W]: of the mask, of the objects
    if rules.ignore_mode is IgnoreMode.MASK_LOSS:
        known = (warped[:, 4:] < TOUCH).float()
    return {
        "image": normalise(jitter(warped[:, :3], raw["jitter"], raw["shift"]), rules.colours),
        "extent": raw["extent"],
        "boxes": raw["boxes"],
        "classes": raw["classes"],
        "present": raw["present"],
        "mask": warped[:, 3:4],
        "known": known[:, :1],
        "labelled": known[:, 1:],
    }


def warp(planes: Tensor, back: Tensor, canvas: tuple[int, int]) -> Tensor:
    """Planes [B, C, H, W] on the canvas, bilinear, 0 outside: [B, C, *canvas].

    Args:
        planes: float.
        back: [B, 2, 3], from canvas pixels (centres at integers) to image pixels.
        canvas: height and width.
    """
    y, x = (torch.arange(side, device=planes.device, dtype=back.dtype) for side in canvas)
    across, down = 2 / (planes.shape[3] - 1), 2 / (planes.shape[2] - 1)
    # Not a matrix product: TF32 and bfloat16 would know places to some pixels only.
    rows = back[:, :, :, None, None]  # [B, 2, 3, 1, 1]
    source = rows[:, :, 0] * x + rows[:, :, 1] * y[:, None] + rows[:, :, 2]  # [B, 2, H', W']: x, y in pixels
    grid = torch.stack([source[:, 0] * across, source[:, 1] * down], dim=3) - 1
    return functional.grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def jitter(image: Tensor, steps: Tensor, shift: Tensor) -> Tensor:
    """Colours of :func:`spotlabel.detector.data.colour.jitter` with given draws.

    Args:
        image: [B, 3, H, W] BGR in [0, 1].
        steps: [B, 3, 2]: which step (0 brightness, 1 contrast, 2 saturation) and its factor, in order.
        shift: [B, 3], added at the end.
    """
    grey = (image * _constant(tuple(GREY.tolist()), image.device)).sum(1, keepdim=True)  # [B, 1, H, W]
    mean = grey.mean((1, 2, 3), keepdim=True)
    for k in range(3):
        step, factor = (steps[:, k, i, None, None, None] for i in (0, 1))
        towards = torch.where(step == 2, grey, torch.where(step == 1, mean, 0.0))
        image = image * factor + towards * (1 - factor)
    return image + shift[:, :, None, None]


def normalise(image: Tensor, colours: Colours) -> Tensor:
    """Subtract the mean and divide by the deviation of each channel: [B, 3, H, W] BGR."""
    return (image - _constant(colours.mean, image.device)) / _constant(colours.std, image.device)


@lru_cache(maxsize=32)
def _constant(channels: tuple[float, ...], device: torch.device) -> Tensor:
    """A value per channel, float32 [1, 3, 1, 1], on a device: copied there once, since copying waits."""
    return torch.tensor(channels, dtype=torch.float32).to(device).view(1, -1, 1, 1)
