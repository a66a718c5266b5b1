"""Labeler ``boxbg``: the two passes, first over samples to fit a model of the video, then over all frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from spotlabel.labelers.base import Clip, Evidence, EvidenceKind, Settings
from spotlabel.labelers.boxbg.compiled import COMPILED
from spotlabel.labelers.boxbg.samples import collect_samples
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.boxbg.video_model import NEUTRAL, fit_video_model
from spotlabel.labelers.compiling import is_cached
from spotlabel.labelers.tally import Tally


class Boxbg:
    """Distance to the background of the whole video, learnt where there are no boxes.

    Evidence is the lesser of two scores, in steps of 1/16 above 128: by how many standard deviations a
    channel differs from the background beyond ``sigmas``, and the logarithm of the odds of object against
    background, averaged along the edges of the image, beyond ``odds``. It is 0 further than 12 px from every
    box.
    """

    name: ClassVar[str] = "boxbg"
    version: ClassVar[int] = 7
    kind: ClassVar[EvidenceKind] = EvidenceKind.DISTANCE
    neutral: ClassVar[int] = NEUTRAL
    uses_boxes: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy", "opencv-contrib-python")
    settings_type: ClassVar[type[Settings]] = BoxbgSettings

    @staticmethod
    def notice() -> str:
        """What a user is told who would wait without knowing for what: nothing is compiled yet."""
        if any(is_cached(function) for function in COMPILED):
            return ""
        return "boxbg: is compiled first, a quarter of a minute, once on this machine"

    def __init__(self, settings: Settings) -> None:
        self._settings = BoxbgSettings.model_validate(settings.model_dump())

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the evidence of every frame, after a first pass over some.

        Frames that show something else than the background are marked as warm-up, and a warning says how
        many.
        """
        diagonal = float(np.hypot(*clip.size))
        margin = round(self._settings.box_margin * diagonal)
        samples = collect_samples(clip, self._settings.samples, margin)
        if not samples.numbers:
            return
        model = fit_video_model(samples, self._settings, round(self._settings.ring * diagonal))
        lost = Tally("the camera shows something else", "their masks are unknown unless masks.warm_up=keep")
        for frame in clip:
            evidence = model.evidence(frame, margin)
            lost.count(frame.number, evidence.warm_up)
            yield evidence
        lost.report(self.name)
