"""Content hashes of input files, remembered so that an unchanged file is read only once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from spotlabel.pipeline.atomic import locked_partial
from spotlabel.pipeline.inputs import hashed_input, open_input
from spotlabel.pipeline.regular import regular_bytes

_LOG = logging.getLogger("spotlabel")
_RACY_SECONDS = 2.0
_FORMAT = 1
_ENTRY_LENGTH = 5


def file_digest(path: Path) -> str:
    """BLAKE2b-256 of a file's bytes, as hex; OSError if it cannot be read."""
    with open_input(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()


def text_digest(text: str) -> str:
    """BLAKE2b-256 of a text, as hex."""
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class DigestCache:
    """Remembers the digest of a file for as long as its inode, size, mtime and ctime stay the same.

    The content decides, never a date: a restored backup or a touched file has another ctime and is hashed
    again. ctime cannot be set by a program; a file changed within the last two seconds is not remembered,
    since a second change could fall into the same clock tick.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[object]] = _load(path)
        self._changed = False

    def digest(self, file: Path) -> str:
        """Digest of a file's bytes; OSError if it cannot be read."""
        hashed_input(file)
        return self.remembered(file, "content", file_digest)

    def remembered(self, file: Path, what: str, compute: Callable[[Path], str]) -> str:
        """A text that only a file's bytes decide, computed when it is not known yet.

        Args:
            file: the file.
            what: name of what is computed; a file may have several.
            compute: called with the file; whatever it raises goes through, and nothing is remembered.
        """
        key = f"{what}:{os.path.abspath(file)}"
        now = time.time()  # before the file is looked at: hashing may take long
        try:
            stat = file.stat()
        except OSError:
            return compute(file)
        signature = _signature(stat)
        known = self._known.get(key)
        if known is not None and known[:-1] == signature:
            return str(known[-1])
        digest = compute(file)
        if abs(now - stat.st_ctime) > _RACY_SECONDS:
            self._known[key] = [*signature, digest]
            self._changed = True
        return digest

    def forget(self, file: Path) -> None:
        """Forget all of a file that was written anew, or turned out to have other bytes than remembered."""
        place = f":{os.path.abspath(file)}"
        for key in [key for key in self._known if key.endswith(place)]:
            del self._known[key]
            self._changed = True

    def forget_all(self) -> None:
        """Take nothing for known: every file is read again."""
        self._known = {}

    def derived(self, digest: str, what: str, compute: Callable[[], str]) -> str:
        """A text that only content of a known digest decides, computed when it is not known yet.

        Args:
            digest: of all the content that decides it.
            what: name of what is computed.
            compute: whatever it raises goes through, and nothing is remembered.
        """
        key = f"{what}:{digest}"
        if key not in self._known:
            self._known[key] = [0, 0, 0, 0, compute()]
            self._changed = True
        return str(self._known[key][-1])

    def reread(self) -> None:
        """Take over what another process has learnt and saved since."""
        self._known = {**self._known, **_load(self._path)}

    def save(self) -> None:
        """Write what was learnt; a cache that cannot be written costs time, never correctness."""
        if not self._changed:
            return
        try:
            partial, descriptor = locked_partial(self._path)
            try:
                with os.fdopen(os.dup(descriptor), "w") as file:
                    json.dump({"format": _FORMAT, "files": self._known}, file)
                os.replace(partial, self._path)
            finally:
                partial.unlink(missing_ok=True)
                os.close(descriptor)
        except OSError as error:
            _tell_unsaved(self._path.parent, error.strerror or str(error))


@cache
def _tell_unsaved(folder: Path, reason: str) -> None:
    """Say once, not for every video of a folder, that digests are not remembered."""
    _LOG.warning("%s: digests are not remembered (%s); the next run hashes again", folder, reason)


@cache
def _tell_unread(folder: Path, reason: str) -> None:
    """Say once, not for every video of a folder, that what was remembered cannot be read."""
    _LOG.warning("%s: digests cannot be read (%s); hashing again", folder, reason)


def _signature(stat: os.stat_result) -> list[object]:
    """What changes with a file, as far as its folder tells."""
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _load(path: Path) -> dict[str, list[object]]:
    """What an earlier run remembered; anything unexpected counts as nothing."""
    try:
        data = json.loads(regular_bytes(path))
        if data["format"] != _FORMAT or not all(
            len(entry) == _ENTRY_LENGTH for entry in data["files"].values()
        ):
            return {}
        return dict(data["files"])
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        _tell_unread(path.parent, error.strerror or str(error))
        return {}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        _LOG.warning("%s: unreadable digest cache (%s); hashing again", path, error)
        return {}


def files_digest(files: Iterable[Path], identity: Mapping[str, object], cache: DigestCache) -> str:
    """One digest for a list of files and the facts that go with them.

    Args:
        files: in an order that matters; only names and contents count, not the folders they lie in.
        identity: JSON-able facts beside the bytes.
        cache: remembers single files.

    Returns:
        Hex digest.
    """
    hasher = hashlib.blake2b(canonical_json(identity).encode(), digest_size=32)
    for file in files:
        hasher.update(f"\n{file.name} {cache.digest(file)}".encode())
    return hasher.hexdigest()
