"""Labeler ``egoflow``: how fast each pixel moves beside the camera's own motion; for moving cameras.

The camera's motion is estimated outside the boxes (:mod:`labelers.egomotion.camera`), its neighbours are
brought to the frame's own view, and dense flow to them is what moves by itself. Where the camera stands
still the evidence is that of the labeler ``farneback``, bit for bit. Away from boxes it is 0.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from labelers.base import Clip, Evidence, EvidenceKind, Settings, encode_motion
from labelers.egomotion.speed import EgoflowSettings, speeds
from labelers.egomotion.window import windows

_log = logging.getLogger("spotlabel")


class Egoflow:
    """Speed beside the camera's motion."""

    name: ClassVar[str] = "egoflow"
    version: ClassVar[int] = 2
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
        plain = Untold("these have plain flow, camera motion included")
        for window in windows(clip, 1, self._settings.dilation):
            if len(window.views) == 1:
                yield Evidence(np.zeros(clip.size, np.uint8), warm_up=True)
                continue
            found = speeds(window, self._settings)
            plain.count(window.view.frame.number, found.told)
            yield Evidence(encode_motion(found.speed))
        plain.report(self.name)


class Untold:
    """Counts the frames whose camera motion could not be told."""

    def __init__(self, instead: str) -> None:
        self._instead = instead
        self._frames, self._plain, self._first = 0, 0, 0

    def count(self, number: int, told: bool) -> None:
        """Take note of a frame."""
        self._frames += 1
        if not told:
            self._first = self._first if self._plain else number
            self._plain += 1

    def report(self, name: str) -> None:
        """Warn if there were any."""
        if self._plain:
            _log.warning(
                "%s: the background outside the boxes did not tell the camera's motion in %d of %d frames "
                "(first: %d); %s",
                name,
                self._plain,
                self._frames,
                self._first,
                self._instead,
            )
