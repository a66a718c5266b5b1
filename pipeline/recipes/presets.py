"""Presets of a recipe: who makes the evidence for which camera, and by which rules it becomes masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PresetName = Literal["default", "learned", "paper", "spotnet-released"]


@dataclass(frozen=True)
class Preset:
    """What a recipe takes where it says nothing itself.

    Attributes:
        fixed: labeler of fixed cameras.
        moving: labeler of moving cameras.
        masks: mask preset, a key of :data:`spotlabel.labelers.masks.PRESETS`.
    """

    fixed: str
    moving: str
    masks: str


PRESETS: dict[PresetName, Preset] = {
    # The best that has been measured for each camera kind: docs/quality.md.
    "default": Preset("boxbg", "egoflow-cut", "default"),
    # The same, put together with a small network that a large one has taught what the video's objects look
    # like: docs/learned.md.
    "learned": Preset("boxbg-student", "egoflow-cut-student", "default"),
    # Section III-D of the SpotNet paper.
    "paper": Preset("pawcs", "farneback", "paper"),
    # What the authors' released scripts do, with the PAWCS that they used.
    "spotnet-released": Preset("pawcs-pybgs", "released-flow", "spotnet-released"),
}
"""By the name that stands at the top of a recipe: ``preset: paper``."""
