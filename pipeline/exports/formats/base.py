"""What a format is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from spotlabel.pipeline.exports.frame import ExportFrame
from spotlabel.pipeline.exports.staging import Staging
from spotlabel.pipeline.exports.video import Video


class Writer(Protocol):
    """Writes the annotations of one video, frame by frame."""

    def put(self, frame: ExportFrame) -> None:
        """The next exported frame."""

    def finish(self) -> list[str]:
        """After the last one; a line for everything that the format could not hold or a user should know."""


@dataclass(frozen=True)
class Part:
    """A whole video of an export.

    Attributes:
        name: the sequence's name: data.
        stem: what its files are called.
    """

    name: str
    stem: str


def nothing_in_common(_to: Path, _parts: Sequence[Part], _classes: tuple[str, ...]) -> None:
    """Every video stands alone."""


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: on the command line.
        writer: begins a video; writes into the folder of a :class:`Staging`.
        own: what belongs to one video alone, ``{}`` being its file name, in the order of its replacement.
        images: folder of a video's images.
        counted: what the image at a position, from 0, is called; None for the dataset's names.
        whole_videos: also frames of which nothing is known are exported, for the format is one of videos.
        common: files that all videos have in common.
        finish: writes those into the export's folder.
    """

    name: str
    writer: Callable[[Video, Staging], Writer]
    own: tuple[str, ...]
    images: str
    common: tuple[str, ...] = ()
    finish: Callable[[Path, Sequence[Part], tuple[str, ...]], None] = nothing_in_common
    counted: Callable[[int], str] | None = None
    whole_videos: bool = False

    def own_of(self, stem: str) -> list[str]:
        """What belongs to a video alone."""
        return [top.format(stem) for top in self.own]
