"""Labeler ``teacher``: what a box segmenter alone says; for any camera."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from spotlabel.labelers.base import Clip, Content, Evidence, EvidenceKind, FolderRules, Settings
from spotlabel.labelers.learned.agreement import HALF, best, open_sides
from spotlabel.labelers.learned.checkpoint import FOLDERS
from spotlabel.labelers.learned.crops import Image, box_pixels
from spotlabel.labelers.learned.segmenter import LIBRARIES, Boxes, box_segmenter
from spotlabel.labelers.learned.settings import FILES, TeacherSettings

NEUTRAL = HALF
RIM = 4
"""More than half of the mask rules' median."""


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
    folders: ClassVar[FolderRules] = FOLDERS

    def __init__(self, settings: Settings, files: Mapping[str, Content]) -> None:
        chosen = TeacherSettings.model_validate(settings.model_dump())
        self._segmenter = box_segmenter(files["network"], chosen.device, chosen.batch)

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the probabilities of every frame, 0 to 255; no frame is warm-up."""
        for frame in clip:
            readings = self._segmenter.readings(frame.image, frame.boxes)
            sides = [open_sides(pixels, clip.size) for pixels in box_pixels(frame.boxes, clip.size)]
            values = [
                best(some, None, ends) if some else None for some, ends in zip(readings, sides, strict=True)
            ]
            yield Evidence(painted(frame.boxes, values, clip.size))


def painted(boxes: Boxes, values: list[Image | None], shape: tuple[int, int]) -> Image:
    """Values of boxes on a frame, the greatest where boxes overlap: uint8 (H, W).

    Outside all boxes the values at a box's edge go on for :data:`RIM` px, so that a median over the evidence
    does not round the corners of what fills a box.

    Args:
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.
        values: of each box uint8 (h, w) on the pixels that it touches, or None.
        shape: height and width of the frame.
    """
    inside, wide = np.zeros(shape, np.bool_), np.zeros((shape[0] + 2 * RIM, shape[1] + 2 * RIM), np.uint8)
    plane, rim = np.zeros(shape, np.uint8), wide[RIM:-RIM, RIM:-RIM]
    for pixels, value in zip(box_pixels(boxes, shape), values, strict=True):
        if value is not None:
            rows, columns = pixels
            inside[pixels] = True
            np.maximum(plane[pixels], value, out=plane[pixels])
            around = wide[rows.start : rows.stop + 2 * RIM, columns.start : columns.stop + 2 * RIM]
            np.maximum(around, np.pad(value, RIM, mode="edge"), out=around)
    return np.where(inside, plane, rim)
