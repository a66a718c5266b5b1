"""One digest of all that decides the frames of a source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.hashing import DigestCache, canonical_json, files_digest


class FrameFiles(Protocol):
    """What a digest needs of a source of frames."""

    def files(self) -> list[Path]:
        """Every file whose bytes decide the frames, in frame order."""

    def identity(self) -> Mapping[str, object]:
        """JSON-able facts beside the files' bytes that decide the frames."""


@runtime_checkable
class Tagged(Protocol):
    """A source whose files may say how their pictures are to be seen."""

    @property
    def orientation(self) -> str:
        """Whether the tags are followed: ``upright`` or ``stored``."""

    def tags(self) -> dict[str, object]:
        """What following the tags, or not, changes; empty if it changes nothing. May read every file's head.

        Raises:
            SpotlabelError: a file cannot be used.
        """


def frames_digest(frames: FrameFiles, cache: DigestCache) -> str:
    """Digest of the files and of how they are read.

    How pictures are turned counts only where a tag asks for it, so that files without one have the digest
    that they always had. The tags are part of the files: what they come to is remembered by content.

    Raises:
        OSError: a file cannot be read.
    """
    files, identity = frames.files(), frames.identity()
    digest = files_digest(files, identity, cache)
    if not isinstance(frames, Tagged):
        return digest
    try:
        found = cache.derived(digest, f"tags {frames.orientation}", lambda: canonical_json(frames.tags()))
    except SpotlabelError:  # whoever reads the frames will say so
        return digest
    tags = json.loads(found)
    return files_digest(files, {**identity, **tags}, cache) if tags else digest
