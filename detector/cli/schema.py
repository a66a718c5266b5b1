"""``spotlabel schema``: every setting of a recipe, for editors and for readers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import Any, Literal

import click
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from spotlabel.detector.data.stills.settings import StillsSettings
from spotlabel.detector.families import FAMILIES, MODERN, base_names, preset_names
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.recipes.reference import settings_reference
from spotlabel.pipeline.recipes.schema import recipe_schema
from spotlabel.pipeline.terminal import echo_lines


@click.command()
@click.option("--markdown", is_flag=True, help="As a page of tables (docs/settings.md) in place of JSON.")
def schema(markdown: bool) -> None:
    """Print all settings of a recipe as a JSON schema (draft 2020-12).

    Readers and labelers of other installed packages are in it. An editor that knows the YAML language server
    completes and checks a recipe whose first line names the file.

    \b
    Examples:
      spotlabel schema > recipe.schema.json
      sed -i '1i # yaml-language-server: $schema=recipe.schema.json' my-cameras.yaml
    """
    found = recipe_schema(training_as_written(), StillsSettings)
    text = settings_reference(found) if markdown else json.dumps(found, indent=1, ensure_ascii=False)
    echo_lines(text.rstrip("\n"))


def training_as_written() -> type[BaseModel]:
    """The section ``training`` as it may be written, ``base`` and the families' own settings included."""
    changed = "; ".join(
        f"`{name}` of {', '.join(family.presets)}: {_listed(base)}"
        for family in FAMILIES
        for name, base in family.bases.items()
    )
    says = f"Settings to start from, single ones of which may differ. `{MODERN}`: the defaults; {changed}."
    known = TrainingSettings.model_fields
    backbones = dict.fromkeys(name for family in FAMILIES for name in family.backbones)
    fields: dict[str, Any] = {
        "base": (_one_of(base_names()), Field(MODERN, description=says)),
        **{name: (field.annotation, field) for name, field in known.items()},
        "preset": (_one_of(preset_names()), _narrowed(known["preset"])),
        "backbone": (_one_of(backbones), _narrowed(known["backbone"])),
        "options": (_own("options"), Field(default_factory=dict, description=known["options"].description)),
        "weights": (_own("weights"), Field(default_factory=dict, description=known["weights"].description)),
    }
    closed = ConfigDict(extra="forbid")
    return create_model("Training", __config__=closed, __doc__=TrainingSettings.__doc__, **fields)


def _narrowed(field: FieldInfo) -> Any:
    return Field(field.default, description=field.description)


def _one_of(names: Iterable[str]) -> Any:
    return Literal[tuple(names)]


def _own(kind: Literal["options", "weights"]) -> Any:
    """Settings of any of the families."""
    return reduce(or_, dict.fromkeys(getattr(family, kind) for family in FAMILIES))


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in values.items())
