"""What is drawn on one frame. Arrays in, arrays out; every function returns a new image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import MOTION_STEPS_PER_PIXEL, EvidenceKind
from spotlabel.labelers.masks.owners import NO_OWNER
from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.sequence import Image
from spotlabel.pipeline.store import BACKGROUND, FOREGROUND, UNKNOWN, MaskReader

Owned = tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]

_FOREGROUND_COLOUR = (255, 210, 0)
_UNKNOWN_COLOUR = (160, 60, 200)
_REGION_COLOUR = (200, 200, 200)
CLASS_COLOURS = (
    (60, 200, 255), (255, 180, 60), (90, 120, 255), (220, 120, 255), (120, 230, 120),
    (255, 255, 120), (160, 160, 255), (200, 200, 80),
)  # fmt: skip
"""BGR; class k has colour k, and so on from the start."""
_TINT = 0.45
_SCORE_WIDTH = 26
"""Px that a score needs."""
_GOLDEN = 0.6180339887
"""Of the circle of hues between the colours of numbers that follow each other."""
_STRIPE = 8
"""Distance of the stripes over unknown pixels."""

MOTION_SHOWN = 8.0
"""Speed at the top of the colour scale, in px per frame."""


def draw_mask(image: Image, mask: npt.NDArray[np.uint8]) -> Image:
    """Tint foreground and outline it; stripe what is unknown.

    Args:
        image: uint8 (H, W, 3) BGR.
        mask: uint8 (H, W): 0 background, 1 foreground, 255 unknown.
    """
    drawn = image.copy()
    foreground, unknown = mask == FOREGROUND, mask == UNKNOWN
    drawn[foreground] = _blend(drawn[foreground], _FOREGROUND_COLOUR, _TINT)
    rows, columns = np.indices(mask.shape)
    stripes = ((rows + columns) % _STRIPE) < 2
    drawn[unknown] = _blend(drawn[unknown], _UNKNOWN_COLOUR, 0.2)
    drawn[unknown & stripes] = _blend(drawn[unknown & stripes], _UNKNOWN_COLOUR, 0.6)
    _outline(drawn, foreground, _FOREGROUND_COLOUR)
    return drawn


def draw_instances(image: Image, mask: npt.NDArray[np.uint8], owned: Owned) -> Image:
    """As :func:`draw_mask`, each object in a colour of its own, the same along its track.

    Args:
        image: uint8 (H, W, 3) BGR.
        mask: uint8 (H, W): 0 background, 1 foreground, 255 unknown.
        owned: owner plane uint16 (H, W), and of each box of the frame a number that decides its colour.
    """
    plane, numbers = owned
    drawn = draw_mask(image, np.where(plane == NO_OWNER, mask, BACKGROUND).astype(np.uint8))
    for row in np.unique(plane[plane != NO_OWNER]).tolist():
        own, colour = plane == row, instance_colour(int(numbers[row]))
        drawn[own] = _blend(drawn[own], colour, _TINT)
        _outline(drawn, own, colour)
    return drawn


def instance_colour(number: int) -> tuple[int, int, int]:
    """A bright colour, BGR; numbers that follow each other get hues far apart."""
    hue = round(number * _GOLDEN * 180) % 180
    pixel = cv2.cvtColor(np.array([[[hue, 200, 255]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0]
    return int(pixel[0]), int(pixel[1]), int(pixel[2])


def _blend(pixels: Image, colour: tuple[int, int, int], weight: float) -> Image:
    return (pixels * (1 - weight) + np.array(colour) * weight).astype(np.uint8)


def _outline(drawn: Image, region: npt.NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
    contours, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(drawn, contours, -1, colour, 1, cv2.LINE_AA)


def draw_evidence(values: npt.NDArray[np.bool_] | npt.NDArray[np.uint8], kind: EvidenceKind) -> Image:
    """Evidence as a picture: white on dark if binary, else through a colour scale.

    Args:
        values: (H, W), bool for binary evidence, else uint8.
        kind: what the numbers mean; motion is scaled so that 8 px per frame is the brightest colour.

    Returns:
        uint8 (H, W, 3) BGR.
    """
    if kind == EvidenceKind.BINARY:
        return np.where(values[..., None], np.uint8(235), np.uint8(30)).repeat(3, axis=2)
    scaled = values.astype(np.float32)
    if kind == EvidenceKind.MOTION:
        scaled *= 255 / (MOTION_SHOWN * MOTION_STEPS_PER_PIXEL)
    coloured = cv2.applyColorMap(np.minimum(scaled, 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.asarray(coloured, np.uint8)


def draw_boxes(image: Image, boxes: BoxTable, index: int, class_names: tuple[str, ...]) -> Image:
    """Boxes of one frame in their class's colour, named where there is room.

    Args:
        image: uint8 (H, W, 3) BGR.
        boxes: boxes of all frames.
        index: position of the frame.
        class_names: what the class ids point into; empty leaves the names out.
    """
    drawn = image.copy()
    rows = boxes.rows(index)
    for box, class_id, track in zip(
        boxes.xyxy[rows], boxes.class_id[rows], boxes.track_id[rows], strict=True
    ):
        colour = CLASS_COLOURS[int(class_id) % len(CLASS_COLOURS)]
        x0, y0, x1, y1 = (round(float(v)) for v in box)
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, 1, cv2.LINE_AA)
        if not class_names:
            continue
        name = class_names[int(class_id)] + (f" {track}" if track >= 0 else "")
        (width, height), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.35, 1)
        if width <= x1 - x0 + 8:
            write(drawn, name, (x0 + 1, max(y0 - 3, height + 1)), 0.35, colour)
    return drawn


def draw_believability(image: Image, masks: MaskReader, index: int) -> Image:
    """The believability of each box that is not believed, in its lower left corner where there is room.

    Args:
        image: uint8 (H, W, 3) BGR.
        masks: the store the boxes come from; one without believability draws nothing.
        index: position of the frame.
    """
    drawn, rows = image.copy(), masks.boxes.rows(index)
    scores, believed = masks.quality.get("believability"), masks.believed[rows]
    if scores is None:
        return drawn
    for (x0, _, x1, y1), score, trusted in zip(masks.boxes.xyxy[rows], scores[rows], believed, strict=True):
        if not trusted and np.isfinite(score) and x1 - x0 >= _SCORE_WIDTH:
            write(drawn, f"{score:.2f}", (round(float(x0)) + 2, round(float(y1)) - 3), 0.35, _UNKNOWN_COLOUR)
    return drawn


def draw_regions(image: Image, regions: npt.NDArray[np.float32]) -> Image:
    """Ignore regions as grey frames.

    Args:
        image: uint8 (H, W, 3) BGR.
        regions: float32 (M, 4), pixel edges.
    """
    drawn = image.copy()
    for region in regions:
        x0, y0, x1, y1 = (round(float(v)) for v in region)
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), _REGION_COLOUR, 1, cv2.LINE_4)
    return drawn


def write(
    image: Image, text: str, at: tuple[int, int], scale: float, colour: tuple[int, int, int] = (235, 235, 235)
) -> None:
    """Write text into an image, dark-edged to read on any ground; ``at`` is its lower left corner."""
    plain = text.encode("ascii", "replace").decode()  # Hershey fonts know no more
    # OpenCV 5 spaces letters by their thickness: a thicker text as the edge would not lie under the thin one.
    (width, height), below = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    x0, y0 = max(0, at[0] - 3), max(0, at[1] - height - 3)
    part = image[y0 : max(0, at[1] + below + 3), x0 : max(0, at[0] + width + 3)]
    if not part.size:
        return
    letters = np.zeros(part.shape[:2], np.uint8)
    place = (at[0] - x0, at[1] - y0)
    cv2.putText(letters, plain, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    edge = cv2.dilate(letters, np.ones((3, 3), np.uint8))
    for share, ink in ((edge, (20, 20, 20)), (letters, colour)):
        weight = share[:, :, None] / np.float32(255)
        part[:] = (part * (1 - weight) + np.array(ink, np.float32) * weight).round().astype(np.uint8)
