"""Settings of a training run (recipe section ``training``)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from spotlabel.detector.data.frames import Crop
from spotlabel.detector.data.loader import StartMethod
from spotlabel.detector.data.samples import IgnoreMode
from spotlabel.detector.model import BackboneName, PresetName


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightSettings(_Section):
    """Factors of the loss terms."""

    hm: float = Field(default=1.0, ge=0)
    wh: float = Field(default=0.1, ge=0)
    reg: float = Field(default=1.0, ge=0)
    seg: float = Field(default=1.0, ge=0)


class TrainingSettings(_Section):
    """What is trained, on what, and how. The defaults are a modern recipe; see ``docs/training.md``."""

    preset: PresetName = "spotnet-multitask"
    """Network: centernet, spotnet-multitask, spotnet-released, spotnet-paper or spotnet2."""
    backbone: BackboneName = "hourglass-104"
    """What the heads stand on."""
    init: str = ""
    """Weights to start from: a model of spotlabel, a public CenterNet or SpotNet checkpoint, or for ResNets
    ``imagenet`` (downloads) or ``imagenet:FILE``."""
    classes: Literal["one", "all"] | tuple[str, ...] = "one"
    """``one`` class "object" as in the published models, ``all`` of the data's, or the names to keep."""

    canvas: tuple[int, int] = (512, 512)
    """Height and width of the network's input in training."""
    crop: Crop = Crop.RANDOM
    """How training images come to the canvas: random, jittered or whole."""
    extent: float = Field(default=1.0, gt=0, le=2)
    """Share of an image's longer side that random crops show at zoom 1. The published 1 trains on objects
    half as large as in detection, which keeps the images' resolution; less makes them alike."""
    colour: bool = True
    """Jitter colours."""
    ignore_mode: IgnoreMode = IgnoreMode.MASK_LOSS
    """What becomes of unknown pixels: ``mask_loss`` (no loss there), ``none`` (background, as in the
    published models) or ``blacken``."""
    index_boxes: bool = False
    """Mirror boxes one pixel off, as the published code did."""
    every: int = Field(default=10, ge=1)
    """Train on frames whose number this divides: neighbours are too alike to be worth their time."""
    every_held_out: int = Field(default=10, ge=1)
    """Likewise for validation."""
    held_out: tuple[str, ...] = ()
    """Videos to validate on; empty holds out one in six."""

    epochs: int = Field(default=30, ge=1)
    batch: int = Field(default=16, ge=1)
    """Images per step and process."""
    optimiser: Literal["adam", "adamw"] = "adamw"
    lr: float = Field(default=1.25e-4, gt=0)
    """Learning rate after the warm-up."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Only for ``adamw``; biases and normalisation are left alone."""
    schedule: Literal["cosine", "step"] = "cosine"
    milestones: tuple[float, ...] = (90 / 140, 120 / 140)
    """Where ``step`` multiplies the rate by ``drop``, as shares of the run."""
    drop: float = Field(default=0.1, gt=0, le=1)
    warm_up: int = Field(default=500, ge=0)
    """Steps over which the rate rises from 0; at most a tenth of the run."""
    clip: float = Field(default=10.0, ge=0)
    """Largest L2 norm of the gradient; 0 does not clip."""
    ema: float = Field(default=0.9998, ge=0, lt=1)
    """Decay of the averaged weights, which are the ones kept; 0 keeps the raw ones."""
    weights: WeightSettings = WeightSettings()

    bf16: bool = False
    """Run the network in bfloat16 (losses stay in float32)."""
    channels_last: bool = True
    compile: bool = False
    """Compile the network with torch.compile."""
    checkpoint_activations: bool = False
    """Recompute activations in the backward pass: much less memory for a third more time."""
    fast_data: bool = True
    """Warp, colour and heatmaps on the device; false makes whole samples on the CPU."""
    workers: int = Field(default=4, ge=0)
    """Loader processes; no influence on the result."""
    start_method: StartMethod = "forkserver"
    """How loader processes start."""
    remember: int = Field(default=0, ge=0)
    """Decoded frames to keep in memory, per loader process."""
    seed: int = Field(default=317, ge=0)

    save_minutes: float = Field(default=10.0, gt=0)
    """Write the state at least this often, and at the end of each epoch."""
    batch_held_out: int = Field(default=4, ge=1)
    """Held-out frames that go through the network together; no influence on the result."""
    sync_norm: bool = False
    """Batch normalisation over all GPUs that train together; worth it below 8 images per GPU."""
    pictures: int = Field(default=6, ge=0)
    """Validation frames drawn after each epoch."""

    @field_validator("canvas")
    @classmethod
    def _divisible(cls, value: tuple[int, int]) -> tuple[int, int]:
        if any(side < 32 or side % 32 for side in value):
            raise ValueError("expected height and width in multiples of 32 (128 for the large hourglasses)")
        return value

    @model_validator(mode="after")
    def _fitting_switches(self) -> TrainingSettings:
        if self.compile and self.checkpoint_activations:
            raise ValueError("compile and checkpoint_activations do not go together; choose one")
        return self

    @model_validator(mode="before")
    @classmethod
    def _from_base(cls, values: object) -> object:
        """``base: released`` stands for the settings of the published models; single ones may be changed."""
        if not isinstance(values, dict) or "base" not in values:
            return values
        changes = dict(values)
        base = changes.pop("base")
        if base not in BASES:
            raise ValueError(f"base: expected one of {', '.join(BASES)}")
        return {**BASES[base], **changes}


BASES: dict[str, dict[str, object]] = {
    "modern": {},
    # Something real on a CPU in minutes: a sigmoid gate (it learns from scratch) on the smallest hourglass.
    "small": {
        "preset": "spotnet-paper",
        "backbone": "hourglass-tiny",
        "canvas": (256, 448),
        "extent": 0.5,
        "every": 2,
        "every_held_out": 8,
        "epochs": 14,
        "batch": 8,
        "lr": 2e-3,
        "warm_up": 20,
        "ema": 0.99,
        "weights": {"seg": 5.0},  # its mean over all pixels is small where vehicles are
        "workers": 0,
        "remember": 400,
    },
    # SpotNet's released training: Perreault et al., CRV 2020, and the options of its repository.
    "released": {
        "preset": "spotnet-released",
        "ignore_mode": "none",
        "index_boxes": True,
        "epochs": 140,
        "batch": 2,
        "optimiser": "adam",
        "lr": 1e-5,
        "weight_decay": 0.0,
        "schedule": "step",
        "warm_up": 0,
        "clip": 0.0,
        "ema": 0.0,
        "fast_data": False,
        "channels_last": False,
    },
}
"""Settings to start from, by name."""
