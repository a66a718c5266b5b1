"""What moves beside the camera: flow from a frame to its neighbour as a camera at rest would have seen it.

Near things and far things shift differently when the camera travels, which no homography tells. So flow that
is left outside the boxes is fitted, around each box, by a field linear in x and y and taken off inside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from labelers.egomotion.camera import Grey, Plane
from labelers.flow import FlowSettings, FramePair, dense_flow

Flow = npt.NDArray[np.float32]
Place = tuple[slice, slice]

CONTEXT = 16
"""Flow of a patch is computed with so many px around it, for OpenCV takes what lies outside for black."""
SPACING = 4
"""The field is fitted to every so-manieth pixel in x and y."""
FEWEST_SAMPLES = 60
"""Fewer samples around a box are not fitted."""
WORTH_FITTING = 0.15
"""A background whose flow has a median length below this needs no field, px per frame of distance."""
DIS_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
ROUNDS = 8
"""Rounds of reweighting."""


class ResidualSettings(FlowSettings):
    """Which flow, and how a patch of it is taken."""

    flow: Literal["farneback", "dis"] = "farneback"
    """``dis`` is Dense Inverse Search (Kroeger et al., ECCV 2016), twice as fast and with harder edges."""
    dis_preset: Literal["ultrafast", "fast", "medium"] = "medium"
    """OpenCV's presets of it."""
    margin: int = Field(48, ge=16, le=256)
    """Flow is looked at in the boxes and so many px around them, where it shows what the background does."""


@dataclass(frozen=True, slots=True)
class Residual:
    """Motion left in a patch.

    Attributes:
        flow: float32 (h, w, 2), px, without the background's.
        background: median length of it outside the boxes, px; 0 where there is no outside.
    """

    flow: Flow
    background: float


def patch_flow(here: Grey, there: Grey, place: Place, settings: ResidualSettings) -> Flow:
    """Flow of a patch, worked out with what lies around it.

    Args:
        here: uint8 (H, W), the frame.
        there: uint8 (H, W), the neighbour as seen from it.
        place: rows and columns of the patch.
        settings: the flow's.

    Returns:
        float32 (h, w, 2), px.
    """
    start, end = _context(here, place), _context(there, place)
    if settings.flow == "farneback":
        flow = dense_flow(FramePair(start, end, 1.0), settings)
    else:
        flow = cv2.DISOpticalFlow.create(DIS_PRESETS[settings.dis_preset]).calc(start, end, None)
    return flow[CONTEXT:-CONTEXT, CONTEXT:-CONTEXT]


def without_background(flow: Flow, background: Plane, slack: float) -> Residual:
    """Take off what the background does.

    Args:
        flow: float32 (h, w, 2), px.
        background: uint8 (h, w), not 0 outside the boxes.
        slack: distance of the two frames in frame steps; scales what is worth fitting.
    """
    samples = background[::SPACING, ::SPACING] > 0
    values = flow[::SPACING, ::SPACING][samples]
    if len(values) < FEWEST_SAMPLES:
        return Residual(flow, _typical(values))
    typical = _typical(values)
    if typical <= WORTH_FITTING * slack:
        return Residual(flow, typical)
    field = _linear_field(values, samples, (flow.shape[0], flow.shape[1]))
    left = flow - field
    typical_left = _typical(left[::SPACING, ::SPACING][samples])
    # A field that does not explain at least half of it would only be noise carried into the box.
    return Residual(left, typical_left) if typical_left < 0.5 * typical else Residual(flow, typical)


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


def _typical(values: Flow) -> float:
    return float(np.median(np.linalg.norm(values, axis=-1))) if len(values) else 0.0


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
