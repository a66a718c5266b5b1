"""All kinds of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module

from benchmarks.fuzz.kind import Kind

_MODULES = ("annotations", "stores", "recipes", "checkpoints", "exports")
"""Imported when one of their kinds is asked for: a child that reads boxes needs no torch."""


def kinds() -> Iterator[Kind]:
    """One after the other."""
    for module in _MODULES:
        yield from import_module(f"benchmarks.fuzz.{module}").KINDS


def kind_of(name: str) -> Kind:
    """A kind by its name; StopIteration if there is none."""
    return next(kind for kind in kinds() if kind.name == name)


def shares(inputs: int, chosen: Sequence[Kind]) -> dict[str, int]:
    """How many inputs each kind gets, one at least; together ``inputs`` or a few more."""
    whole = sum(kind.share for kind in chosen)
    return {kind.name: max(1, -int(-inputs * kind.share // whole)) for kind in chosen}
