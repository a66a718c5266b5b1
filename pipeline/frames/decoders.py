"""Which libraries decode the frames of a source: another version of them may give other pixels.

What a labeler sees is what they make of the files, so their versions belong to what evidence depends on.
Masks are made of evidence alone and do not depend on them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

from spotlabel.pipeline.frames.jpeg import MAGIC as JPEG_MAGIC
from spotlabel.pipeline.hashing import DigestCache, canonical_json
from spotlabel.pipeline.inputs import open_input

JPEG_LIBRARY = "simplejpeg"
"""Distribution (with its libjpeg-turbo) that decodes JPEG files."""
OTHER_LIBRARY = "opencv-contrib-python"
"""Distribution that decodes all other image files."""
VIDEO_LIBRARY = "av"
"""Distribution (PyAV, with its FFmpeg) that decodes video files."""
LIBRARIES = (JPEG_LIBRARY, OTHER_LIBRARY, VIDEO_LIBRARY)


@runtime_checkable
class DecodedFrames(Protocol):
    """A source whose frames are decoded by libraries; rendered frames are not."""

    def decoders(self) -> list[str]:
        """Names of the distributions, sorted. May read every file's head."""


def frame_decoders(frames: object, digest: str, cache: DigestCache) -> tuple[str, ...]:
    """Distributions that decode the frames of a source; none if nothing is decoded.

    Args:
        frames: the source.
        digest: of the content of its files, by which the answer is remembered.
        cache: remembers it.
    """
    if not isinstance(frames, DecodedFrames):
        return ()
    return tuple(json.loads(cache.derived(digest, "decoders", lambda: canonical_json(frames.decoders()))))


def image_decoders(files: Iterable[Path]) -> list[str]:
    """Distributions that decode these image files, told from their first bytes as the decoder does.

    Files that cannot be read are decoded by none.
    """
    found = set()
    for path in files:
        try:
            with open_input(path) as file:
                head = file.read(len(JPEG_MAGIC))
        except OSError:
            continue
        found.add(JPEG_LIBRARY if head == JPEG_MAGIC else OTHER_LIBRARY)
    return sorted(found)
