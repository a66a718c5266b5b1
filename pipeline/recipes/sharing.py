"""Which videos share a student, as a recipe says it: its section ``students``."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import model_validator

from spotlabel.labelers.base import Settings

Per = Literal["video", "camera", "dataset"]
DATASET = "dataset+all"
"""What all videos of a dataset belong to; no file that is named after a video holds a ``+``."""

_BETWEEN = "\0"
"""Between the parts of a camera's name: no video's name holds it, so two cameras never get one name."""


class StudentSharing(Settings):
    """Which videos share a student: the small network of the labelers that are taught (docs/learned.md)."""

    per: Per = "video"
    """One student for each video, for each camera, or one for all videos of the dataset that the same labeler
    labels. What is asked of the teacher (`teaching.boxes`) is asked of all videos that share one together."""
    camera: str | None = None
    """Regular expression that tells the camera in the name of a video, with `per: camera`: what its groups
    match, all of the match if it has none. `MVI_(\\d{3})` puts MVI_40191 and MVI_40201 together, and
    `([^/]+)/` the videos of a folder. A video in whose name it is not found, or finds nothing but an empty
    text, has a student of its own."""

    @model_validator(mode="after")
    def _tells_cameras(self) -> StudentSharing:
        if self.per == "camera" and self.camera is None:
            raise ValueError("per: camera needs camera, a regular expression that tells it in a video's name")
        try:
            re.compile(self.camera or "")
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"camera: no regular expression: {error}") from error
        return self

    def group_of(self, name: str) -> str | None:
        """What a video shares its student with; None where it has one of its own.

        Args:
            name: of the video.
        """
        if self.per == "dataset":
            return DATASET
        if self.per == "video" or not (found := re.search(self.camera or "", name)):
            return None
        parts = found.groups(default="") or (found.group(),)
        return f"camera+{_BETWEEN.join(parts)}" if any(parts) else None
