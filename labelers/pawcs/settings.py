"""Parameters of PAWCS, with the values of the paper's reference implementation as defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from spotlabel.labelers.base import Settings

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class PawcsSettings(Settings):
    """Parameters of PAWCS; symbols as in the papers (WACV 2015, TIP 2016)."""

    lbsp_ratio: Annotated[float, Field(ge=0, le=1)] = 0.333
    """Texture differs by descriptors (LBSP): neighbours count as unlike beyond this share of a pixel's grey
    level."""
    lbsp_offset: Annotated[int, Field(ge=0, le=255)] = 0
    """Absolute part of that threshold, grey levels."""
    lbsp_ratio_min: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Descriptors become more sensitive where less than this share of the image's pixels is not flat."""
    lbsp_ratio_max: Annotated[float, Field(ge=0, le=1)] = 0.5
    """They become less sensitive where more than this share is not flat."""
    colour_threshold: Annotated[int, Field(ge=1, le=255)] = 20
    """Smallest threshold of the colour distance, grey levels per channel."""
    descriptor_offset: Annotated[int, Field(ge=0, le=16)] = 2
    """Bits added to the threshold of the descriptors' distance: once, and once more where a pixel is
    unstable."""
    words: Annotated[int, Field(ge=8, le=64)] = 50
    """Local background words per pixel; half as many global words. Memory and time grow with it."""
    samples: Annotated[int, Field(ge=8, le=10_000)] = 100
    """Frames of the long-term running means; a quarter as many for the short-term ones."""
    bootstrap: Count = 500
    """Frames at the start during which the model learns faster."""
    weight_offset: Count = 1000
    """Frames added to the age of a word in its weight, so that a new word is never at once a good one."""
    moving_weight_offset: Count = 5
    """The same while the camera is held to move, frames."""
    resampling: Annotated[int, Field(ge=2)] = 16
    """Frames between two refinements of the global words; half of it while bootstrapping."""
    distance_step: Positive = 0.01
    """Step of the distance factor R in the feedback, per frame (TIP 2016, R(x))."""
    variation_up: Positive = 1.0
    """Step up of the variation factor v where a pixel blinks, per frame; doubled while bootstrapping."""
    variation_down: Positive = 0.1
    """Step down of v per frame, and its smallest value."""
    rate_up: Positive = 0.5
    """Factor of the steps up of the learning period T (slower learning)."""
    rate_down: Positive = 0.25
    """Factor of the steps down of T (faster learning)."""
    rate_min: Annotated[float, Field(ge=1)] = 1.0
    """Smallest T, frames: a matched word is refreshed with probability 1/T."""
    rate_max: Annotated[float, Field(ge=1, le=10_000)] = 256.0
    """Largest T, frames."""
    unstable_ratio: Positive = 0.1
    """A pixel counts as noisy where its raw and its final segmentation differ in the mean by more than this,
    or where its mean distance is above it."""
    unstable_distance: Positive = 3.0
    """R above which a pixel is unstable."""
    reset_difference: Count = 45
    """Mean change of the image, grey levels, that refreshes the whole model; twice as much re-arms the
    check."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of all random choices."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads of one video; any number gives the same evidence."""
    parity: bool = False
    """Draw as pybgs does, from the C library's generator in pixel order: one thread, slower. For
    comparisons."""
    warm_up: Annotated[int, Field(ge=0)] = 0
    """So many frames at the start are first run through in reverse; 0 for none."""
    unsure_frames: Annotated[int, Field(ge=0)] = 1
    """So many frames at the start are marked as warm-up in the evidence."""
    device: Literal["auto", "cpu", "cuda"] = "cpu"
    """Where it runs: ``cpu``, ``cuda`` (a GPU, by numba-cuda) or ``auto`` (a GPU if there is one)."""

    @model_validator(mode="after")
    def _parity_is_of_the_cpu(self) -> PawcsSettings:
        if self.parity and self.device == "cuda":
            raise ValueError("parity draws in pixel order, which a GPU cannot: use device: cpu")
        return self

    @model_serializer(mode="wrap")
    def _without_default_device(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out ``cpu``: evidence made before there was a choice stays fresh.

        Other devices stay in, and so in fingerprints, until a card has been seen to give equal bits.
        """
        values: dict[str, Any] = serialise(self)
        return {name: value for name, value in values.items() if (name, value) != ("device", "cpu")}


class Rules(NamedTuple):
    """What the compiled code needs of the settings, in single precision where pybgs computes so."""

    words: int
    colour_threshold: int
    descriptor_offset: int
    distance_step: float
    variation_up: float
    variation_down: float
    rate_up: float
    rate_down: float
    rate_min: float
    rate_max: float
    unstable_ratio: float
    unstable_distance: float
