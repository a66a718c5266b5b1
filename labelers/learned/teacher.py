"""Labeler ``teacher``: what a box segmenter alone says; for any camera."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from spotlabel.labelers.base import Clip, Evidence, EvidenceKind, Settings
from spotlabel.labelers.learned.crops import Image, box_pixels
from spotlabel.labelers.learned.segmenter import LIBRARIES, Boxes, Segmenter
from spotlabel.labelers.learned.settings import FILES, TeacherSettings

NEUTRAL = 127
"""A pixel is foreground where its probability exceeds one half of 255."""


class Teacher:
    """Probability of the object of each box, the greatest where boxes overlap; 0 outside boxes."""

    name: ClassVar[str] = "teacher"
    version: ClassVar[int] = 1
    kind: ClassVar[EvidenceKind] = EvidenceKind.DISTANCE
    neutral: ClassVar[int] = NEUTRAL
    uses_boxes: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = LIBRARIES
    settings_type: ClassVar[type[Settings]] = TeacherSettings
    files: ClassVar[Mapping[str, str]] = FILES

    def __init__(self, settings: Settings, files: Mapping[str, bytes]) -> None:
        chosen = TeacherSettings.model_validate(settings.model_dump())
        self._segmenter = Segmenter(files["network"], chosen.device, chosen.batch)

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the probabilities of every frame, 0 to 255; no frame is warm-up."""
        for frame in clip:
            found = self._segmenter.probabilities(frame.image, frame.boxes)
            yield Evidence(painted(frame.boxes, found, clip.size))


def painted(boxes: Boxes, values: list[Image | None], shape: tuple[int, int]) -> Image:
    """Values of boxes on a frame, the greatest where boxes overlap: uint8 (H, W).

    Args:
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.
        values: of each box uint8 (h, w) on the pixels that it touches, or None.
        shape: height and width of the frame.
    """
    plane = np.zeros(shape, np.uint8)
    for pixels, value in zip(box_pixels(boxes, shape), values, strict=True):
        if value is not None:
            np.maximum(plane[pixels], value, out=plane[pixels])
    return plane
