"""Parameters of PAWCS, with the values of the paper's reference implementation as defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from spotlabel.labelers.base import Settings

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class PawcsSettings(Settings):
    """Parameters of PAWCS; symbols as in the papers (WACV 2015, TIP 2016).

    Attributes:
        lbsp_ratio: relative similarity threshold of the descriptors.
        lbsp_offset: absolute part of it, grey levels.
        lbsp_ratio_min: share of non-flat pixels under which descriptors are made more sensitive.
        lbsp_ratio_max: share of non-flat pixels above which they are made less sensitive.
        colour_threshold: minimal colour distance threshold per channel, grey levels.
        descriptor_offset: bits added to the descriptor threshold, once, and once more where unstable.
        words: local words per pixel; half as many global words.
        samples: frames of the long-term running means; a quarter as many for the short-term ones.
        bootstrap: frames during which the model learns faster.
        weight_offset: frames added to a word's age, so that a new word is never at once a good one.
        moving_weight_offset: the same while the camera is held to move.
        resampling: frames between two refinements of the global words; half of it while bootstrapping.
        distance_step: step R of the distance factor in the feedback.
        variation_up: step up of v where pixels blink; doubled while bootstrapping.
        variation_down: step down of v, and its smallest value.
        rate_up: factor of the steps up of T (slower learning).
        rate_down: factor of the steps down of T.
        rate_min: smallest T.
        rate_max: largest T.
        unstable_ratio: difference of raw and final segmentation means, or mean distance, above which a
            pixel counts as noisy.
        unstable_distance: R above which a pixel is unstable.
        reset_difference: mean grey-level change that refreshes the model; doubled it re-arms the check.
        seed: of all random choices.
        threads: threads of one video; any number gives the same evidence.
        parity: draw as pybgs does, from the C library's generator in pixel order. One thread, slower.
        warm_up: frames at the start that are first run through in reverse; 0 for none.
        unsure_frames: frames at the start that are marked as warm-up in the evidence.
        device: ``cpu``, ``cuda`` (a GPU, by numba-cuda) or ``auto`` (a GPU if there is one).
    """

    lbsp_ratio: Annotated[float, Field(ge=0, le=1)] = 0.333
    lbsp_offset: Annotated[int, Field(ge=0, le=255)] = 0
    lbsp_ratio_min: Annotated[float, Field(ge=0, le=1)] = 0.1
    lbsp_ratio_max: Annotated[float, Field(ge=0, le=1)] = 0.5
    colour_threshold: Annotated[int, Field(ge=1, le=255)] = 20
    descriptor_offset: Annotated[int, Field(ge=0, le=16)] = 2
    words: Annotated[int, Field(ge=8, le=64)] = 50
    samples: Annotated[int, Field(ge=8, le=10_000)] = 100
    bootstrap: Count = 500
    weight_offset: Count = 1000
    moving_weight_offset: Count = 5
    resampling: Annotated[int, Field(ge=2)] = 16
    distance_step: Positive = 0.01
    variation_up: Positive = 1.0
    variation_down: Positive = 0.1
    rate_up: Positive = 0.5
    rate_down: Positive = 0.25
    rate_min: Annotated[float, Field(ge=1)] = 1.0
    rate_max: Annotated[float, Field(ge=1, le=10_000)] = 256.0
    unstable_ratio: Positive = 0.1
    unstable_distance: Positive = 3.0
    reset_difference: Count = 45
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    parity: bool = False
    warm_up: Annotated[int, Field(ge=0)] = 0
    unsure_frames: Annotated[int, Field(ge=0)] = 1
    device: Literal["auto", "cpu", "cuda"] = "cpu"

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
