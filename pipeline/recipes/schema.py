"""The JSON schema of recipes, made from the settings models: for editors, and for docs/settings.md."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from spotlabel.labelers.base import Settings
from spotlabel.labelers.masks import PRESETS, MaskSettings
from spotlabel.labelers.registry import labeler_names, load
from spotlabel.pipeline.datasets.registry import load_reader, reader_names
from spotlabel.pipeline.recipes.recipe import Layout

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NAMES_TO_SCHEMAS = ("properties", "$defs")
"""Keywords whose value maps names of the user's to schemas, and is no schema itself."""


def recipe_schema(training: type[BaseModel], stills: type[BaseModel]) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a recipe, with all readers and labelers that are installed.

    What fits it can be loaded, but for rules between several settings, which it does not know. Some of what
    can be loaded does not fit it: texts that are read as numbers, say.

    Args:
        training: model of the section ``training``, which belongs to the detector.
        stills: likewise, of the section ``stills``.

    Returns:
        Plain data; every setting has a ``description`` of one line.
    """
    made = _recipe_model(training, stills).model_json_schema()
    _describe_masks(made["$defs"]["Masks"]["properties"])
    del made["properties"]["dataset"]["default"]
    made["anyOf"] = [{"required": ["dataset"]}, {"required": ["stills"]}]
    return {"$schema": DRAFT, "title": "spotlabel recipe", **_tidied(made)}


def _recipe_model(training: type[BaseModel], stills: type[BaseModel]) -> type[BaseModel]:
    """:class:`Layout` with its open sections filled in; an empty section means the same as none."""
    sections = {
        "dataset": (_dataset(), None),
        "stills": (_or_null(stills), None),
        "frames": (_or_null(Layout.model_fields["frames"].annotation), None),
        "labeler": (_or_null(_labeler()), None),
        "evidence": (_or_null(_evidence()), None),
        "students": (_or_null(Layout.model_fields["students"].annotation), None),
        "masks": (_or_null(_masks()), None),
        "training": (_or_null(training), None),
    }
    described = {
        name: (kind, Field(default, description=Layout.model_fields[name].description))
        for name, (kind, default) in sections.items()
    }
    return create_model("Recipe", __base__=Layout, __doc__="A recipe of spotlabel.", **described)  # type: ignore[call-overload, no-any-return]


def _or_null(kind: Any) -> Any:
    return kind | None


def _choice(names: Iterable[str]) -> Any:
    """One of some names, as a type."""
    return Literal[tuple(names)]


def _dataset() -> Any:
    """The options of every reader, told apart by ``reader``."""
    kinds = []
    for name in reader_names():
        options = load_reader(name).options_type
        key = (_choice([name]), Field(description=f"The reader ``{name}``."))
        kinds.append(create_model(f"Dataset {name}", __base__=options, __doc__=options.__doc__, reader=key))
    return Annotated[reduce(or_, kinds), Field(discriminator="reader")]


def _labeler() -> Any:
    written = Layout.model_fields["labeler"].annotation
    assert isinstance(written, type)
    assert issubclass(written, Settings)
    name = _choice(labeler_names())
    fields = {
        key: (name | None, Field(None, description=field.description))
        for key, field in written.model_fields.items()
    }
    return name | create_model("Labelers", __base__=Settings, __doc__=written.__doc__, **fields)  # type: ignore[call-overload]


def _evidence() -> type[BaseModel]:
    """Settings by labeler."""
    fields: dict[str, Any] = {}
    for name in labeler_names():
        labeler = load(name)
        says = (inspect.getdoc(labeler) or name).partition("\n")[0]
        fields[name] = (_or_null(labeler.settings_type), Field(None, description=says))
    doc = "Settings of single labelers."
    return create_model("Evidence", __base__=Settings, __doc__=doc, **fields)


def _masks() -> type[BaseModel]:
    says = "Mask rules to start from; those of the recipe's own preset if not set."
    preset = (_or_null(_choice(PRESETS)), Field(None, description=says))
    return create_model("Masks", __base__=MaskSettings, __doc__=MaskSettings.__doc__, preset=preset)


def _describe_masks(properties: dict[str, Any]) -> None:
    """What is not set is the preset's: in place of one default, tell the value in each preset."""
    presets = {key: preset.model_dump(mode="json") for key, preset in PRESETS.items()}
    for name in MaskSettings.model_fields:
        schema = properties[name]
        schema.pop("default", None)
        values = ", ".join(f"``{json.dumps(values[name])}`` in {key}" for key, values in presets.items())
        schema["description"] = f"{schema['description'].rstrip('.')}. ({values})"


def _tidied(node: Any) -> Any:
    """Without the titles that pydantic makes of names; descriptions on one line, without reST's marks."""
    if isinstance(node, list):
        return [_tidied(child) for child in node]
    if not isinstance(node, dict):
        return node
    kept: dict[str, Any] = {}
    for key, child in node.items():
        if key in _NAMES_TO_SCHEMAS:
            kept[key] = {name: _tidied(schema) for name, schema in child.items()}
        elif key == "description":
            kept[key] = one_line(child)
        elif key in ("default", "const", "enum"):
            kept[key] = child
        elif key != "title":
            kept[key] = _tidied(child)
    return kept


def one_line(text: str) -> str:
    """A docstring as one line of Markdown."""
    return " ".join(text.replace("``", "`").split())
