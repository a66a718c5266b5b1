"""Labeler ``egoflow``: how fast each pixel moves beside the camera's own motion; for moving cameras.

The camera's motion is estimated outside the boxes (:mod:`spotlabel.labelers.egomotion.camera`), its
neighbours are warped to the frame's own view, and dense flow to them is what moves by itself. Where the
camera stands still the evidence is that of the labeler ``farneback``, bit for bit. Away from boxes it is 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from spotlabel.labelers.base import Clip, Evidence, EvidenceKind, Settings, encode_motion
from spotlabel.labelers.egomotion.speed import EgoflowSettings, speeds
from spotlabel.labelers.egomotion.window import views, windows
from spotlabel.labelers.tally import CAMERA_MOTION_UNKNOWN, Tally


class Egoflow:
    """Speed beside the camera's motion."""

    name: ClassVar[str] = "egoflow"
    version: ClassVar[int] = 3
    kind: ClassVar[EvidenceKind] = EvidenceKind.MOTION
    neutral: ClassVar[int] = 0
    uses_boxes: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("opencv-contrib-python",)
    settings_type: ClassVar[type[Settings]] = EgoflowSettings

    def __init__(self, settings: Settings) -> None:
        self._settings = EgoflowSettings.model_validate(settings.model_dump())

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield speed in 1/16 px per frame; where frames are missing, the displacement is shared among them.

        Where the boxes leave too little background to tell the camera's motion, speed is that of plain flow,
        and a warning says for how many frames. A clip of one frame gives zeros, marked as warm-up.
        """
        plain = Tally(CAMERA_MOTION_UNKNOWN, "these have plain flow, camera motion included")
        for window in windows(views(clip, self._settings.dilation), 1):
            if len(window.views) == 1:
                yield Evidence(np.zeros(clip.size, np.uint8), warm_up=True)
                continue
            measured = speeds(window, self._settings)
            plain.count(window.view.frame.number, not measured.camera_known)
            yield Evidence(encode_motion(measured.speed))
        plain.report(self.name)
