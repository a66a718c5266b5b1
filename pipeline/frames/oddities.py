"""What is odd about image files that can be used all the same, told once for all of a source."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from spotlabel.pipeline.frames.decode import Decoded
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.frames.orientation import AS_STORED, TURNS

logger = logging.getLogger("spotlabel")


class Oddities:
    """Warnings about the images of one source, one of each kind with the number of images."""

    def __init__(self, options: FrameOptions) -> None:
        self._options = options
        self._found: dict[str, set[int]] = {}
        self._told: set[str] = set()

    def note(self, index: int, decoded: Decoded) -> None:
        """Remember what is odd about the image at a position; threads may do so at a time."""
        for kind in (self._of_tag(decoded.tag), decoded.oddity and self._of_end(decoded.oddity)):
            if kind:
                self._found.setdefault(kind, set()).add(index)

    def tell(self, file_at: Callable[[int], Path]) -> None:
        """Warn of what has not been told yet; to be called when every image has been seen.

        Args:
            file_at: gives the image file of a position.
        """
        for kind, indices in sorted(self._found.items()):
            if kind not in self._told:
                self._told.add(kind)
                others = f" and {len(indices) - 1} more" if len(indices) > 1 else ""
                logger.warning("%s%s: %s", file_at(min(indices)), others, kind)

    def _of_tag(self, tag: int) -> str:
        if tag == AS_STORED:
            return ""
        if tag not in TURNS:
            return f"the EXIF orientation is {tag}, expected 1 to 8; taken as stored"
        if self._options.orientation == "upright":
            return f"{TURNS[tag]}, as EXIF orientation {tag} says (frames.orientation=stored leaves it)"
        return f"EXIF orientation {tag} is not followed (frames.orientation=upright shows it {TURNS[tag]})"

    def _of_end(self, oddity: str) -> str:
        return f"{oddity}, but every pixel is there; used (frames.odd_ends=fail refuses it)"
