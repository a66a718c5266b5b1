"""Settings of a training run (recipe section ``training``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from spotlabel.detector.data.frames import Crop
from spotlabel.detector.data.loader import StartMethod
from spotlabel.detector.data.samples import IgnoreMode
from spotlabel.detector.families import MODERN, base_of, family_of, own_settings, preset_names
from spotlabel.detector.family import Options
from spotlabel.detector.model import Choice
from spotlabel.pipeline.validation import shown


class TrainingSettings(Choice):
    """What is trained, on what, and how. The defaults are a modern recipe; see ``docs/training.md``."""

    place = "training."

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
    """How often the training frames are gone through."""
    batch: int = Field(default=16, ge=1)
    """Images per step and process."""
    optimiser: Literal["adam", "adamw", "sgd"] = "adamw"
    """Adam, Adam with decoupled weight decay, or SGD with a momentum of 0.9."""
    lr: float = Field(default=1.25e-4, gt=0)
    """Learning rate after the warm-up."""
    lr_batch: int = Field(default=0, ge=0)
    """Images per step that ``lr`` is for, those of all processes together: the rate grows and falls with
    their real number. 0 takes ``lr`` as it is."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Not for ``adam``; biases and normalisation are left alone."""
    schedule: Literal["cosine", "step"] = "cosine"
    """How the rate falls after the warm-up: along a cosine to a hundredth, or in steps at ``milestones``."""
    milestones: tuple[float, ...] = (90 / 140, 120 / 140)
    """Where ``step`` multiplies the rate by ``drop``, as shares of the run."""
    drop: float = Field(default=0.1, gt=0, le=1)
    """Factor of the rate at each milestone."""
    warm_up: int = Field(default=500, ge=0)
    """Steps over which the rate rises from 0; at most a tenth of the run."""
    clip: float = Field(default=10.0, ge=0)
    """Largest L2 norm of the gradient; 0 does not clip."""
    ema: float = Field(default=0.9998, ge=0, lt=1)
    """Decay of the averaged weights, which are the ones kept; 0 keeps the raw ones."""
    weights: SerializeAsAny[Options] = Field(default=Options(), validate_default=True)
    """Factors of the loss terms; which ones there are is the family's own (hm, wh, reg, seg)."""

    bf16: Literal["auto", True, False] = "auto"
    """Run the network in bfloat16 (losses stay in float32). ``auto`` does so on GPUs that are fast at it
    (compute capability 8 or more), and goes on as a run was begun."""
    channels_last: bool = True
    """Keep images and weights in the memory order that tensor cores like; only rounding may differ."""
    compile: bool = False
    """Compile the network with torch.compile."""
    checkpoint_activations: bool = False
    """Recompute the activations of residual blocks in the backward pass: much less memory for a third more
    time. ``vgg-16`` has none."""
    fast_data: bool = True
    """Warp and colour on the device; false makes whole samples on the CPU."""
    workers: int = Field(default=4, ge=0)
    """Loader processes; no influence on the result."""
    start_method: StartMethod = "forkserver"
    """How loader processes start."""
    remember: int = Field(default=0, ge=0)
    """Decoded frames to keep in memory, per loader process."""
    seed: int = Field(default=317, ge=0)
    """Of weights, order of the frames and augmentation; 317 is CenterNet's."""

    save_minutes: float = Field(default=10.0, gt=0)
    """Write the state at least this often, and at the end of each epoch."""
    validate_every: int = Field(default=1, ge=1)
    """Look at the held-out frames after every so many epochs, and after the last one; the best detector is
    the best of those looked at."""
    batch_held_out: int = Field(default=4, ge=1)
    """Held-out frames that go through the network together; no influence on the result."""
    sync_norm: bool = False
    """Batch normalisation over all GPUs that train together; worth it below 8 images per GPU."""
    pictures: int = Field(default=6, ge=0)
    """Held-out frames drawn at each validation."""

    @property
    def in_bf16(self) -> bool:
        """Whether the network runs in bfloat16; ``auto`` has to be decided before."""
        return self.bf16 is True

    @field_validator("weights", mode="plain")
    @classmethod
    def _weights_of_family(cls, values: object, info: ValidationInfo) -> Options:
        preset = info.data.get("preset")
        return own_settings(preset, "weights", values, f"{cls.place}weights") if preset else Options()

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
        """What is not said is taken from ``base``, then from what the family holds good for the preset."""
        if not isinstance(values, dict):
            return values
        changes = dict(values)
        asked = changes.get("preset")
        name = changes.pop("base", MODERN)
        if not isinstance(name, str):
            raise ValueError(f"base: expected a name, found {shown(name)}")
        base = base_of(name, asked if asked in preset_names() else None)
        chosen = _merged(base, changes)
        preset = chosen.get("preset", cls.model_fields["preset"].default)
        if preset not in preset_names():
            return chosen
        return _merged(family_of(preset).defaults(preset, chosen.get("backbone")), chosen)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others on top, section by section."""
    merged = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], Mapping) and isinstance(over[key], Mapping):
            merged[key] = _merged(under[key], over[key])
    return merged
