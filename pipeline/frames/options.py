"""How frames are decoded, as a recipe says it."""

from __future__ import annotations

from typing import Literal

from spotlabel.labelers.base import Settings


class FrameOptions(Settings):
    """How frames are decoded (recipe section ``frames``)."""

    on_bad: Literal["fail", "unknown"] = "fail"
    """A frame that cannot be read fails its video, or its mask becomes unknown everywhere."""
    grey: Literal["refuse", "convert"] = "refuse"
    """Grey images are bad frames, or are repeated into three channels."""
