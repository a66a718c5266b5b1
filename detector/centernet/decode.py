"""From network outputs to boxes (CenterNet, Zhou et al., 2019)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from spotlabel.detector.centernet.tensors import Outputs, gather_cells
from spotlabel.detector.contract import MAX_DETECTIONS, Found
from spotlabel.detector.tensors import at_least_single, uncompiled


def peaks(scores: Tensor) -> Tensor:
    """Scores [B, classes, h, w] with everything set to 0 that is not the largest of its 3x3 neighbourhood.

    Cells of a plateau are all kept.
    """
    return scores * (functional.max_pool2d(scores, 3, stride=1, padding=1) == scores)


def decode(scores: Tensor, wh: Tensor, reg: Tensor | None = None, count: int = MAX_DETECTIONS) -> Tensor:
    """The ``count`` highest peaks of each image as boxes on the grid, best first.

    Args:
        scores: [B, classes, h, w] in [0, 1] (the sigmoid of the heatmap).
        wh: [B, 2, h, w], width and height in cells.
        reg: [B, 2, h, w], offset of the centre in its cell; None takes the middle of the cell.
        count: boxes per image; fewer if the grid has fewer cells.

    Returns:
        [B, count, 6]: x0, y0, x1, y1 in cells, score, class.
    """
    _, classes, height, width = scores.shape
    flat = peaks(at_least_single(scores)).flatten(1)  # [B, classes*h*w]
    best, place = flat.topk(min(count, classes * height * width))  # [B, count]
    label, cell = place // (height * width), place % (height * width)
    corner = torch.stack([cell % width, cell // width], dim=2)  # [B, count, 2]: x, y
    offset = 0.5 if reg is None else at_least_single(gather_cells(reg, cell))
    centre = corner + offset  # [B, count, 2]
    half = at_least_single(gather_cells(wh, cell)) / 2
    return torch.cat([centre - half, centre + half, best.unsqueeze(2), label.unsqueeze(2)], dim=2)


def decode_outputs(outputs: Mapping[str, Tensor], count: int = MAX_DETECTIONS) -> Tensor:
    """:func:`decode` of the outputs ``hm`` (logits), ``wh`` and ``reg`` of one stack: [B, count, 6]."""
    return decode(at_least_single(outputs["hm"]).sigmoid(), outputs["wh"], outputs["reg"], count)


def flip_average(
    plain: Mapping[str, Tensor], mirrored: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Join the outputs of an image and of its mirror image.

    Args:
        plain: outputs of one stack on the image: ``hm`` [B, classes, h, w], ``wh`` and ``reg`` [B, 2, h, w].
        mirrored: outputs on the image flipped left to right, same shapes.

    Returns:
        Scores [B, classes, h, w] and ``wh`` as means of both, ``reg`` of the unflipped image (offsets to
        the right do not average with offsets to the left).
    """
    scores = (at_least_single(plain["hm"]).sigmoid() + at_least_single(mirrored["hm"]).sigmoid().flip(3)) / 2
    sizes = (at_least_single(plain["wh"]) + at_least_single(mirrored["wh"]).flip(3)) / 2
    return scores, sizes, plain["reg"]


@uncompiled
def found_in(plain: Outputs, mirrored: Outputs | None, stride: int, count: int, attention: bool) -> Found:
    """What the outputs of one stack show, on the canvas.

    Args:
        plain: ``hm``, ``wh``, ``reg`` and, for attention maps, ``seg`` [B, 1, H, W] (logits).
        mirrored: outputs on the images flipped left to right, to be averaged with; None without.
        stride: pixels per cell.
        count: boxes per image.
        attention: return the segmentation logits.
    """
    rows = (
        decode_outputs(plain, count) if mirrored is None else decode(*flip_average(plain, mirrored), count)
    )  # [B, count, 6]
    maps = {"seg": _averaged_seg(plain, mirrored)} if attention else {}
    return Found(rows[:, :, :4] * stride, rows[:, :, 4], rows[:, :, 5].long(), maps)


def _averaged_seg(plain: Outputs, mirrored: Outputs | None) -> Tensor:
    """Segmentation logits [B, H, W]."""
    seg = at_least_single(plain["seg"]).squeeze(1)
    if mirrored is None:
        return seg
    return (seg + at_least_single(mirrored["seg"]).squeeze(1).flip(2)) / 2
