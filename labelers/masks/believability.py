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

A labeler that knows where it had to guess adds parts of its own:

    seen       as it is
    flooded    1 - flooded

All this is the word of one witness. Two witnesses of a box, a network and another labeler, tell by how far
they agree: if one of them is right and nobody knows which, the mean IoU of either with it is half of 1 +
their IoU. Where both have spoken, believability is the mean of the two opinions, each bounded by the size:

    network        (1 + network_iou) / 2
    believability  (product over the parts + network * what size leaves) / 2

Each is blind where the other sees: a runner's spread limbs fill little of the box, and change; on a still
road two witnesses leave off the same part of what is half hidden. A box without foreground has 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from spotlabel.labelers.masks.cues import Column, Cues
from spotlabel.labelers.masks.figures import FIGURES, NO_FIGURES, Figures

FULL_FILL = 0.5
"""A vehicle fills 40 to 80 % of its box; more is no better sign."""
FULL_SIZE = 12.0
"""From this many px on the shorter side, the uncertain rim of a mask is a small part of it."""
WEIGHTS = {
    "fill": 1.0, "contact": 0.1, "agreement": 0.35, "temporal": 0.9, "own": 0.5, "size": 0.3,
    "network": 1.0, "seen": 0.4, "flooded": 0.75,
}  # fmt: skip
"""What a part takes away of believability if it fails altogether."""
PARTS = {
    "fill": "how much of the box is foreground",
    "contact": "how well foreground reaches the box's sides",
    "agreement": "how little the mask hangs on threshold and cleaning",
    "temporal": "how like the masks of the frames around it is",
    "own": "how much is foreground where no other box lies",
    "size": "how large the box is",
    "network": "how far the labeler's mask and the network's agree",
    "seen": "how much of the background behind was seen",
    "flooded": "how much of the box is left over",
}
"""What each part asks, for people."""


def parts(cues: Cues, temporal: Column, figures: Figures = NO_FIGURES) -> dict[str, Column]:
    """The parts of N boxes by name, each float32 (N,), 0 to 1 or NaN.

    Args:
        cues: cues of the boxes.
        temporal: float32 (N,), IoU with the neighbouring frames' masks along the track; NaN if there is none.
        figures: what the labeler said of the boxes.
    """
    made = {
        "fill": np.minimum(cues.fill / np.float32(FULL_FILL), 1),
        "contact": cues.contact,
        "agreement": cues.agreement,
        "temporal": temporal,
        "own": np.minimum(cues.own_fill / np.float32(FULL_FILL), 1),
        "size": np.minimum(cues.size / np.float32(FULL_SIZE), 1),
    }
    if "seen" in figures:
        made["seen"] = figures["seen"]
    if "flooded" in figures:
        made["flooded"] = 1 - figures["flooded"]
    if "network_iou" in figures:
        made["network"] = (1 + figures["network_iou"]) / 2
    return made


def combine(by_name: Mapping[str, Column], weights: Mapping[str, float]) -> Column:
    """The formula of this module.

    Args:
        by_name: parts by name, each (N,), 0 to 1, NaN where a part cannot be judged.
        weights: weight of each part, 0 to 1.

    Returns:
        float32 (N,), 0 to 1.
    """
    left = {name: 1 - _lost(name, part, weights) for name, part in by_name.items()}
    agreed = left.pop("network", None)
    shape: Column = np.stack(list(left.values())).prod(axis=0)
    if agreed is None:
        return shape
    opinion = agreed * left["size"] * (by_name["fill"] > 0)
    return np.where(np.isfinite(by_name["network"]), (shape + opinion) / 2, shape)


def _lost(name: str, part: Column, weights: Mapping[str, float]) -> Column:
    """What a part takes away of the opinion it belongs to, float32 (N,); 0 where it cannot be judged."""
    lost: Column = np.nan_to_num(np.float32(weights[name]) * (1 - part))
    return lost


def believability(cues: Cues, temporal: Column, figures: Figures = NO_FIGURES) -> Column:
    """Believability of the masks of N boxes: float32 (N,), 0 to 1; 0 for boxes without foreground.

    Args:
        cues: cues of the boxes.
        temporal: float32 (N,), IoU with the neighbouring frames' masks along the track; NaN if there is none.
        figures: what the labeler said of the boxes, see :data:`spotlabel.labelers.masks.figures.FIGURES`.
    """
    return combine(parts(cues, temporal, figures), WEIGHTS)


def taken(columns: Mapping[str, Column]) -> dict[str, Column]:
    """What each part took away of the believability of N boxes, by name of the part.

    Args:
        columns: of the quality table, each (N,).

    Returns:
        float32 (N,) each, 0 to 1; 0 where a part could not be judged. Nothing of a table without cues.
    """
    if not {*_CUES, "temporal", "believability"} <= columns.keys():
        return {}
    by_name = parts_of(columns)
    heard = np.isfinite(by_name["network"]) if "network" in by_name else np.zeros(1, np.bool_)
    share = np.where(heard, np.float32(0.5), np.float32(1))
    lost = {name: _lost(name, part, WEIGHTS) for name, part in by_name.items()}
    return {name: one if name == "size" else one * share for name, one in lost.items()}


_CUES = tuple(field.name for field in fields(Cues))


def parts_of(columns: Mapping[str, Column]) -> dict[str, Column]:
    """As :func:`parts`, from columns of the quality table, each (N,)."""
    figures = {name: columns[name] for name in FIGURES if name in columns}
    return parts(Cues(**{name: columns[name] for name in _CUES}), columns["temporal"], figures)


def told_against(columns: Mapping[str, Column]) -> list[str]:
    """The part that took most of each of N boxes' believability; empty where none took any.

    Args:
        columns: of the quality table, each (N,).
    """
    by_part = taken(columns)
    if not by_part:
        return [""] * len(columns["fill"])
    names, table = list(by_part), np.stack(list(by_part.values()))
    table[:, ~np.isfinite(columns["believability"])] = 0
    most = table.argmax(axis=0).tolist()
    return [names[part] if table[part, box] > 0 else "" for box, part in enumerate(most)]
