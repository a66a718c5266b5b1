"""One frame under some settings: its mask by the rules of the pipeline, and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spotlabel.labelers.masks import FOREGROUND, UNKNOWN, MaskSettings, unknown_mask
from spotlabel.labelers.masks.boxes import has_pixels
from spotlabel.labelers.masks.values import Plane
from spotlabel.pipeline.datasets.cdnet_truth import EvaluatedFrame
from spotlabel.pipeline.measures.pixels import count
from spotlabel.pipeline.pages.serving.videos import OpenVideo
from spotlabel.pipeline.stages.frame_masks import Made, MaskSource


@dataclass(frozen=True)
class Look:
    """A frame's mask and what there is to say about it.

    Attributes:
        mask: uint8 (H, W): 0 background, 1 foreground, 255 unknown; what `relabel` would store.
        facts: state, figures and the rows of its boxes, as plain data.
    """

    mask: Plane
    facts: Mapping[str, Any]


def look(video: OpenVideo, labeler: object, settings: MaskSettings, index: int) -> Look:
    """The mask of a frame.

    Raises:
        RequestError: no such evidence.
        StoreError: damaged evidence.
        RecipeError: ``settings.classes`` names a class that the video's dataset does not have.
    """
    source = MaskSource(video.reader(labeler), video.annotations, settings)
    made, truth = source.one(index), video.truth(index)
    mask = unknown_mask(source.evidence.size) if made is None else made.mask.mask
    state = source.state(index).name.lower().replace("_", "-")
    return Look(mask, {"state": state, **_figures(mask, made, truth), "boxes": _boxes(made)})


def _figures(mask: Plane, made: Made | None, truth: EvaluatedFrame | None) -> dict[str, float | int | None]:
    """Shares of the frame, means over boxes, F where there is truth: unknown as background, and left out."""
    figures: dict[str, float | int | None] = {
        "foreground": np.count_nonzero(mask == FOREGROUND) / mask.size,
        "unknown": np.count_nonzero(mask == UNKNOWN) / mask.size,
        "fill": None,
        "judged": 0,
        "believed": 0,
        "f": None,
        "f_known": None,
    }
    if made is not None:
        judged = made.selected & has_pixels(made.claimed.rects)
        if judged.any():
            figures["fill"] = float(made.mask.fill[judged].mean())
            figures["judged"] = int(np.count_nonzero(judged))
            figures["believed"] = int(np.count_nonzero(made.mask.believed & judged))
    if truth is not None:
        figures["f"] = count(mask, truth.foreground, truth.valid).f_measure
        figures["f_known"] = count(mask, truth.foreground, truth.valid, unknown="skip").f_measure
    return figures


def _boxes(made: Made | None) -> list[list[float | bool]]:
    """Per box: fill, believability, believed."""
    if made is None:
        return []
    frame = made.mask
    return [
        [round(float(fill), 4), round(float(score), 4), bool(believed)]
        for fill, score, believed in zip(frame.fill, frame.believability, frame.believed, strict=True)
    ]
