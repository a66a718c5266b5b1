"""Compiled code on disk, for numba: checked against a digest before it runs, and never needed."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

_DIGEST_BYTES = 32
_FULL = (errno.ENOSPC, errno.EDQUOT)
_log = logging.getLogger("spotlabel")


class CheckedCache(FunctionCache):  # type: ignore[misc]
    """numba's cache of one function, with three differences.

    Damaged files are compiled anew and replaced, where numba would raise what unpickling raises, or run
    damaged code. A file that cannot be read or written costs time, nothing else. Both are told in one line a
    process.
    """

    def __init__(self, function: Callable[..., Any], sources: str) -> None:
        """Find a folder for the cache.

        Args:
            function: what is compiled.
            sources: stands for all sources it depends on; code of other ones is not used.

        Raises:
            RuntimeError: there is no folder that can be written.
        """
        super().__init__(function)
        # Under another name than numba's own files, which have no digest.
        name = f"{self._impl.filename_base}.checked"
        self._cache_file = _CheckedFiles(self._cache_path, name, sources)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Compiled code of a signature; None if there is none that can be used."""
        try:
            return super().load_overload(sig, target_context)
        # Reading is unpickling, which may raise anything.
        except Exception as error:
            tell_damage(self._cache_path, error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code for the next process, if that can be done."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            tell_unkept(self._cache_path, error)


class _CheckedFiles(IndexDataCacheFile):  # type: ignore[misc]
    """Index and code of one function; every file starts with the BLAKE2b-256 of what follows."""

    def _load_index(self) -> dict[Any, str]:
        try:
            version, stamp, overloads = self._read(self._index_path)
        except FileNotFoundError:
            return {}
        except Exception as error:  # it must not stop a new one from being written
            tell_damage(self._cache_path, error)
            return {}
        fresh = (version, stamp) == (self._version, self._source_stamp)
        return dict(overloads) if fresh else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        content = Path(path).read_bytes()
        digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if _digest(body) != digest:
            raise ValueError(f"{os.path.basename(path)} is not what was written")
        return pickle.loads(body)  # code that this user compiled, as numba itself reads it

    def _write(self, path: str, content: Any) -> None:
        body = self._dump(content)
        with self._open_for_write(path) as file:
            file.write(_digest(body) + body)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()


def tell_damage(folder: str, error: Exception) -> None:
    """Say, once in a process, that compiled code in ``folder`` cannot be used."""
    _tell(f"{folder}: compiled code there cannot be used, it is compiled anew", _reason(error))


def tell_unkept(folder: str, error: Exception) -> None:
    """Say, once in a process, that compiled code cannot be kept in ``folder``."""
    full = isinstance(error, OSError) and error.errno in _FULL
    room = f", {shutil.disk_usage(folder).free} bytes free" if full else ""
    advice = "NUMBA_CACHE_DIR may name another folder"
    _tell(
        f"{folder}: compiled code cannot be kept, every process compiles anew; {advice}",
        _reason(error) + room,
    )


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


_told: set[str] = set()


def _tell(what: str, reason: str) -> None:
    if what not in _told:
        _told.add(what)
        _log.warning("%s (%s)", what, reason)
