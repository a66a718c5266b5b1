"""Residual flow: from a frame to its neighbour, registered to it, less what the background does (parallax).

Near things and far things shift differently when the camera travels, which no homography tells. So flow that
is left outside the boxes is fitted, around each box, by a field linear in x and y and taken off inside it.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from spotlabel.labelers.egomotion.corners import Grey, Plane
from spotlabel.labelers.flow.dense import FlowSettings, FramePair, dense_flow, flow_speed

Flow = npt.NDArray[np.float32]
Place = tuple[slice, slice]

CONTEXT = 16
"""Flow of a patch is computed with so many px around it, for OpenCV takes what lies outside for black."""
SPACING = 4
"""The field is fitted to every so-manieth pixel in x and y."""
MIN_SAMPLES = 60
"""Fewer samples around a box are not fitted."""
MIN_BACKGROUND_FLOW = 0.15
"""A background whose flow has a median length below this needs no field, px per frame."""
ROUNDS = 8
"""Rounds of reweighting."""


class ResidualSettings(FlowSettings):
    """Which flow, and how a patch of it is taken."""

    flow: Literal["farneback", "dis"] = "farneback"
    """``dis`` is Dense Inverse Search (Kroeger et al., ECCV 2016), twice as fast and with harder edges; it
    overlooks small things."""
    margin: int = Field(24, ge=16, le=256)
    """Flow is looked at in the boxes and so many px around them, where it shows what the background does."""
    most_pixels: int = Field(300_000, ge=10_000)
    """Boxes and margins with more pixels than that in a frame are worked on at a coarser scale."""


def plain_speed(pair: FramePair, settings: ResidualSettings) -> Flow:
    """Length of the flow between two whole frames as they are, float32 (H, W), px per frame."""
    if settings.flow == "farneback":
        return flow_speed(pair, settings, CONTEXT)
    whole: Place = np.s_[0 : pair.start.shape[0], 0 : pair.start.shape[1]]
    flow = patch_flow(pair.start, pair.end, whole, settings)
    speed: Flow = cv2.magnitude(flow[..., 0], flow[..., 1]) / np.float32(pair.gap)
    return speed


def patch_flow(here: Grey, there: Grey, place: Place, settings: ResidualSettings) -> Flow:
    """Flow of a patch, worked out with what lies around it.

    Args:
        here: uint8 (H, W), the frame.
        there: uint8 (H, W), the neighbour as seen from it.
        place: rows and columns of the patch.
        settings: which flow.

    Returns:
        float32 (h, w, 2), px.
    """
    start, end = _context(here, place), _context(there, place)
    if settings.flow == "farneback":
        flow = dense_flow(FramePair(start, end, 1.0), settings)
    else:
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(start, end, None)
    return flow[CONTEXT:-CONTEXT, CONTEXT:-CONTEXT]


def subtract_background_flow(flow: Flow, background: Plane, gap: float) -> Flow:
    """Subtract the flow of the background, where a linear field explains it.

    Args:
        flow: float32 (h, w, 2), px.
        background: uint8 (h, w), not 0 outside the boxes.
        gap: distance of the two frames in frame steps; scales what is worth fitting.

    Returns:
        float32 (h, w, 2), px.
    """
    samples = background[::SPACING, ::SPACING] > 0
    values = flow[::SPACING, ::SPACING][samples]
    if len(values) < MIN_SAMPLES or _median_length(values) <= MIN_BACKGROUND_FLOW * gap:
        return flow
    left = flow - _linear_field(values, samples, (flow.shape[0], flow.shape[1]))
    # A field that does not explain at least half of it would only be noise carried into the box.
    return (
        left if _median_length(left[::SPACING, ::SPACING][samples]) < 0.5 * _median_length(values) else flow
    )


def _linear_field(values: Flow, samples: npt.NDArray[np.bool_], shape: tuple[int, int]) -> Flow:
    """Robust fit of ``a + b x + c y`` by reweighted least squares with Tukey's weights: float32 (h, w, 2)."""
    rows, columns = (place.astype(np.float64) * SPACING for place in np.nonzero(samples))
    size = float(max(shape))
    terms = np.stack([np.ones_like(rows), columns / size, rows / size], axis=1)
    weights = np.ones(len(rows))
    fit: npt.NDArray[np.floating] = np.zeros((3, 2))
    for _ in range(ROUNDS):
        weighted = terms * weights[:, None]
        fit = np.linalg.lstsq(weighted.T @ terms, weighted.T @ values, rcond=None)[0]
        misses = np.linalg.norm(values - terms @ fit, axis=1)
        scale = max(4.0 * float(np.median(misses)), 0.2)
        weights = np.clip(1 - (misses / scale) ** 2, 0, None) ** 2
    x, y = np.arange(shape[1]) / size, np.arange(shape[0]) / size
    field = fit[0] + x[None, :, None] * fit[1] + y[:, None, None] * fit[2]
    return np.asarray(field, np.float32)


def _median_length(values: Flow) -> float:
    """Median length of vectors (N, 2), px."""
    return float(np.median(np.linalg.norm(values, axis=-1)))


def _context(image: Grey, place: Place) -> Grey:
    """A patch with :data:`CONTEXT` px around it, the image's outermost pixels repeated where it ends."""
    rows, columns = place
    y0, y1, x0, x1 = (
        rows.start - CONTEXT,
        rows.stop + CONTEXT,
        columns.start - CONTEXT,
        columns.stop + CONTEXT,
    )
    height, width = image.shape
    inner = image[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    sides = (max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0))
    padded: Grey = cv2.copyMakeBorder(inner, *sides, cv2.BORDER_REPLICATE)
    return padded
