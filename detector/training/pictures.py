"""What a detector sees on held-out frames: boxes, and its attention beside the mask it learns from."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.detector.data.labelled import Held, RawFrame
from spotlabel.detector.prediction.draw import draw_attention
from spotlabel.detector.prediction.predictor import Prediction, Predictor
from spotlabel.pipeline.pictures.layers import draw_mask, write
from spotlabel.pipeline.pictures.sheet import contact_sheet

Image = npt.NDArray[np.uint8]

SHOWN = 0.3
"""Lowest score of a box that is drawn."""
PANEL = 480
TRUE, FOUND = (255, 255, 255), (60, 220, 60)


def validation_sheet(predictor: Predictor, frames: Held, indices: list[int], heading: str) -> Image:
    """A row per frame: boxes found over those annotated, attention maps, mask.

    Args:
        predictor: the detector.
        frames: held-out frames.
        indices: which of them.
        heading: written above.

    Returns:
        uint8 (H, W, 3) BGR.
    """
    rows, titles = [], []
    for index in indices:
        raw = frames[index]
        found = predictor.predict([raw.image], attention=bool(predictor.attentions))[0].at_least(SHOWN)
        panels = [draw_found(raw, found)]
        for name, values in found.attention.items():
            panels.append(draw_attention(raw.image, values, predictor.attentions[name], found.boxes))
        rows.append([*panels, draw_mask(raw.image, raw.mask)])
        titles.append(frames.title(index))
    return contact_sheet(rows, titles, heading, PANEL)


def draw_found(raw: RawFrame, found: Prediction) -> Image:
    """The frame with annotated boxes in white and boxes found, with their scores, in green."""
    drawn = raw.image.copy()
    for x0, y0, x1, y1 in np.rint(raw.boxes).astype(int).tolist():
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), TRUE, 1)
    for (x0, y0, x1, y1), score in zip(np.rint(found.boxes).astype(int).tolist(), found.score, strict=True):
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), FOUND, 1)
        write(drawn, f"{100 * score:.0f}", (x0, max(y0 - 2, 8)), 0.3, FOUND)
    return drawn
