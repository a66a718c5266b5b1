"""Attentions over the picture they look at. Arrays in, arrays out; every function returns a new image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch

from spotlabel.detector.regions.attention.painting import paint
from spotlabel.pipeline.pictures.sheet import titled
from spotlabel.pipeline.sequence import Image

Floats = npt.NDArray[np.float32]

_GREY = 0.65
"""Brightness of the grey image under a map."""
_OUTLINE = (200, 200, 200)
_CENTRE = (60, 220, 60)
_GAP = 6


def draw_separation(image: Image, loc: Floats, cls: Floats) -> Image:
    """The localisation and the classification attention of ALS, side by side.

    Args:
        image: uint8 (H, W, 3) BGR.
        loc: float32 (h, w) in [0, 1], over the whole image.
        cls: likewise.

    Returns:
        uint8 (H + title, 2 W + gap, 3) BGR.
    """
    size = (image.shape[1], image.shape[0])
    panels = [overlay(image, cv2.resize(shares, size)) for shares in (loc, cls)]
    return _row(panels, ("localisation", "classification"))


def draw_gaussians(image: Image, rois: Floats, maps: Floats, centres: Floats | None = None) -> Image:
    """The Gaussians of LGA-RCNN over their RoIs; where RoIs overlap, the larger value shows.

    Args:
        image: uint8 (H, W, 3) BGR.
        rois: float32 (N, 4), x0, y0, x1, y1 in pixel edges; may reach off the image.
        maps: float32 (N, S, S) in [0, 1], all Gaussians of a RoI in one.
        centres: float32 (N, G, 2), x and y in cells, the centre of the first cell being 0; dots if given.
    """
    drawn = _outlined(overlay(image, _painted(image, rois, maps)), rois)
    if centres is None:
        return drawn
    for roi, own in zip(rois, centres, strict=True):
        places = roi[:2] + (own + 0.5) / maps.shape[1] * (roi[2:] - roi[:2])
        for x, y in np.floor(places).astype(int).tolist():
            cv2.circle(drawn, (x, y), 2, _CENTRE, -1, cv2.LINE_AA)
    return drawn


def draw_inversion(image: Image, rois: Floats, cells: Floats, factor: Floats) -> Image:
    """What RoIs are sensitive to, and what inverted attention leaves of it, side by side.

    Args:
        image: uint8 (H, W, 3) BGR.
        rois: float32 (N, 4), x0, y0, x1, y1 in pixel edges; may reach off the image.
        cells: float32 (N, S, S), sensitivity, signed; scaled to its own range in each RoI.
        factor: float32 (N, S, S) in [0, 1], the mean over the channels of what features are multiplied with.

    Returns:
        uint8 (H + title, 2 W + gap, 3) BGR.
    """
    low = cells.min(axis=(1, 2), keepdims=True)
    span = cells.max(axis=(1, 2), keepdims=True) - low
    before = (cells - low) / np.where(span > 0, span, np.float32(1))
    heats = [_painted(image, rois, shares) for shares in (before, before * factor)]
    panels = [_outlined(overlay(image, heat), rois) for heat in heats]
    return _row(panels, ("sensitivity", "after inversion"))


def overlay(image: Image, shares: Floats) -> Image:
    """The image in grey, coloured by shares (H, W) in [0, 1]: dark is little, bright is much."""
    colours = cv2.applyColorMap((np.clip(shares, 0, 1) * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[:, :, None] * np.float32(_GREY)
    weight = np.minimum(0.85, 1.7 * np.clip(shares, 0, 1))[:, :, None]
    blended: Image = (grey * (1 - weight) + colours * weight).round().astype(np.uint8)
    return blended


def _painted(image: Image, rois: Floats, maps: Floats) -> Floats:
    """Maps of RoIs over a picture, float32 (H, W) in [0, 1]; see :func:`paint`."""
    size = (image.shape[0], image.shape[1])
    painted: Floats = paint(torch.from_numpy(maps), torch.from_numpy(rois), size).numpy()
    return painted


def _outlined(image: Image, rois: Floats) -> Image:
    for x0, y0, x1, y1 in np.rint(rois).astype(int).tolist():
        cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), _OUTLINE, 1)
    return image


def _row(panels: list[Image], titles: tuple[str, ...]) -> Image:
    """Titled panels next to each other."""
    parts = [titled(panel, title) for panel, title in zip(panels, titles, strict=True)]
    gap = np.full((parts[0].shape[0], _GAP, 3), 24, np.uint8)
    return np.hstack([part for panel in parts for part in (gap, panel)][1:])
