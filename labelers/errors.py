"""The error of the labelers, and the text of errors about names and settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import ValidationError


class LabelerError(ValueError):
    """Something a user can put right: one line that says what was expected and what to do."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice for a misspelt name: the nearest known one if any is near, and all known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"{guess}(known: {', '.join(names)})"


def unknown_name(what: str, name: str, known: Iterable[str]) -> LabelerError:
    """Build the error for a name that does not exist, with the nearest one that does.

    Args:
        what: what was looked up, for example ``"labeler"``.
        name: the name that was asked for.
        known: the names that exist.
    """
    return LabelerError(f"unknown {what} {name!r}; {nearest(name, known)}")


def invalid_settings(what: str, error: ValidationError) -> LabelerError:
    """Put a pydantic error into one line, each problem with its field.

    Args:
        what: whose settings they are, for example ``"mask settings"``.
        error: the error of the model's validation.
    """
    problems = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        text = item["msg"].removeprefix("Value error, ")
        problems.append(f"{field}: {text}, got {item['input']!r}" if field else text)
    return LabelerError(f"{what}: {'; '.join(problems)}")
