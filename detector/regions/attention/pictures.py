"""Attentions over the picture they look at. Arrays in, arrays out; every function returns a new image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

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
    drawn = _outlined(overlay(image, on_picture(image, rois, maps)), rois)
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
    heats = [on_picture(image, rois, shares) for shares in (before, before * factor)]
    panels = [_outlined(overlay(image, heat), rois) for heat in heats]
    return _row(panels, ("sensitivity", "after inversion"))


def on_picture(image: Image, rois: Floats, maps: Floats) -> Floats:
    """Maps of RoIs, each stretched over its RoI; the largest value where RoIs overlap, 0 outside.

    Args:
        image: whose height and width the result has.
        rois: float32 (N, 4), x0, y0, x1, y1 in pixel edges; may reach off the image.
        maps: float32 (N, S, S) in [0, 1].

    Returns:
        float32 (H, W) in [0, 1].
    """
    height, width = image.shape[:2]
    result = np.zeros((height, width), np.float32)
    for roi, shares in zip(rois, maps, strict=True):
        x0, y0 = np.floor(np.maximum(roi[:2], 0)).astype(int)
        x1, y1 = np.ceil(np.minimum(roi[2:], (width, height))).astype(int)
        if x0 >= x1 or y0 >= y1:
            continue
        columns = _cell_positions(np.arange(x0, x1), roi[0], roi[2], shares.shape[1])
        rows = _cell_positions(np.arange(y0, y1), roi[1], roi[3], shares.shape[0])
        grid = np.broadcast_arrays(columns[None], rows[:, None])
        part = cv2.remap(shares, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        np.maximum(result[y0:y1, x0:x1], part, out=result[y0:y1, x0:x1])
    return result


def overlay(image: Image, shares: Floats) -> Image:
    """The image in grey, coloured by shares (H, W) in [0, 1]: dark is little, bright is much."""
    colours = cv2.applyColorMap((np.clip(shares, 0, 1) * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[:, :, None] * np.float32(_GREY)
    weight = np.minimum(0.85, 1.7 * np.clip(shares, 0, 1))[:, :, None]
    blended: Image = (grey * (1 - weight) + colours * weight).round().astype(np.uint8)
    return blended


def _cell_positions(pixels: npt.NDArray[np.int64], low: float, high: float, cells: int) -> Floats:
    """Pixel centres on an axis of ``cells`` between two edges; the centre of the first cell is 0."""
    return ((pixels + 0.5 - low) / (high - low) * cells - 0.5).astype(np.float32)


def _outlined(image: Image, rois: Floats) -> Image:
    for x0, y0, x1, y1 in np.rint(rois).astype(int).tolist():
        cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), _OUTLINE, 1)
    return image


def _row(panels: list[Image], titles: tuple[str, ...]) -> Image:
    """Titled panels next to each other."""
    parts = [titled(panel, title) for panel, title in zip(panels, titles, strict=True)]
    gap = np.full((parts[0].shape[0], _GAP, 3), 24, np.uint8)
    return np.hstack([part for panel in parts for part in (gap, panel)][1:])
