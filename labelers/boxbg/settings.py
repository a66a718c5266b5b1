"""Settings of the labeler ``boxbg``; each is a quantity of the scene or the camera."""

from __future__ import annotations

from pydantic import Field

from spotlabel.labelers.base import Settings


class BoxbgSettings(Settings):
    """How background is fitted and what counts as different from it."""

    samples: int = Field(128, ge=8, le=1024)
    """Frames kept from the first pass, spread over the video; their number bounds the memory (1.5 MB each at
    960x540, and a third of that for what their boxes hide)."""
    windows: int = Field(4, ge=1, le=64)
    """Parts of the video with a background of their own, between which it changes gradually: how closely the
    light of the day is followed."""
    box_margin: float = Field(0.01, ge=0, le=0.2)
    """Boxes hide the background and this much around them, as a share of the image's diagonal: annotated
    boxes are not exact, and mirrors, spray and contact shadows reach out of them."""
    ring: float = Field(0.03, gt=0, le=0.5)
    """Width of the surroundings of boxes from which shadows and reflections are learnt, as a share of the
    image's diagonal."""
    noise_floor: float = Field(4.0, gt=0, le=64)
    """Smallest standard deviation of a background pixel, grey levels: compression and rounding."""
    light_tolerance: float = Field(0.04, ge=0, le=0.5)
    """Relative standard deviation of the light that falls on the background beside an object, which takes
    some away and reflects some."""
    sigmas: float = Field(3.0, gt=0, le=32)
    """A pixel can only be foreground where a channel differs by more than this many standard deviations."""
    shadow_excess: float = Field(3.0, ge=1, le=100)
    """How many times more often a pixel of background is darkened or disturbed inside a box than just outside
    it: shadows lie where objects are."""
    plain_excess: float = Field(2.0, ge=1, le=100)
    """How many times more often objects may be plain (no texture or colour that the background in that light
    would not have) where darker than the background than where brighter: what exceeds that is shadow."""
    odds: float = Field(0.5, ge=-8, le=8)
    """Logarithm of the odds (object against background) from which a pixel is foreground."""
    edges: bool = True
    """Average the odds along the edges of the image, in boxes where that leads to about the same foreground
    as a mean over squares; false: squares alone."""
    stabilise: bool = True
    """Register every frame to the background; frames within a fifth of a pixel stay as they are."""
