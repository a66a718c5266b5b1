"""One warning for all frames that a labeler could not treat as the others, with their number."""

from __future__ import annotations

import logging

_log = logging.getLogger("spotlabel")

CAMERA_MOTION_UNKNOWN = "the background outside the boxes did not tell the camera's motion"
"""What is said of frames without an estimate of the camera's motion."""


class Tally:
    """Counts the frames of which something is to be said.

    Args:
        what: what is true of these frames.
        consequence: what was done about it.
    """

    def __init__(self, what: str, consequence: str) -> None:
        self._what, self._consequence = what, consequence
        self._frames, self._hits, self._first = 0, 0, 0

    def count(self, number: int, hit: bool) -> None:
        """Take note of a frame, by its number."""
        self._frames += 1
        if hit:
            self._first = self._first if self._hits else number
            self._hits += 1

    def report(self, labeler: str) -> None:
        """Warn if there were any."""
        if self._hits:
            _log.warning(
                "%s: %s in %d of %d frames (first: %d); %s",
                labeler,
                self._what,
                self._hits,
                self._frames,
                self._first,
                self._consequence,
            )
