"""Settings of the attentions: typed, documented, refused where nobody knows them."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from spotlabel.detector.regions.attention.options import GaussianOptions, InvertedOptions, SeparationOptions

MODELS = [SeparationOptions, InvertedOptions, GaussianOptions]


@pytest.mark.parametrize("model", MODELS)
def test_every_setting_says_what_it_is(model: type[BaseModel]) -> None:
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize("model", MODELS)
def test_settings_are_frozen_and_unknown_ones_refused(model: type[BaseModel]) -> None:
    options = model()
    name = next(iter(model.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(options, name, getattr(options, name))
    with pytest.raises(ValidationError, match="Extra inputs"):
        model(sharpness=3)


@pytest.mark.parametrize("model", MODELS)
def test_settings_survive_plain_data(model: type[BaseModel]) -> None:
    assert model.model_validate(model().model_dump(mode="json")) == model()
