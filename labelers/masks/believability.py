"""Believability: how far a box's mask can be trusted, in one number made of its cues.

Each cue becomes a part between 0 (failed) and 1 (nothing to complain of), linear up to the value from which
more of it means nothing:

    fill       min(1, fill / FULL_FILL)
    contact    as it is
    agreement  as it is
    temporal   as it is
    own        min(1, own_fill / FULL_FILL)
    size       min(1, size / FULL_SIZE)

and each part takes away at most its weight:

    believability = product over the parts of (1 - weight * (1 - part))

So it lies between 0 and 1, is 1 if every part is, and never falls when a part rises. A part that cannot be
judged (NaN: no track, no side off the image's border, no overlap) takes nothing away.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spotlabel.labelers.masks.cues import Column, Cues
from spotlabel.labelers.masks.figures import NO_FIGURES, Figures

FULL_FILL = 0.5
"""A vehicle fills 40 to 80 % of its box; more is no better sign."""
FULL_SIZE = 12.0
"""From this many px on the shorter side, the uncertain rim of a mask is a small part of it."""
WEIGHTS = {"fill": 1.0, "contact": 0.1, "agreement": 0.35, "temporal": 0.9, "own": 0.5, "size": 0.3}
"""What a part takes away of believability if it fails altogether."""


def parts(cues: Cues, temporal: Column) -> dict[str, Column]:
    """The parts of N boxes by name, each float32 (N,), 0 to 1 or NaN.

    Args:
        cues: cues of the boxes.
        temporal: float32 (N,), IoU with the neighbouring frames' masks along the track; NaN if there is none.
    """
    return {
        "fill": np.minimum(cues.fill / np.float32(FULL_FILL), 1),
        "contact": cues.contact,
        "agreement": cues.agreement,
        "temporal": temporal,
        "own": np.minimum(cues.own_fill / np.float32(FULL_FILL), 1),
        "size": np.minimum(cues.size / np.float32(FULL_SIZE), 1),
    }


def combine(by_name: Mapping[str, Column], weights: Mapping[str, float]) -> Column:
    """The formula of this module.

    Args:
        by_name: parts by name, each (N,), 0 to 1, NaN where a part cannot be judged.
        weights: weight of each part, 0 to 1.

    Returns:
        float32 (N,), 0 to 1.
    """
    taken = np.array([[weights[name]] for name in by_name], np.float32)
    taken = taken * (1 - np.stack(list(by_name.values())))
    taken[np.isnan(taken)] = 0
    left: Column = (1 - taken).prod(axis=0)
    return left


def believability(cues: Cues, temporal: Column, figures: Figures = NO_FIGURES) -> Column:
    """Believability of the masks of N boxes: float32 (N,), 0 to 1; 0 for boxes without foreground.

    Args:
        cues: cues of the boxes.
        temporal: float32 (N,), IoU with the neighbouring frames' masks along the track; NaN if there is none.
    """
    return combine(parts(cues, temporal), WEIGHTS)
