"""Videos that share a student: it depends on all of them, and so does what it says of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlabel.pipeline.datasets.base import ReaderOptions
from spotlabel.pipeline.hashing import DigestCache, canonical_json, text_digest
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.upkeep.freshness import SHARED, video_fingerprint

_remembered: ContextVar[dict[Path, dict[str, Any]] | None] = ContextVar("remembered", default=None)


@dataclass(frozen=True)
class Member:
    """One of the videos.

    Attributes:
        video: the sequence.
        cache: remembered digests of its files.
    """

    video: Sequence
    cache: DigestCache


@dataclass(frozen=True)
class Group:
    """All videos that share one student.

    Attributes:
        path: where the student stands or will stand.
        members: in the order of their names; a video that cannot be used is not among them.
    """

    path: Path
    members: tuple[Member, ...]

    def fingerprint(self, options: ReaderOptions) -> dict[str, Any]:
        """What the student depends on beside labeler, settings and files: the digest of each video.

        Raises:
            OSError: a file of one cannot be read.
        """
        known = _remembered.get()
        if known is not None and self.path in known:
            return known[self.path]
        digests = {
            member.video.name: text_digest(
                canonical_json(video_fingerprint(member.video, options, member.cache, with_boxes=True))
            )
            for member in self.members
        }
        if known is not None:
            known[self.path] = {SHARED: digests}
        return {SHARED: digests}

    def save(self) -> None:
        """Write down what was learnt of the files."""
        for member in self.members:
            member.cache.save()


@contextmanager
def looked_at_once() -> Iterator[None]:
    """Inside, the files of a group are compared once, not again for every video of it.

    For one look at many videos: what changes meanwhile counts for the next look.
    """
    token = _remembered.set({})
    try:
        yield
    finally:
        _remembered.reset(token)
