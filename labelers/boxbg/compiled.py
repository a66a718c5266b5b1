"""Compilation of the hot loops by numba."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from spotlabel.labelers.compiling import compile_cached, sources_digest

F = TypeVar("F", bound=Callable[..., Any])

COMPILED: list[Any] = []
"""Every compiled function of the labeler."""
_SOURCES = sources_digest(Path(__file__).parent)


def compiled(function: F) -> F:
    """Compile on first call; see :func:`spotlabel.labelers.compiling.compile_cached`."""
    dispatcher = compile_cached(function, _SOURCES)
    COMPILED.append(dispatcher)
    return dispatcher
