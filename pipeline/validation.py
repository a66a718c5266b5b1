"""From pydantic's error lists to one line a user can act on."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from spotlabel.labelers.errors import nearest
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.text import one_line

__all__ = ["nearest", "shown", "validated"]

_Model = TypeVar("_Model", bound=BaseModel)
_LONGEST_SHOWN = 120


def shown(value: Any) -> str:
    """A value as an error message quotes it: on one line and short."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def validated(model_type: type[_Model], values: Any, where: str) -> _Model:
    """Build a settings model from recipe values.

    Args:
        model_type: the model.
        values: what the recipe holds there.
        where: dotted place in the recipe, for the message.

    Raises:
        RecipeError: first problem, as ``place: what is wrong, what was expected``.
    """
    try:
        return model_type.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([where, *(" ".join(str(part).split()) for part in first["loc"])]).strip(".")
        raise RecipeError(f"{place}: {_describe(first, model_type)}") from error


def _describe(error: Any, model_type: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown key; {nearest(str(error['loc'][-1]), _keys_at(model_type, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return "is required and not set"
    message = one_line(str(error["msg"]).removeprefix("Value error, "))
    return f"{message[0].lower()}{message[1:]}, found {shown(error['input'])}"


def _keys_at(model_type: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """Keys known at a nested place of a model."""
    for part in place:
        field = model_type.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            break
        if issubclass(field.annotation, BaseModel):
            model_type = field.annotation
    return list(model_type.model_fields)
