"""Detections and attention maps as pictures. Arrays in, arrays out; every function returns a new image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.detector.contract import Attention
from spotlabel.detector.prediction.predictor import Prediction
from spotlabel.pipeline.pictures.layers import CLASS_COLOURS, write
from spotlabel.pipeline.sequence import Image

Float32 = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DARK: Colour = (20, 20, 20)
_OUTLINE: Colour = (200, 200, 200)
_GREY_SHARE = 0.65
"""Brightness of the grey image under an attention map."""
_LEGEND = (140, 10)
"""Width and height of the legend's colour bar."""


def draw_detections(image: Image, found: Prediction, class_names: tuple[str, ...]) -> Image:
    """Boxes in their class's colour, the surest on top, with scores (and classes, if there are several).

    Args:
        image: uint8 (H, W, 3) BGR.
        found: what to draw, best first, all of it.
        class_names: what the class ids point into.
    """
    drawn = image.copy()
    scale = _text_scale(image)
    for box, score, label in zip(found.boxes[::-1], found.score[::-1], found.class_id[::-1], strict=True):
        colour = CLASS_COLOURS[int(label) % len(CLASS_COLOURS)]
        x0, y0, x1, y1 = (round(float(v)) for v in box)
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, max(1, round(2 * scale)), cv2.LINE_AA)
        name = f"{class_names[int(label)]} " if len(class_names) > 1 else ""
        _label(drawn, f"{name}{score:.2f}", (x0, y0), colour, scale)
    return drawn


def draw_attention(
    image: Image, values: Float32, attention: Attention, boxes: npt.NDArray[np.float64] | None = None
) -> Image:
    """The image in grey, coloured where an attention map is high.

    Args:
        image: uint8 (H, W, 3) BGR.
        values: float32 (H, W), the map.
        attention: what it is.
        boxes: float64 (N, 4), x0, y0, x1, y1 in pixel edges; outlined if the map belongs to them.
    """
    shares = _sigmoid(values) if attention.logits else np.clip(values, 0, 1)
    colours = cv2.applyColorMap((shares * 255).round().astype(np.uint8), cv2.COLORMAP_INFERNO)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[:, :, None] * np.float32(_GREY_SHARE)
    weight = np.minimum(0.85, 1.7 * shares)[:, :, None]
    blended: Image = (grey * (1 - weight) + colours * weight).round().astype(np.uint8)
    if attention.regions and boxes is not None:
        for x0, y0, x1, y1 in np.rint(boxes).astype(int).tolist():
            cv2.rectangle(blended, (x0, y0), (x1 - 1, y1 - 1), _OUTLINE, 1)
    return blended


def add_legend(image: Image, attention: Attention) -> Image:
    """The colour bar of :func:`draw_attention` in the lower left corner; small images stay as they are."""
    width, height = _LEGEND
    if image.shape[1] < 2 * width or image.shape[0] < 8 * height:
        return image
    drawn = image.copy()
    bottom, left = image.shape[0] - 10, 10
    box = drawn[bottom - height - 22 : bottom + 4, left - 5 : left + width + 6]
    box[:] = (box * 0.35).astype(np.uint8)
    ramp = np.linspace(0, 255, width).round().astype(np.uint8)[None].repeat(height, axis=0)
    drawn[bottom - height : bottom, left : left + width] = cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)
    name = "foreground" if attention.foreground else attention.title
    write(drawn, f"{name}: 0", (left, bottom - height - 6), 0.38)
    write(drawn, "1", (left + width - 7, bottom - height - 6), 0.38)
    return drawn


def at_width(image: Image, found: Prediction, width: int) -> tuple[Image, Prediction]:
    """An image, and what was found in it, shrunk or enlarged to ``width`` pixels."""
    factor = width / image.shape[1]
    size = (width, max(1, round(image.shape[0] * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    attention = {
        name: np.asarray(cv2.resize(values, size), np.float32) for name, values in found.attention.items()
    }
    resized = cv2.resize(image, size, interpolation=method)
    return resized, Prediction(found.boxes * factor, found.score, found.class_id, attention)


def side_by_side(images: list[Image], gap: int = 6) -> Image:
    """Images of equal height next to each other."""
    strip = np.full((images[0].shape[0], gap, 3), 24, np.uint8)
    parts = [part for image in images for part in (strip, image)]
    return np.concatenate(parts[1:], axis=1)


def fitted(image: Image, size: tuple[int, int]) -> Image:
    """The image shrunk or enlarged into a panel of ``size`` (H, W), dark where it does not fill it."""
    factor = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    panel = np.full((*size, 3), 24, np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    fitting = image if factor == 1 else cv2.resize(image, (width, height), interpolation=method)
    panel[top : top + height, left : left + width] = fitting
    return panel


def _label(image: Image, text: str, corner: tuple[int, int], colour: Colour, scale: float) -> None:
    """Dark text on a chip of the box's colour, above the box or inside where there is no room above."""
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, 1)
    x = int(np.clip(corner[0], 0, max(0, image.shape[1] - width - 4)))
    y = corner[1] - 1 if corner[1] > height + 5 else corner[1] + height + 5
    cv2.rectangle(image, (x, y - height - 4), (x + width + 3, y), colour, -1)
    cv2.putText(image, text, (x + 2, y - 2), _FONT, scale, _DARK, 1, cv2.LINE_AA)


def _text_scale(image: Image) -> float:
    """Size of text that can be read, and hides little, whatever the resolution."""
    return float(np.clip(image.shape[1] / 2400, 0.32, 1.2))


def _sigmoid(logits: Float32) -> Float32:
    shares: Float32 = (1 / (1 + np.exp(-np.clip(logits, -60, 60)))).astype(np.float32)
    return shares
