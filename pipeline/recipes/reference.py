"""The reference of all settings, docs/settings.md, from the JSON schema of recipes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_HEAD = """# All settings

Made from the program by `spotlabel schema --markdown` (`make reference`); do not edit. `spotlabel schema`
prints the same as a JSON schema: with `# yaml-language-server: $schema=recipe.schema.json` as its first line,
a recipe is completed and checked by editors that know the YAML language server.

Any setting is changed by its dotted name: `--set masks.min_fill=0.3`, `--set evidence.boxbg.samples=256`.
"""
_LINK_LENGTH = len("#/$defs/")
_LONGEST_DEFAULT = 60
"""Longer defaults would blow up the table's column; what they hold stands in a table of its own."""


def settings_reference(schema: Schema) -> str:
    """The reference as Markdown.

    Args:
        schema: of :func:`spotlabel.pipeline.recipes.schema.recipe_schema`.
    """
    return "\n".join([_HEAD, *_Reference(schema["$defs"]).lines(schema)])


class _Reference:
    def __init__(self, defs: Mapping[str, Schema]) -> None:
        self._defs = defs

    def lines(self, recipe: Schema) -> Iterator[str]:
        """All sections, in the order of a recipe."""
        yield from self._section("A recipe's top level", "", recipe, deep=False)
        properties = recipe["properties"]
        for option in properties["dataset"]["oneOf"]:
            reader = self._resolved(option)
            name = reader["properties"]["reader"]["const"]
            own = {key: value for key, value in reader["properties"].items() if key != "reader"}
            yield from self._section(f"`dataset`, reader `{name}`", "dataset.", {**reader, "properties": own})
        yield from self._section("`stills`", "stills.", self._object(properties["stills"]))
        yield from self._section("`frames`", "frames.", self._object(properties["frames"]))
        yield from self._section("`labeler`", "labeler.", self._object(properties["labeler"]))
        for kinds, section in self._by_labeler(self._object(properties["evidence"])):
            title = ", ".join(f"`{kind}`" for kind in kinds)
            yield from self._section(f"`evidence`, labeler {title}", f"evidence.{kinds[0]}.", section)
        yield from self._section("`students`", "students.", self._object(properties["students"]))
        yield from self._section("`masks`", "masks.", self._object(properties["masks"]))
        yield from self._section("`training`", "training.", self._object(properties["training"]))

    def _section(self, title: str, prefix: str, section: Schema, deep: bool = True) -> Iterator[str]:
        """A heading, what the section is, a table; then, if ``deep``, the tables of the objects in it."""
        yield f"## {title}\n\n{section['description']}\n"
        if not section["properties"]:
            return
        yield "| setting | values | default | meaning |\n|---|---|---|---|"
        nested = []
        for name, value in section["properties"].items():
            known = "`" + json.dumps(value["default"]) + "`" if "default" in value else ""
            default = "required" if name in section.get("required", ()) else known
            if len(default) > _LONGEST_DEFAULT:
                default = "see below"
            yield f"| `{prefix}{name}` | {self._values(value)} | {default} | {_cell(value['description'])} |"
            if deep:
                nested += [(name, *inner) for inner in self._inner(value) if inner[1]["properties"]]
        yield ""
        for name, item, inner in nested:
            place = f"{prefix}{name}"
            title = f"One of `{place}`" if item else f"`{place}`"
            yield from self._section(title, "" if item else f"{place}.", inner)

    def _by_labeler(self, evidence: Schema) -> list[tuple[list[str], Schema]]:
        """Labelers that share their settings share a section."""
        found: dict[str, list[str]] = {}
        for name, value in evidence["properties"].items():
            found.setdefault(self._links(value)[0], []).append(name)
        return [(names, self._defs[link]) for link, names in found.items()]

    def _links(self, schema: Schema) -> list[str]:
        """Names of the objects that a schema, or its alternatives, refer to."""
        choices = (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ()))
        names = [str(choice["$ref"])[_LINK_LENGTH:] for choice in choices if "$ref" in choice]
        return [name for name in names if "properties" in self._defs[name]]

    def _object(self, schema: Schema) -> Schema:
        return self._defs[self._links(schema)[0]]

    def _inner(self, schema: Schema) -> list[tuple[bool, Schema]]:
        """The objects that a setting may hold: whether as items of a list, and which."""
        places = ((False, schema), (True, schema.get("items", {})))
        return [(item, self._defs[name]) for item, place in places for name in self._links(place)]

    def _resolved(self, schema: Schema) -> Schema:
        return self._defs[schema["$ref"][_LINK_LENGTH:]] if "$ref" in schema else schema

    def _values(self, schema: Schema) -> str:
        """What a setting may be, in words."""
        schema = self._resolved(schema)
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return " or ".join(dict.fromkeys(self._values(choice) for choice in choices))
        if "enum" in schema:
            return ", ".join(f"`{json.dumps(value).strip(chr(34))}`" for value in schema["enum"])
        kind = str(schema.get("type", "anything"))
        if kind in ("array", "object"):
            return self._several(schema)
        if kind == "string":
            return "path" if schema.get("format") == "path" else "text"
        return {"null": "`null`", "boolean": "`true`, `false`"}.get(kind) or f"{kind}{_bounds(schema)}"

    def _several(self, schema: Schema) -> str:
        """The same of a list or a mapping."""
        if schema["type"] == "object":
            inner = schema.get("additionalProperties")
            return f"mapping to {self._values(inner)}" if isinstance(inner, Mapping) else "mapping"
        items = schema.get("prefixItems")
        if items:
            kinds = dict.fromkeys(self._values(item) for item in items)
            return f"list of {len(items)}: {', '.join(kinds)}"
        return f"list of {self._values(schema['items'])}"


def _bounds(schema: Schema) -> str:
    words = {"minimum": ">= ", "exclusiveMinimum": "> ", "maximum": "<= ", "exclusiveMaximum": "< "}
    said = [f"{sign}{schema[key]:g}" if abs(schema[key]) < 1e6 else f"{sign}{schema[key]}"
            for key, sign in words.items() if key in schema]  # fmt: skip
    return f" {', '.join(said)}" if said else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
