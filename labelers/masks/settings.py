"""Settings of the mask rules; presets are in :mod:`spotlabel.labelers.masks.presets`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from spotlabel.labelers.base import MOTION_STEPS_PER_PIXEL, Settings

Kernel = Annotated[int, Field(ge=0, le=63)]
"""Side of a kernel in px: odd, or 0 for "step left out"."""


class OwnerSettings(Settings):
    """Whose the foreground pixels are that two or more boxes claim; the mask itself does not depend on it."""

    rule: Literal["tracks", "lower-edge", "smaller-box", "nearest-edge", "none"] = "tracks"
    """``tracks``: depth order of the tracks, and each object's outline as the frames around show it. The next
    three look at the boxes of one frame: the lowest lower edge, the smallest box, or the nearest edge has the
    pixel. ``none``: nobody is told, and the store holds no owners."""
    window: int = Field(12, ge=0, le=100)
    """Frames before and after that ``tracks`` looks at; so many are held in memory, packed."""


class MaskSettings(Settings):
    """How evidence and boxes become a mask. The fields stand in the order in which they act."""

    boxes_first: bool = False
    """True: evidence outside boxes is erased before everything else, so blurring and cleaning may carry
    foreground a few px out of the boxes (the released scripts). False: what is outside boxes is erased after
    the kernels have acted, and nothing is ever foreground outside a box."""
    box_rounding: Literal["cover", "nearest", "truncate"] = "cover"
    """Which pixels a box holds. ``cover``: all it touches. ``nearest``: edges rounded to the nearest pixel
    edge. ``truncate``: ``int()`` of the dataset's native coordinates, as array indices (the released
    scripts)."""
    box_padding: int = Field(0, ge=0, le=64)
    """Boxes are grown by so many px on every side, after rounding."""
    classes: tuple[str, ...] | None = None
    """Classes whose boxes hold foreground; None for all."""
    other_classes: Literal["background", "unknown"] = "unknown"
    """What boxes of the remaining classes are, where no box of ``classes`` has foreground."""

    blur: Kernel = 0
    """Gaussian kernel over motion and distance evidence before the threshold; not over binary evidence."""
    blur_sigma: float = Field(0.0, ge=0, le=32)
    """Its standard deviation in px; 0 derives it from the kernel as OpenCV does."""
    motion_threshold: float = Field(1.0, gt=0, lt=255 / MOTION_STEPS_PER_PIXEL)
    """Motion evidence is foreground where it is faster than this, px per frame; it saturates at 15.94."""
    distance_threshold: int | None = Field(None, ge=0, le=254)
    """Distance evidence is foreground above this; None for the labeler's own neutral value."""

    median: Kernel = 0
    """Median over the thresholded evidence."""
    open: Kernel = 0
    """Opening with a square: foreground thinner than this goes."""
    close: Kernel = 0
    """Closing with a square: gaps narrower than this go."""
    fill_holes: bool = False
    """Background that foreground surrounds (4-connected, not reaching the image border) becomes foreground;
    unless ``boxes_first``, only inside boxes."""
    min_blob: int = Field(0, ge=0)
    """Connected (8-connected) foreground of fewer px becomes background; 0 and 1 keep all. With
    ``fill_holes`` the filled holes count."""

    weak_boxes: Literal["keep", "unknown"] = "keep"
    """What becomes of boxes that are not believed. ``keep``: nothing special. ``unknown``: their pixels are
    unknown, except the foreground of believed boxes: a parked car is not background."""
    min_fill: float = Field(0.0, ge=0, le=1)
    """A box is believed only if at least this share of its pixels is foreground."""
    min_believability: float = Field(0.0, ge=0, le=1)
    """A box is believed only if its believability is at least this: fill, contact with the box's sides,
    stability, agreement along the track, overlap and size in one number, see docs/believability.md."""
    ignore_regions: Literal["unknown", "background"] = "unknown"
    """Ignore regions are unknown, even inside boxes; or nothing special (background outside boxes)."""
    warm_up: Literal["unknown", "keep"] = "unknown"
    """Frames of a labeler's warm-up are unknown, or masks like any other."""
    owners: OwnerSettings = OwnerSettings()
    """Whose the foreground pixels are that two or more boxes claim."""

    @model_validator(mode="after")
    def _fits_together(self) -> MaskSettings:
        for name in ("blur", "median", "open", "close"):
            size = getattr(self, name)
            if size and size % 2 == 0:
                raise ValueError(f"{name} must be odd, or 0 to leave the step out; got {size}")
        if self.median == 1 or self.blur == 1 or self.open == 1 or self.close == 1:
            raise ValueError("a kernel of 1 px does nothing; write 0 to leave the step out")
        if self.blur_sigma and not self.blur:
            raise ValueError("blur_sigma has no effect without blur; set blur to an odd kernel size in px")
        if self.weak_boxes == "unknown" and self.min_fill == self.min_believability == 0:
            raise ValueError(
                "weak_boxes=unknown has no effect with min_fill=0 and min_believability=0; set one above 0"
            )
        if self.classes == ():
            raise ValueError(
                "classes is empty, so nothing could be foreground; name one, or use null for all"
            )
        return self

    @property
    def reach(self) -> int:
        """How far, in px, a pixel of evidence can act on the mask through the kernels."""
        return self.blur // 2 + self.median // 2 + 2 * (self.open // 2) + 2 * (self.close // 2)
