"""Labeler ``filled-box``: everything is foreground, so that a mask is the union of its boxes.

The baseline that every other labeler has to beat: what the boxes alone say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from spotlabel.labelers.base import Clip, Evidence, EvidenceKind, Settings


class FilledBoxSettings(Settings):
    """The labeler ``filled-box`` has no settings."""


class FilledBox:
    """Foreground everywhere; the mask stage cuts it to the boxes."""

    name: ClassVar[str] = "filled-box"
    version: ClassVar[int] = 1
    kind: ClassVar[EvidenceKind] = EvidenceKind.BINARY
    neutral: ClassVar[int] = 0
    uses_boxes: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()
    settings_type: ClassVar[type[Settings]] = FilledBoxSettings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def label(self, clip: Clip) -> Iterator[Evidence]:
        """Yield true everywhere for every frame."""
        everything = np.ones(clip.size, np.bool_)
        for _ in clip:
            yield Evidence(everything)
