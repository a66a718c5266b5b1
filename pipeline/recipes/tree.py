"""A recipe as plain data: read from YAML, changed with ``--set``, holding nothing that JSON cannot hold."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.regular import regular_bytes
from spotlabel.pipeline.validation import nearest

MOST_VALUES = 100_000
"""Values of a recipe with all aliases written out; the largest sensible one has some hundreds."""
_PATH_KEYS = ("data", "out")
"""Keys whose ``--set`` value is a path, taken as it stands: ``2024`` and ``a #1`` are folders."""


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key stands once, and in which a date is the text it was written as."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - overrides an attribute of PyYAML
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self._refuse_duplicates(node)
        return super().construct_mapping(node, deep)

    def _refuse_duplicates(self, node: yaml.MappingNode) -> None:
        seen: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line, known = key.start_mark.line + 1, (key.tag, key.value)
            if known in seen:
                raise RecipeError(
                    f"line {line}: the key {key.value!r} is there already, on line {seen[known]}"
                )
            seen[known] = line


def parse_yaml(text: str) -> Any:
    """Parse one YAML document.

    Raises:
        RecipeError: not YAML, a key is there twice, or aliases that stand for more than :data:`MOST_VALUES`.
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_expanded(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"not readable as YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise RecipeError("not readable as YAML: nested too deeply") from error


def _check_expanded(root: yaml.Node) -> None:
    """Refuse a few lines whose aliases of aliases stand for billions of values, before writing them out."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) not in sizes:
            sizes[id(node)] = 0  # one that holds itself is told elsewhere
            parts = chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
            sizes[id(node)] = 1 + sum(map(size, parts))
        return sizes[id(node)]

    if size(root) > MOST_VALUES:
        raise RecipeError(f"its aliases stand for more than {MOST_VALUES} values; write out what is meant")


def read_text(path: Path) -> str:
    """Text of a recipe file; RecipeError if it cannot be read."""
    try:
        return regular_bytes(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with spotlabel."""
    folder = resources.files("spotlabel.workflows")
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def bundled_text(name: str) -> str:
    """Text of a recipe that comes with spotlabel; RecipeError if there is none of this name."""
    if name not in bundled_recipes():
        raise RecipeError(f"{name}: no such file and no bundled recipe; {nearest(name, bundled_recipes())}")
    return resources.files("spotlabel.workflows").joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Set one dotted key; whether the key exists is for the checks that follow.

    Args:
        tree: the recipe, changed in place.
        override: ``key=value``; the value is YAML, except for ``data`` and ``out``, which are paths.

    Raises:
        RecipeError: no ``key=value``, not YAML, or a key below a single value.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override}: expected key=value, for example masks.min_fill=0.3")
    if key in _PATH_KEYS:
        if not text:
            raise RecipeError(f"--set {override}: expected a path after '='")
        tree[key] = text
        return
    try:
        value = parse_yaml(text)
    except RecipeError as error:
        raise RecipeError(f"--set {override}: value is {error}") from error
    node: Any = tree
    *parents, last = key.split(".")
    for part in parents:
        if node.get(part) is None:
            node[part] = {}
        node = node[part]
        if not isinstance(node, dict):
            raise RecipeError(f"--set {override}: {part} is a single value and has no keys")
    node[last] = value


def plain_mapping(tree: Mapping[Any, Any]) -> dict[str, Any]:
    """A copy with text keys whose values are what JSON knows; that is how it travels to child processes.

    Raises:
        RecipeError: names the place of a value or key that JSON cannot hold.
    """
    return _plain_keys(tree, "", ())


def _plain_keys(value: Mapping[Any, Any], place: str, above: tuple[int, ...]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, child in value.items():
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            raise RecipeError(f"{place or 'top level'}: the key {key!r} is no text; put it in quotes")
        if str(key) in plain:
            raise RecipeError(f"{place or 'top level'}: the key '{key}' is there twice")
        plain[str(key)] = _plain(child, f"{place}.{key}".lstrip("."), above)
    return plain


def _plain(value: Any, place: str, above: tuple[int, ...]) -> Any:
    if id(value) in above:
        raise RecipeError(f"{place}: holds itself")
    if isinstance(value, Mapping):
        return _plain_keys(value, place, (*above, id(value)))
    if isinstance(value, (list, tuple)):
        return [_plain(child, f"{place}.{i}", (*above, id(value))) for i, child in enumerate(value)]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    kind = type(value).__name__
    raise RecipeError(
        f"{place}: a {kind} cannot stand in a recipe; expected text, numbers, lists or mappings"
    )
