"""Labeler ``released-flow``: the moving-camera evidence of the released SpotNet scripts, step for step.

The scripts do not threshold motion itself but the grey value of a colour picture of it, whose brightness is
normalised by the frame's own slowest and fastest pixel and whose hue, that is the direction of motion, weighs
in by a factor of up to 7.8. Kept so that results can be compared; prefer ``farneback`` for labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Clip, Evidence, EvidenceKind, Settings
from spotlabel.labelers.flow.dense import FlowSettings, dense_flow, frame_pairs


class ReleasedFlow:
    """Grey picture of the flow as the released scripts store it; they threshold it above 24 after a blur."""

    name: ClassVar[str] = "released-flow"
    version: ClassVar[int] = 1
    kind: ClassVar[EvidenceKind] = EvidenceKind.DISTANCE
    neutral: ClassVar[int] = 24
    uses_boxes: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ("opencv-contrib-python",)
    settings_type: ClassVar[type[Settings]] = FlowSettings

    def __init__(self, settings: Settings) -> None:
        self._settings = FlowSettings.model_validate(settings.model_dump())

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield the grey flow picture; zeros marked as warm-up for a clip of one frame."""
        for pair in frame_pairs(clip):
            if pair is None:
                yield Evidence(np.zeros(clip.size, np.uint8), warm_up=True)
            else:
                yield Evidence(read_back_as_grey(flow_picture(dense_flow(pair, self._settings))))


def flow_picture(flow: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Colour picture of a flow: hue is direction, brightness is speed relative to the frame's fastest pixel.

    Args:
        flow: float32 (H, W, 2), px.

    Returns:
        uint8 (H, W, 3), BGR.
    """
    magnitude, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1])
    hsv = np.full((*magnitude.shape, 3), 255, np.uint8)
    hsv[..., 0] = angle * 180 / np.pi / 2
    hsv[..., 2] = cv2.normalize(magnitude, None, 0, 255, cv2.NORM_MINMAX)
    picture: npt.NDArray[np.uint8] = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return picture


def read_back_as_grey(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Save a picture as PNG and read it as grey, in memory.

    Not the same as ``cv2.cvtColor``: libpng converts to grey by a rule of its own, and half of the pixels
    of a real flow picture come out one step apart.

    Args:
        picture: uint8 (H, W, 3), BGR.

    Returns:
        uint8 (H, W).
    """
    _, png = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return np.asarray(cv2.imdecode(png, cv2.IMREAD_GRAYSCALE), np.uint8)
