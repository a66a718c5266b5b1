"""Compilation of the hot loops by numba."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile on first call, without GIL; cached on disk where the cache can be written."""
    try:
        return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError as error:  # numba found no folder it may write to
        logging.getLogger(__name__).warning("%s is not cached: %s", function.__name__, error)
        return cast(F, numba.njit(nogil=True, error_model="numpy")(function))
