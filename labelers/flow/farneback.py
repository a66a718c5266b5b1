"""Labeler ``farneback``: how fast each pixel moves (SpotNet paper, section III-D, moving cameras).

Dense flow from the frame before to the frame, with the paper's settings; the evidence is its magnitude in
pixels per frame, so that a threshold means the same in every frame and every video.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from spotlabel.labelers.base import Clip, Evidence, EvidenceKind, Settings, encode_motion
from spotlabel.labelers.flow.dense import FlowSettings, flow_speed, frame_pairs


class FarnebackSettings(FlowSettings):
    """Settings of the labeler ``farneback``."""

    border: int = Field(16, ge=0, le=256)
    """Frames are continued by this many px (last pixel repeated) while the flow is computed. OpenCV takes
    what lies outside the image for black and so sees motion of over 1 px along the edges of two equal
    frames; with 16 px it is below 0.001 px. 0 gives OpenCV's plain result."""


class Farneback:
    """Speed by Farneback's optical flow."""

    name: ClassVar[str] = "farneback"
    version: ClassVar[int] = 1
    kind: ClassVar[EvidenceKind] = EvidenceKind.MOTION
    neutral: ClassVar[int] = 0
    uses_boxes: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("opencv-contrib-python",)
    settings_type: ClassVar[type[Settings]] = FarnebackSettings

    def __init__(self, settings: Settings) -> None:
        self._settings = FarnebackSettings.model_validate(settings.model_dump())

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield speed in 1/16 px per frame; where frames are missing, the displacement is shared among them.

        A clip of one frame gives zeros, marked as warm-up: nothing is known of its motion.
        """
        for pair in frame_pairs(clip):
            if pair is None:
                yield Evidence(np.zeros(clip.size, np.uint8), warm_up=True)
            else:
                yield Evidence(encode_motion(flow_speed(pair, self._settings, self._settings.border)))
