"""How work tells how far it has come: callbacks, one for each level at which work is counted."""

from __future__ import annotations

from collections.abc import Callable

FrameProgress = Callable[[int, int], None]
"""Of one stage of one video: called with frames done and frames in all."""
StageProgress = Callable[[str, int, int], None]
"""Of one video: called with the stage's name, frames done and frames in all."""
VideoProgress = Callable[[str, str, int, int], None]
"""Of a run: called with the sequence's name, the stage's name, frames done and frames in all."""
