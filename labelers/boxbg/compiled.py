"""Compilation of the hot loops by numba."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile on first call, without GIL; cached on disk where the cache can be written."""
    options = {"nogil": True, "error_model": "numpy"}
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    except RuntimeError as error:  # numba found no folder it may write to
        logging.getLogger(__name__).warning("%s is not cached: %s", function.__name__, error)
        return cast(F, numba.njit(**options)(function))
    # numba renews cached code when the function's own file changes, but what it calls lies in other files too
    dispatcher._cache._cache_file._source_stamp = _SOURCES
    return cast(F, dispatcher)


def _sources() -> str:
    """Digest of the package's source files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_SOURCES = _sources()
