"""One training or validation sample, as a pure function of frame, mask, boxes and view."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.detector.data.colour import CENTERNET_COLOURS, Colours, jitter, normalise
from spotlabel.detector.data.views import Rng, View
from spotlabel.detector.geometry import Floats

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

FOREGROUND, UNKNOWN = 1, 255
WEAK = 254
"""Unknown pixels inside boxes, told apart from those outside by :func:`tell_unknown_apart`."""


class IgnoreMode(StrEnum):
    """What becomes of unknown pixels: ignore regions, and places whose mask nobody believes."""

    NONE = "none"
    """They are background, as in the published models."""
    MASK_LOSS = "mask_loss"
    """They carry no loss in the segmentation; those outside all boxes none where no object is found, either.
    (Inside a box whose mask nobody believes, the object itself is annotated.)"""
    BLACKEN = "blacken"
    """Those outside all boxes are painted black, and all are background."""


@dataclass(frozen=True)
class Sample:
    """What the network sees of one frame and what is known of it, on a canvas of H x W.

    Attributes:
        image: float32 (3, H, W), normalised BGR.
        boxes: float32 (N, 4), x0, y0, x1, y1 in pixels of the canvas, not clipped.
        class_id: int64 (N,), in [0, classes).
        mask: float32 (1, H, W) in [0, 1], foreground, soft at its edges.
        known: float32 (1, H, W), 0 on unknown pixels and 1 elsewhere; all 1 unless ``mask_loss``.
        labelled: float32 (1, H, W), 0 on unknown pixels outside all boxes; all 1 unless ``mask_loss``.
    """

    image: Float32
    boxes: Float32
    class_id: npt.NDArray[np.int64]
    mask: Float32
    known: Float32
    labelled: Float32


def make_sample(
    image: UInt8,
    mask: UInt8,
    boxes: Floats,
    class_id: npt.NDArray[np.integer],
    *,
    view: View,
    rng: Rng | None = None,
    ignore_mode: IgnoreMode = IgnoreMode.NONE,
    colours: Colours = CENTERNET_COLOURS,
) -> Sample:
    """Build one sample.

    Args:
        image: uint8 (H0, W0, 3) BGR.
        mask: uint8 (H0, W0), 0 background, 1 foreground, 255 unknown.
        boxes: (N, 4), x0, y0, x1, y1 in pixels of the image.
        class_id: (N,), in [0, classes).
        view: how the image comes to the canvas.
        rng: draws the colour jitter; None leaves the colours alone.
        ignore_mode: see :class:`IgnoreMode`.
        colours: how colours become the network's input.

    Returns:
        See :class:`Sample`.

    Raises:
        ValueError: image and mask do not have the same size.
    """
    if image.shape[:2] != mask.shape:
        raise ValueError(f"mask of shape {mask.shape} for an image of shape {image.shape}")
    told = tell_unknown_apart(mask, boxes)
    if ignore_mode is IgnoreMode.BLACKEN:
        image = np.where((told == UNKNOWN)[:, :, None], np.uint8(0), image)
    foreground = _unit(view.warp((mask == FOREGROUND).astype(np.uint8) * np.uint8(255)))
    known = labelled = np.ones(view.canvas, np.float32)
    if ignore_mode is IgnoreMode.MASK_LOSS:
        known, labelled = _untouched(told >= WEAK, view), _untouched(told == UNKNOWN, view)
    return Sample(
        image=_network_input(view.warp(image), rng, colours),
        boxes=view.boxes(boxes, image.shape[1]).astype(np.float32),
        class_id=np.asarray(class_id, np.int64),
        mask=foreground[None],
        known=known[None],
        labelled=labelled[None],
    )


def tell_unknown_apart(mask: UInt8, boxes: Floats) -> UInt8:
    """The mask (H, W) with :data:`WEAK` for unknown pixels inside boxes; the others stay as they are."""
    told = mask.copy()
    for x0, y0, x1, y1 in np.rint(np.asarray(boxes).reshape(-1, 4)).astype(int).tolist():
        window = told[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        window[window == UNKNOWN] = WEAK
    return told


def _untouched(unknown: npt.NDArray[np.bool_], view: View) -> Float32:
    """1 on the canvas where no unknown pixel has a part: a mixture with something unknown is unknown, too."""
    touched: UInt8 = view.warp(unknown.astype(np.uint8) * np.uint8(255))
    return np.asarray(touched == 0, np.float32)


def _network_input(canvas: UInt8, rng: Rng | None, colours: Colours) -> Float32:
    scaled = _unit(canvas)
    coloured = scaled if rng is None else jitter(scaled, rng)
    return np.stack(cv2.split(normalise(coloured, colours)))


def _unit(values: UInt8) -> Float32:
    """Grey levels 0..255 as float32 in [0, 1]."""
    return values.astype(np.float32) / np.float32(255)
