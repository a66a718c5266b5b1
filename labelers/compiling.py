"""Compilation by numba, cached on disk, for every labeler that has hot loops."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from spotlabel.labelers.compile_cache import CheckedCache, tell_unkept

F = TypeVar("F", bound=Callable[..., Any])


def compile_cached(function: F, sources: str, **options: Any) -> F:
    """Compile a function on first call; without GIL, cached on disk, IEEE division, no reordering of sums.

    The cache lies beside the source or, where that is read-only, in the user's cache folder or in
    ``NUMBA_CACHE_DIR``. It is never needed: where none can be written every process compiles anew, damaged
    code is compiled again, and the log says so; see :class:`spotlabel.labelers.compile_cache.CheckedCache`.

    Args:
        function: a function that numba can compile in nopython mode.
        sources: digest of all sources that the function may call, see :func:`sources_digest`. numba renews
            cached code when the function's own file changes, but inlined code and constants come from other
            files too.
        options: further options of ``numba.njit``.

    Returns:
        The compiled function, typed as the original.
    """
    options = {"nogil": True, "error_model": "numpy", **options}
    dispatcher = numba.njit(**options)(function)
    try:
        dispatcher._cache = CheckedCache(function, sources)
    except (RuntimeError, OSError) as error:  # numba found no folder it may write to
        tell_unkept(str(Path(inspect.getfile(function)).parent), error)
    return cast(F, dispatcher)


def is_cached(dispatcher: Any) -> bool:
    """Whether code of the present sources lies in the cache for a function of :func:`compile_cached`."""
    file = getattr(dispatcher._cache, "_cache_file", None)
    return file is not None and bool(file._load_index())


def sources_digest(*folders: Path) -> str:
    """Digest of the Python files of packages, of all packages below them, and of this file.

    Args:
        folders: the packages from which compiled functions take other compiled functions or constants.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes())  # the options of compilation
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            name, content = path.relative_to(folder).as_posix().encode(), path.read_bytes()
            digest.update(b"%d %s %d\n%s" % (len(name), name, len(content), content))
    return digest.hexdigest()
