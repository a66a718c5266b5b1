"""Labelers ``mog2`` and ``knn``: OpenCV's two adaptive background subtractors; quick, and no match for PAWCS.

Zivkovic, "Improved adaptive Gaussian mixture model for background subtraction" (ICPR 2004), and Zivkovic and
van der Heijden, "Efficient adaptive density estimation per image pixel" (Pattern Recognition Letters 2006).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import cv2
from pydantic import Field

from spotlabel.labelers.base import Clip, Evidence, EvidenceKind, Settings

_FOREGROUND = 255
"""OpenCV's value for foreground; its 127 is a cast shadow, which is background."""


class SubtractorSettings(Settings):
    """Settings that both subtractors have; the defaults are OpenCV's."""

    history: int = Field(500, ge=1)
    """Number of frames the model remembers."""
    detect_shadows: bool = True
    """Recognise cast shadows and call them background; if false they are mostly foreground."""
    learning_rate: float = Field(-1.0, ge=-1, le=1)
    """Share of a new frame in the model, 0 to 1; negative lets OpenCV derive it from ``history``."""
    warm_up_frames: int = Field(50, ge=0)
    """So many frames at the start are marked as warm-up: what stands in the first frame is background, and
    leaves a ghost where it drives off."""


class Mog2Settings(SubtractorSettings):
    """Settings of the labeler ``mog2``."""

    var_threshold: float = Field(16.0, gt=0)
    """Squared Mahalanobis distance beyond which a pixel does not belong to the background."""


class KnnSettings(SubtractorSettings):
    """Settings of the labeler ``knn``."""

    dist2_threshold: float = Field(400.0, gt=0)
    """Squared colour distance within which a sample counts as a neighbour."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Seed of OpenCV's random numbers, which choose the samples that are replaced."""


class Mog2:
    """Mixture of Gaussians per pixel."""

    name: ClassVar[str] = "mog2"
    version: ClassVar[int] = 1
    kind: ClassVar[EvidenceKind] = EvidenceKind.BINARY
    neutral: ClassVar[int] = 0
    uses_boxes: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("opencv-contrib-python",)
    settings_type: ClassVar[type[Settings]] = Mog2Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = Mog2Settings.model_validate(settings.model_dump())

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the frames' foreground, shadows left out."""
        s = self._settings
        subtractor = cv2.createBackgroundSubtractorMOG2(s.history, s.var_threshold, s.detect_shadows)
        return _subtract(subtractor, clip, s)


class Knn:
    """Nearest neighbours among stored samples of each pixel."""

    name: ClassVar[str] = "knn"
    version: ClassVar[int] = 1
    kind: ClassVar[EvidenceKind] = EvidenceKind.BINARY
    neutral: ClassVar[int] = 0
    uses_boxes: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("opencv-contrib-python",)
    settings_type: ClassVar[type[Settings]] = KnnSettings

    def __init__(self, settings: Settings) -> None:
        self._settings = KnnSettings.model_validate(settings.model_dump())

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the frames' foreground, shadows left out.

        Seeds OpenCV's random numbers of this thread, so two clips must not be labelled in turns.
        """
        s = self._settings
        cv2.setRNGSeed(s.seed)
        subtractor = cv2.createBackgroundSubtractorKNN(s.history, s.dist2_threshold, s.detect_shadows)
        yield from _subtract(subtractor, clip, s)


def _subtract(subtractor: Any, clip: Clip, settings: SubtractorSettings) -> Iterator[Evidence]:
    """Feed a clip to an OpenCV subtractor, one evidence per frame."""
    for count, frame in enumerate(clip):
        mask = subtractor.apply(frame.image, learningRate=settings.learning_rate)
        yield Evidence(mask == _FOREGROUND, warm_up=count < settings.warm_up_frames)
