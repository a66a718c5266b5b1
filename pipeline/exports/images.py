"""The images of exported frames: what they are called, and how they come into the export."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2

from spotlabel.pipeline.errors import ExportError, FrameError
from spotlabel.pipeline.exports.staging import Staging
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.frames.decode import valid
from spotlabel.pipeline.frames.exif import orientation_tag
from spotlabel.pipeline.frames.orientation import AS_STORED
from spotlabel.pipeline.inputs import open_input, read_input
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.sequence import FrameSource, Sequence
from spotlabel.pipeline.store import FrameState

QUALITY = 95
"""Of JPEG images that are made of the frames of a video."""
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")
MADE_SUFFIX = ".jpg"


class Images:
    """Images of one sequence.

    Args:
        sequence: it.
        counted: how the format calls the image at a position, from 0; None for the names that images have.
    """

    def __init__(self, sequence: Sequence, counted: Callable[[int], str] | None = None) -> None:
        self._frames: FrameSource = sequence.frames
        self._name = sequence.name
        self._counted = counted
        self._files = _files(sequence.frames)
        self._lost = 0

    def name(self, index: int) -> str:
        """Name of a frame's image in the export.

        An image file keeps its name if that is a plain one. A frame of a video is called by its number, with
        six digits.
        """
        file = self._files.get(index)
        suffix = file.suffix if file and _SUFFIX.fullmatch(file.suffix) else MADE_SUFFIX
        if self._counted:
            return self._counted(index) + suffix
        stem = file_stem(file.stem) if file else f"{int(self._frames.numbers[index]):06}"
        return stem + suffix

    def check(self, images: str) -> None:
        """Refuse what cannot be done.

        Raises:
            ExportError: links to frames that have no files of their own, or whose files are turned.
        """
        if images != "link":
            return
        if not self._files:
            raise ExportError(f"{self._name}: its frames are no image files to link to; use --images copy")
        if any(map(_turned, self._files.values())):
            raise ExportError(
                f"{self._name}: images are stored in another orientation than they are seen and labelled "
                "in, which not every tool follows; use --images copy, which writes them as they are labelled"
            )

    def put(
        self, index: int, images: str, stage: Staging, name: str, state: FrameState = FrameState.OK
    ) -> None:
        """Bring a frame's image into the export; one of which nothing is known may be lacking.

        Raises:
            ExportError: it cannot be read or made.
        """
        if images == "none":
            return
        file = self._files.get(index)
        if state in (FrameState.MISSING, FrameState.UNREADABLE) or (images == "link" and file is None):
            self._lost += 1
            return
        if images == "link":
            assert file is not None
            stage.link(name, file)
            return
        try:
            content = self._content(index, file)
        except ExportError:
            if state == FrameState.OK:
                raise
            self._lost += 1
            return
        stage.write(name, content)

    def remarks(self) -> list[str]:
        """How many frames have no image, in words."""
        return [f"{self._lost} frames that cannot be read have no image"] if self._lost else []

    def _content(self, index: int, file: Path | None) -> bytes:
        try:
            if file is not None and not _turned(file):
                return read_input(file)
            image = self._frames.read(index)
        except (FrameError, OSError) as error:
            raise ExportError(f"{self._name}: an image to copy cannot be read: {error}") from error
        suffix = file.suffix if file else MADE_SUFFIX
        done, content = cv2.imencode(suffix, image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not done:
            raise ExportError(
                f"{self._name}: frame {self._frames.numbers[index]} cannot be written as {suffix}"
            )
        return content.tobytes()


def _turned(path: Path) -> bool:
    """Whether an image file says that it is to be seen another way than it is stored."""
    try:
        with open_input(path) as file:
            return valid(orientation_tag(file) or AS_STORED) != AS_STORED
    except OSError:  # whoever reads it will say so
        return False


def _files(frames: FrameSource) -> dict[int, Path]:
    """The image file at every position that has one; empty for videos and rendered scenes."""
    if not isinstance(frames, ImageFolder):
        return {}
    missing = frames.identity()["missing"]
    assert isinstance(missing, list)
    gone = set(missing)
    there = [index for index, number in enumerate(frames.numbers.tolist()) if number not in gone]
    return dict(zip(there, frames.files(), strict=True))
