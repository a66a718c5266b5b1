"""Changing values in the text of a recipe: every line that holds none of them stays byte for byte.

A YAML library that loads and writes again would set indents, quotes and line breaks its own way. Here the
text is only cut where a value stands, or where a key has to be put in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from spotlabel.pipeline.errors import RecipeError

_INDENT = "  "
_WIDE = 2**20
_BREAKS = "\n\x85\u2028\u2029"
"""What YAML takes for the end of a line; PyYAML writes all but the first of them as they are."""


def edited(text: str, changes: Mapping[tuple[str, ...], Any]) -> str:
    """The text with some values replaced, or put in where there are none.

    Args:
        text: a YAML document whose top is a mapping.
        changes: values by path of keys; plain data. A value that is a mapping is not taken: its keys are.

    Raises:
        RecipeError: not YAML, or a key of a path has a single value or stands for something elsewhere (an
            alias, a merged mapping), where a change would change more than was asked for.
    """
    for path, value in changes.items():
        text = _with_value(text, list(path), value)
    return text


def _with_value(text: str, path: list[str], value: Any) -> str:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise RecipeError(f"not readable as YAML: {' '.join(str(error).split())}") from error
    if root is None:
        return _with_lines(text, len(text), path, value, "")
    node: yaml.Node = root
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            raise RecipeError(f"{'.'.join(path[:depth])}: is a single value and has no keys")
        found = [(name, child) for name, child in node.value if _names(name, key)]
        if not found:
            return _put_in(text, node, path[depth:], value)
        name, child = found[0]
        if depth + 1 < len(path) and _is_empty(child):
            return _filled(text, node, child, path[depth + 1 :], value)
        if depth + 1 == len(path):
            return _replaced(text, name, child, value)
        node = child
    raise RecipeError("no key to be changed")


def _replaced(text: str, name: yaml.Node, value: yaml.Node, wanted: Any) -> str:
    start, end = value.start_mark.index, _end(value)
    if isinstance(value, yaml.CollectionNode) and not value.flow_style:  # it begins on a line of its own
        start = text.index(":", name.end_mark.index) + 1
    gap = " " if text[start - 1] == ":" else ""
    return text[:start] + gap + _written(wanted) + text[end:]


def _names(node: yaml.Node, key: str) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == key


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _filled(text: str, above: yaml.MappingNode, empty: yaml.Node, path: list[str], value: Any) -> str:
    """A key that stands there with nothing after it is given what it shall hold."""
    start, end = empty.start_mark.index, empty.end_mark.index
    if above.flow_style:
        gap = " " if text[start - 1] == ":" else ""
        return text[:start] + gap + _inline(path, value) + text[end:]
    head = text[:start].rstrip(" ") if end > start else text[:start]  # a null that is written out
    indent = " " * above.start_mark.column + _INDENT
    return _with_lines(head + text[end:], len(head), path, value, indent)


def _put_in(text: str, node: yaml.MappingNode, path: list[str], value: Any) -> str:
    """A new key behind the last one of a mapping."""
    if not node.flow_style:  # an anchor may stand before its first key
        return _with_lines(text, _end(node), path, value, " " * node.value[0][0].start_mark.column)
    place = _end(node.value[-1][1]) if node.value else text.index("{", node.start_mark.index) + 1
    comma = ", " if node.value else ""  # a comment may follow the last value
    return text[:place] + comma + _inline(path, value, bare=True) + text[place:]


def _with_lines(text: str, place: int, path: list[str], value: Any, indent: str) -> str:
    """Keys below each other, the value behind the last, on lines behind the one of a place."""
    after, newline = _line_end(text, place), "\r\n" if "\r\n" in text else "\n"
    before = text[:after]
    if before and not before.endswith("\n"):
        before += newline
    heads = [f"{indent}{_INDENT * depth}{key}:" for depth, key in enumerate(path)]
    return before + newline.join(heads) + f" {_written(value)}{newline}" + text[after:]


def _line_end(text: str, place: int) -> int:
    """Where the line after the one of a place begins; the place itself if a block of text ends there."""
    if place and text[place - 1] == "\n":
        return place
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


def _inline(path: list[str], value: Any, bare: bool = False) -> str:
    """Keys within each other in braces; ``bare`` leaves out the outermost pair."""
    told = _written(value)
    for depth in range(len(path) - 1, -1, -1):
        told = f"{path[depth]}: {told}" if bare and depth == 0 else f"{{{path[depth]}: {told}}}"
    return told


def _end(node: yaml.Node) -> int:
    """Where what a node says ends: a block's own mark lies behind the comments that follow it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _written(value: Any) -> str:
    """Plain data on one line of YAML."""
    options: dict[str, Any] = {"default_flow_style": True, "width": _WIDE, "sort_keys": False}
    text: str = yaml.safe_dump(value, allow_unicode=True, **options).removesuffix("\n").removesuffix("\n...")
    if any(character in text for character in _BREAKS):
        text = yaml.safe_dump(value, default_style='"', **options).removesuffix("\n")
    return text
