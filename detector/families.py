"""Which detectors there are: every family, and what a preset's name stands for."""

from __future__ import annotations

from collections.abc import Mapping

from spotlabel.detector.centernet.family import CenterNetFamily
from spotlabel.detector.family import Family, Options
from spotlabel.detector.regions.family import RegionFamily
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.validation import validated

FAMILIES: list[Family] = [CenterNetFamily(), RegionFamily()]
"""A new family is added here; nothing else names it."""
MODERN = "modern"
"""The base that changes nothing; every family has it."""


def preset_names() -> list[str]:
    """Names of all presets."""
    return [name for family in FAMILIES for name in family.presets]


def family_of(preset: str) -> Family:
    """The family of a preset.

    Raises:
        ValueError: there is no preset of this name.
    """
    for family in FAMILIES:
        if preset in family.presets:
            return family
    raise ValueError(f"expected one of {', '.join(preset_names())}")


def check_backbone(preset: str, backbone: str) -> str:
    """The backbone's name.

    Raises:
        ValueError: the preset does not stand on it.
    """
    known = family_of(preset).backbones
    if backbone not in known:
        raise ValueError(f"expected one of {', '.join(known)} for {preset}")
    return backbone


def own_settings(preset: str, kind: str, values: object, where: str) -> Options:
    """Settings of a preset's family, typed.

    Args:
        preset: name of the preset.
        kind: ``weights`` or ``options``.
        values: plain data, or the settings themselves.
        where: place of the values, for the message.

    Raises:
        RecipeError: a key or a value that the family does not know, in one line.
    """
    model: type[Options] = getattr(family_of(preset), kind)
    if isinstance(values, model):
        return values
    if values and not isinstance(values, Options) and not model.model_fields:
        raise RecipeError(f"{where}: {preset} has no settings of its own")
    return validated(model, values.model_dump() if isinstance(values, Options) else values, where)


def base_names(preset: str | None = None) -> list[str]:
    """Names of the settings to start from: of a preset's family, or of all families."""
    families = FAMILIES if preset is None else [family_of(preset)]
    return [MODERN, *dict.fromkeys(name for family in families for name in family.bases)]


def base_of(name: str, preset: str | None = None) -> Mapping[str, object]:
    """Settings to start from.

    Args:
        name: one of :func:`base_names`; two families may each have a base of one name.
        preset: whose family's base is wanted; that of the first family which has one if not given.

    Raises:
        ValueError: the preset's family, or no family, has such a base.
    """
    families = FAMILIES if preset is None else [family_of(preset)]
    for family in families:
        if name in family.bases:
            return family.bases[name]
    if name == MODERN:
        return {}
    whose = f" for {preset}" if preset else ""
    raise ValueError(f"base: expected one of {', '.join(base_names(preset))}{whose}")
