"""Settings of the attentions; where a paper is silent, the default is our choice and says so."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SeparationOptions(_Options):
    """Attentive layer separation (ALS)."""

    hidden: int | None = Field(default=None, ge=1)
    """Channels between the 1x1 convolutions of an attention net; twice the feature map's if not given, which
    are the paper's 2048 for 1024."""
    bias: float = 2.0
    """Bias of an attention net's last convolution at the start: 2 lets 88 % of every feature pass, so that
    pretrained features are not crushed (our choice)."""
    detach_cascade: bool = False
    """Keep the gradient of the classification attention from the localisation attention before it."""


class Suppression(StrEnum):
    """What inverted attention takes from a RoI."""

    SPATIAL = "spatial"
    """The most sensitive cells, in all channels."""
    CHANNEL = "channel"
    """The most sensitive channels, in all cells."""
    BOTH = "both"
    """The most sensitive cells, in the most sensitive channels alone."""
    EITHER = "either"
    """``spatial`` or ``channel``, drawn anew for every batch."""


class Inversion(StrEnum):
    """How the sensitivity of cells becomes a factor of their features."""

    SOFT = "soft"
    """0 in a fixed share of the cells, those of highest rank; else 1."""
    HARD = "hard"
    """0 where the sensitivity, scaled to [0, 1] in each RoI, exceeds 0.5; else 1."""
    OVERTURN = "overturn"
    """1 minus the scaled sensitivity."""
    RANDOM = "random"
    """0 in a fixed share of cells or channels, drawn at random; else 1: the control of the others."""


class Rounding(StrEnum):
    """How a share of cells or channels becomes a number of them."""

    DOWN = "down"
    NEAREST = "nearest"
    UP = "up"


class Sensitive(StrEnum):
    """The score whose gradient tells what a classification rests on."""

    LOGIT = "logit"
    PROBABILITY = "probability"


class InvertedOptions(_Options):
    """Inverted attention (IAN); acts in training alone."""

    suppression: Suppression = Suppression.BOTH
    """What is taken from a RoI: ``spatial``, ``channel``, ``both`` or ``either``."""
    inversion: Inversion = Inversion.SOFT
    """How sensitivity becomes a factor: ``soft``, ``hard``, ``overturn`` or ``random``."""
    cells: float = Field(default=0.33, ge=0, le=1)
    """Share of a RoI's cells that are suppressed under ``soft`` and ``random``."""
    channels: float = Field(default=0.8, ge=0, le=1)
    """Share of the channels that lose these cells under ``both``."""
    channels_alone: float = Field(default=0.2, ge=0, le=1)
    """Share of the channels that are suppressed whole under ``channel`` and ``either``. The paper gives
    none; its 80 % would leave next to nothing."""
    rounding: Rounding = Rounding.NEAREST
    """How these shares are rounded to whole numbers: ``down``, ``nearest`` or ``up`` (our choice)."""
    rois: float = Field(default=0.2, ge=0, le=1)
    """Share of a batch's RoIs that inverted attention acts on, rounded to the nearest number."""
    positives_only: bool = False
    """Act on RoIs of objects alone, not on those of the background."""
    score: Sensitive = Sensitive.LOGIT
    """Score of the true class that is derived: ``logit`` or ``probability``."""

    @model_validator(mode="after")
    def _meant(self) -> InvertedOptions:
        if self.suppression in (Suppression.CHANNEL, Suppression.EITHER) and self.inversion in (
            Inversion.HARD,
            Inversion.OVERTURN,
        ):
            raise ValueError(
                f"inversion {self.inversion} weighs cells: expected suppression spatial or both, "
                f"not {self.suppression}"
            )
        return self


class Centres(StrEnum):
    """Where Gaussians may stand on a RoI of S x S cells."""

    INSIDE = "inside"
    """Between the first and the last cell, 0 to S - 1."""
    LITERAL = "literal"
    """-S to S, as the paper's formula reads; half of it is off the RoI."""


class Joined(StrEnum):
    """How the Gaussians of a RoI become one map in (0, 1]."""

    MAX = "max"
    MEAN = "mean"
    SUM = "sum"
    """Their sum, cut at 1."""


class Fusion(StrEnum):
    """How a RoI's feature and its highlighted copy become what the heads read."""

    ADD = "add"
    CONCAT = "concat"
    """Both, one after the other, through a 1x1 convolution."""
    NONE = "none"
    """The plain feature: the Gaussians act through their loss alone."""


class GuideHead(StrEnum):
    """The classifier that guides the Gaussians in training."""

    TWO_FC = "two-fc"
    """Two fully connected layers and a linear one, as in the box head, with weights of its own; larger RoIs
    are averaged down to 7x7 cells before."""
    POOLED = "pooled"
    """The mean over the cells and a linear layer."""


class GaussianOptions(_Options):
    """Loss-guided Gaussian attention (LGA-RCNN)."""

    gaussians: int = Field(default=4, ge=1)
    """Gaussians on a RoI (our choice)."""
    isotropic: bool = True
    """One width per Gaussian; else one along x and one along y."""
    centres: Centres = Centres.INSIDE
    """Where they may stand: ``inside`` (our choice) or ``literal``."""
    width_bias: float = 1.0
    """Bias of the widths before ReLU at the start. At 0 half of them would be dead (our choice)."""
    hidden: int = Field(default=64, ge=1)
    """Channels that a RoI's feature is reduced to before the Gaussians are read off (our choice)."""
    joined: Joined = Joined.MAX
    """How several Gaussians become one map: ``max``, ``mean`` or ``sum`` (our choice)."""
    fusion: Fusion = Fusion.ADD
    """What the heads read: ``add``, ``concat`` or ``none`` (our choice)."""
    guide: GuideHead = GuideHead.TWO_FC
    """The extra classifier of training: ``two-fc`` or ``pooled`` (our choice)."""
    guide_width: int = Field(default=1024, ge=1)
    """Channels of the two layers of ``two-fc``."""
    positives_only: bool = False
    """Guide by RoIs of objects alone, another reading of the paper's Figure 1."""
