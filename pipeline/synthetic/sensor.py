"""What the camera adds to the light: softness, exposure, noise, shake."""

from __future__ import annotations

from math import pi, sin

import cv2
import numpy as np

from spotlabel.pipeline.synthetic.canvas import Image
from spotlabel.pipeline.synthetic.chance import BELL_DEVIATION, Purpose, bells
from spotlabel.pipeline.synthetic.pinhole import Float
from spotlabel.pipeline.synthetic.settings import SceneSettings

DRIFT_SECONDS = 7.0
"""Period of the exposure change."""


def shake(settings: SceneSettings, index: int) -> Float:
    """Displacement of frame ``index`` in pixels, (2,), at most 3 deviations per axis."""
    draw = bells(settings.seed, Purpose.JITTER, index, 2) / BELL_DEVIATION
    return np.clip(draw, -3, 3) * settings.jitter


def gain(settings: SceneSettings, index: int) -> float:
    """Exposure of frame ``index`` relative to the mean."""
    phase = 2 * pi * index / (settings.fps * DRIFT_SECONDS)
    return 1.0 + settings.drift * (0.8 * sin(phase) + 0.2 * sin(2.7 * phase + 1.0))


def expose(image: Image, settings: SceneSettings, index: int) -> Image:
    """The picture as the sensor reports it: blurred, exposed, noisy; uint8 (H, W, 3), may reuse ``image``."""
    if settings.blur > 0:
        image = np.asarray(
            cv2.GaussianBlur(image, (0, 0), settings.blur, borderType=cv2.BORDER_REPLICATE), np.uint8
        )
    if settings.drift > 0:
        levels = np.rint(np.arange(256) * gain(settings, index))
        image = np.asarray(cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8)), np.uint8)
    if settings.noise > 0:
        grain = bells(settings.seed, Purpose.NOISE, index, image.size).reshape(image.shape)
        steps = np.int32(round(settings.noise / BELL_DEVIATION * 2**15))
        grain = ((grain * steps + 2**14) >> 15).astype(np.int16)
        image = np.asarray(cv2.add(image, grain, dtype=cv2.CV_8U), np.uint8)
    return image
