"""The settings of the mask rules as controls of a page, made from their own JSON schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from spotlabel.labelers.masks import MaskSettings
from spotlabel.pipeline.recipes.schema import one_line

_MOST_VALUES = 65
"""A whole number with at most so many values is one of those that the rules take by themselves."""
_LARGEST = 1000
"""End of the slider of a number without an upper bound; what is typed may be more."""
_STEPS = 400
"""Steps of a slider over fractions, about."""


def controls() -> list[dict[str, Any]]:
    """One control per setting, in the order in which the settings act; nested settings with dotted names.

    Returns:
        For each: ``name``, ``help``, ``kind`` (``switch``, ``choice``, ``values``, ``whole``, ``fraction``,
        ``names``), ``nullable``, and by kind ``options``, or ``low``, ``high``, ``step`` and ``bounded``.
    """
    schema = MaskSettings.model_json_schema()
    return list(_controls(schema, schema.get("$defs", {}), ""))


def _controls(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], above: str
) -> Iterator[dict[str, Any]]:
    for key, field in schema["properties"].items():
        kind, nullable = _one_kind(field)
        if "$ref" in kind:
            part = definitions[kind["$ref"].rpartition("/")[2]]
            yield from _controls(part, definitions, f"{above}{key}.")
            continue
        name, told = f"{above}{key}", one_line(field.get("description", ""))
        yield {"name": name, "help": told, "nullable": nullable, **_control(name, kind)}


def _one_kind(field: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """A field's schema without the alternative null, and whether it has that."""
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    assert len(kinds) == 1, "a setting of several kinds needs a control of its own"
    return kinds[0], len(kinds) < len(field.get("anyOf", [field]))


def _control(name: str, kind: Mapping[str, Any]) -> dict[str, Any]:
    if "enum" in kind:
        return {"kind": "choice", "options": list(kind["enum"])}
    if kind["type"] == "boolean":
        return {"kind": "switch"}
    if kind["type"] == "array":
        return {"kind": "names"}
    low = kind.get("minimum", kind.get("exclusiveMinimum", 0))
    high = kind.get("maximum", kind.get("exclusiveMaximum"))
    if kind["type"] == "integer":
        if high is not None and high - low < _MOST_VALUES and "." not in name:
            taken = [value for value in range(low, high + 1) if _taken(name, value)]
            return {"kind": "values", "options": taken}
        end = _LARGEST if high is None else high
        return {"kind": "whole", "low": low, "high": end, "step": 1, "bounded": high is not None}
    assert kind["type"] == "number"
    assert high is not None
    step = _step(float(high) - float(low))
    first = step if "exclusiveMinimum" in kind else low
    last = high - step * 1e-3 if "exclusiveMaximum" in kind else high
    return {"kind": "fraction", "low": first, "high": last, "step": step, "bounded": True}


def _step(span: float) -> float:
    """A round step: 1, 2 or 5 times a power of ten."""
    steps = (factor * 10.0**power for power in range(-3, 4) for factor in (1, 2, 5))
    return round(next(step for step in steps if step >= span / _STEPS), 3)


def _taken(name: str, value: int) -> bool:
    try:
        MaskSettings.model_validate({name: value})
    except ValidationError:
        return False
    return True


def flat(settings: MaskSettings) -> dict[str, Any]:
    """Settings as the controls have them: values by dotted name."""
    return dict(_flat(settings.model_dump(mode="json"), ""))


def _flat(values: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of :func:`flat`, not yet checked."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *parents, last = str(name).split(".")
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise ValueError(f"{name}: stands below a single value")
        node[last] = value
    return tree
