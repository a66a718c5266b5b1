"""Settings of the region-based detectors."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from spotlabel.detector.family import Options
from spotlabel.detector.regions.attention.options import GaussianOptions, InvertedOptions, SeparationOptions
from spotlabel.detector.regions.pooling import Pooling

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class RegionWeights(Options):
    """Factors of the loss terms of region-based detectors."""

    rpn_objectness: float = Field(default=1.0, ge=0)
    """Is there an object at an anchor?"""
    rpn_boxes: float = Field(default=1.0, ge=0)
    """From anchors to proposals."""
    classification: float = Field(default=1.0, ge=0)
    """Class of a region."""
    boxes: float = Field(default=1.0, ge=0)
    """From proposals to boxes."""
    attention: float = Field(default=1.0, ge=0)
    """Is there an object at a cell? (``als``)"""
    guide: float = Field(default=1.0, ge=0)
    """Class of a region by what its Gaussians highlight. (``lga``)"""


class RegionOptions(Options):
    """Faster R-CNN. These are the numbers on a feature pyramid; every backbone comes with its own."""

    anchor_sizes: tuple[tuple[float, ...], ...] = ((32,), (64,), (128,), (256,), (512,))
    """Sizes of the anchors on each feature map, finest first: square roots of areas in canvas pixels. Small
    vehicles need 8 and 16."""
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Heights of anchors over their widths."""

    rpn_positive: Share = 0.7
    """An anchor that overlaps an object by this IoU is positive; so is each object's best one."""
    rpn_negative: Share = 0.3
    """An anchor that overlaps every object by less is negative."""
    rpn_sample: Count = 256
    """Anchors of a picture that are trained on."""
    rpn_share: Share = 0.5
    """Largest share of positives among them."""

    train_before: Count = 2000
    """Best proposals of each feature map before suppression, in training."""
    train_after: Count = 2000
    """Best proposals of a picture after suppression, in training."""
    test_before: Count = 1000
    """Best proposals of each feature map before suppression, in detection."""
    test_after: Count = 1000
    """Best proposals of a picture after suppression, in detection."""
    proposal_iou: Share = 0.7
    """Of two proposals that overlap by more, the lesser goes."""

    roi_positive: Share = 0.5
    """A proposal that overlaps an object by this IoU is the object's, others are background."""
    roi_sample: Count = 512
    """Proposals of a picture that are trained on."""
    roi_share: Share = 0.25
    """Largest share of positives among them."""
    pooling: Pooling = Pooling.ALIGN
    """How a region is read from the feature map: ``align`` (RoIAlign) or ``pool`` (RoIPool)."""
    pool_size: Count = 7
    """Cells of a region along each side."""

    rpn_beta: float = Field(default=1 / 9, gt=0)
    """Error below which the loss of proposals is quadratic (smooth L1)."""
    box_beta: float = Field(default=1 / 9, gt=0)
    """Error below which the loss of boxes is quadratic; classic is 1."""

    ignored: float = Field(default=0.5, gt=0, le=1)
    """An anchor or proposal of whose area this share lies where nobody labelled is not trained on."""

    score_floor: Share = 0.05
    """Boxes are found whose score is higher."""
    final_iou: Share = 0.5
    """Of two boxes of a class that overlap by more, the lesser goes; classic is 0.3."""

    frozen_stages: int = Field(default=2, ge=0, le=5)
    """First stages of the backbone that keep their weights: 1 is the first convolution, 2 also the first
    stage of blocks. Makes sense with ImageNet weights alone."""

    als: SeparationOptions = SeparationOptions()
    """Attentive layer separation, for ``als``."""
    ian: InvertedOptions = InvertedOptions()
    """Inverted attention, for ``ian``."""
    lga: GaussianOptions = GaussianOptions()
    """Gaussian attention, for ``lga``."""

    @model_validator(mode="after")
    def _meant(self) -> RegionOptions:
        if self.rpn_negative > self.rpn_positive:
            raise ValueError(f"rpn_negative {self.rpn_negative} lies above rpn_positive {self.rpn_positive}")
        if any(size <= 0 for level in self.anchor_sizes for size in level) or not all(self.anchor_sizes):
            raise ValueError("anchor_sizes: expected one or more sizes above 0 for each feature map")
        if not self.anchor_ratios or any(ratio <= 0 for ratio in self.anchor_ratios):
            raise ValueError("anchor_ratios: expected one or more ratios above 0")
        return self


FPN = RegionOptions()
"""Lin et al., CVPR 2017, and torchvision."""
C4 = RegionOptions(
    anchor_sizes=((128, 256, 512),),
    train_before=12000,
    train_after=2000,
    test_before=6000,
    test_after=300,
    roi_sample=128,
    pool_size=14,
    box_beta=1,
)
"""Ren et al., NIPS 2015, and He et al., CVPR 2016, on one feature map."""
VGG = C4.model_copy(update={"pool_size": 7})
SMALL_C4 = RegionOptions(
    anchor_sizes=((16, 32, 64),),
    train_before=500,
    train_after=200,
    test_before=500,
    test_after=100,
    roi_sample=64,
    frozen_stages=0,
)
"""Small vehicles on small pictures, in training on a CPU from random weights."""
SMALL_FPN = SMALL_C4.model_copy(update={"anchor_sizes": ((12,), (24,), (48,), (96,), (192,))})


def changed(options: RegionOptions, **changes: object) -> RegionOptions:
    """The options with some of them changed, and checked again.

    Raises:
        pydantic.ValidationError: an unknown name or a value that makes no sense.
    """
    return RegionOptions.model_validate({**options.model_dump(), **changes})
