"""``spotlabel schema``: every setting of a recipe, for editors and for readers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import click
from pydantic import BaseModel, Field, create_model

from spotlabel.detector.training.settings import BASES, TrainingSettings
from spotlabel.pipeline.recipes.reference import settings_reference
from spotlabel.pipeline.recipes.schema import recipe_schema


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
    found = recipe_schema(training_as_written())
    text = settings_reference(found) if markdown else json.dumps(found, indent=1, ensure_ascii=False)
    click.echo(text.rstrip("\n"))


def training_as_written() -> type[BaseModel]:
    """The section ``training`` with the key ``base``, which stands for other settings."""
    changed = "; ".join(f"`{name}`: {_listed(base) or 'the defaults'}" for name, base in BASES.items())
    says = f"Settings to start from, single ones of which may be changed. {changed}."
    base: Any = (Literal[tuple(BASES)], Field("modern", description=says))
    return create_model("Training", __base__=TrainingSettings, __doc__=TrainingSettings.__doc__, base=base)


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in values.items())
