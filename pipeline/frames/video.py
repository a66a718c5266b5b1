"""Frames of a video file, decoded one at a time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.errors import DatasetError, FrameError
from spotlabel.pipeline.frames.decode import DECODER_VERSION
from spotlabel.pipeline.frames.decoders import VIDEO_LIBRARY
from spotlabel.pipeline.frames.irregular import Findings
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.frames.orientation import AS_STORED, TURNS, upright
from spotlabel.pipeline.frames.shape import Shape, wide
from spotlabel.pipeline.frames.video_decoder import decoded_frames, header_facts
from spotlabel.pipeline.frames.video_facts import VideoFacts, check_video, first_orientation
from spotlabel.pipeline.sequence import Image

logger = logging.getLogger("spotlabel")


class VideoFile:
    """Frames of a video file; implements :class:`spotlabel.pipeline.sequence.FrameSource`.

    A frame's position is its rank in the order in which the decoder shows frames: packet counts and time
    stamps of real files lie. The frames are counted, and the whole file checked, by one decoding pass when
    the first fact is asked for; the result is remembered and pickled along. Frames are converted to 8 bits
    BGR by FFmpeg (which also scales 10-bit video), and turned as the display matrix of the first frame says;
    pixels that are not square are told and stay as they are. What else is irregular, but no damage, is told
    with the first fact.

    A damaged or truncated video is refused as a whole with :class:`DatasetError`: a decoder may lose frames
    at a damaged place, after which no frame number could be trusted. One frame of another size than the
    first is a :class:`FrameError` of its own, as in image folders.

    Not safe to share between threads, but for :meth:`stream`, of which there may be several; memory holds
    one frame each, however long the video.
    """

    def __init__(self, path: Path, options: FrameOptions, first_number: int = 1) -> None:
        """Remember the file; nothing is opened.

        Args:
            path: the video file.
            options: how to decode.
            first_number: number of the first frame in the dataset's own numbering.
        """
        self._path = path
        self._options = options
        self._first = first_number
        self._facts: VideoFacts | None = None
        self._cursor: _Cursor | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_cursor": None}

    def __len__(self) -> int:
        return self._checked().count

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame, as :attr:`orientation` says."""
        return self.shape().size

    def shape(self) -> Shape:
        """Sizes of the first frame as stored, as seen and as shown."""
        return self._checked().shape

    @property
    def orientation(self) -> str:
        """Whether the display matrix is followed."""
        return self._options.orientation

    def tags(self) -> dict[str, object]:
        """What following the display matrix changes; decodes the first frame."""
        if self.orientation == "stored":  # as videos were once read
            return {}
        tag = self._facts.shape.tag if self._facts else first_orientation(self._path, self._options)
        return {} if tag == AS_STORED else {"orientation": self.orientation}

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Frame numbers, int64 (T,)."""
        return self._first + np.arange(len(self), dtype=np.int64)

    @property
    def step(self) -> int:
        """Always 1."""
        return 1

    def files(self) -> list[Path]:
        """The video file."""
        return [self._path]

    def identity(self) -> dict[str, object]:
        """Numbering, decoding rules, decoder (FFmpeg comes with PyAV); JSON-able, without paths.

        The number of frames follows from these and the file, and counting them takes a decoding pass.
        """
        return {
            "source": "video",
            "first": self._first,
            "grey": self._options.grey,
            "decoder": DECODER_VERSION,
            VIDEO_LIBRARY: av.__version__,
            **self._options.beyond_default("null_frames", "cut_end"),
        }

    def decoders(self) -> list[str]:
        """The distribution that decodes the video."""
        return [VIDEO_LIBRARY]

    def read(self, index: int) -> Image:
        """Frame at a position: uint8 (H, W, 3), BGR; exactly the one :meth:`stream` yields there.

        Going forward continues decoding where the last call stopped; going back starts again at the first
        frame, because the time stamps that seeking needs are not reliable.

        Raises:
            DatasetError: the video cannot be used.
            FrameError: the frame has another size than the first.
            IndexError: no such position.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"position {index} of {len(self)} frames")
        cursor = self._cursor
        if cursor is None or cursor.position > index or cursor.pid != os.getpid():
            cursor = self._cursor = _Cursor(self._frames())
        frame = cursor.advance(index)
        if frame is None:
            raise self._changed(cursor.position)
        return self._to_bgr(frame, index)

    def stream(self, every: int = 1) -> Iterator[Image | FrameError]:
        """Every n-th frame in order, a :class:`FrameError` in place of one of another size.

        All are decoded, for each rests on those before; the others are not converted.

        Raises:
            DatasetError: the video cannot be used.
        """
        expected, count = len(self), 0
        for frame in self._frames():
            if count % every == 0:
                yield self._bgr_or_error(frame, count)
            count += 1
        if count != expected:
            raise self._changed(count)

    def glance(self) -> tuple[int, tuple[int, int]]:
        """About how many frames, of which height and width: what the header claims, no frame is decoded.

        The same wherever and whenever it is asked; a file whose header does not say is counted after all.

        Raises:
            DatasetError: the video cannot be used.
        """
        frames, size = header_facts(self._path)
        return (frames, size) if frames and all(size) else (len(self), self.size)

    def _checked(self) -> VideoFacts:
        if self._facts is None:
            facts = check_video(self._path, self._options)
            if facts.grey and self._options.grey == "refuse":
                problem = f"expected colour video, got grey ({facts.pixel_format})"
                raise DatasetError.at(self._path, "", problem, "or set frames.grey=convert")
            self._facts = facts
            for remark in _remarks(facts, self._options):
                logger.warning("%s: %s", self._path, remark)
        return self._facts

    def _frames(self) -> Iterator[av.VideoFrame]:
        return decoded_frames(self._path, self._options, Findings())

    def _changed(self, count: int) -> DatasetError:
        problem = f"decoded {count} frames where {len(self)} were counted before"
        return DatasetError.at(self._path, "", problem, "did the file change?")

    def _bgr_or_error(self, frame: av.VideoFrame, index: int) -> Image | FrameError:
        try:
            return self._to_bgr(frame, index)
        except FrameError as error:
            return error

    def _to_bgr(self, frame: av.VideoFrame, index: int) -> Image:
        size, shape = (frame.height, frame.width), self.shape()
        if size != shape.stored:
            (height, width), number = shape.stored, self._first + index
            problem = f"expected height x width {height} x {width}, got {size[0]} x {size[1]}"
            raise FrameError(f"{self._path}: frame {number}: {problem}")
        image = np.ascontiguousarray(frame.to_ndarray(format="bgr24"), np.uint8)
        return upright(image, shape.tag) if self.orientation == "upright" else image


def _remarks(facts: VideoFacts, options: FrameOptions) -> Iterator[str]:
    """What people have to know of a video that can be used all the same."""
    shape, findings = facts.shape, facts.findings
    if shape.tag != AS_STORED and options.orientation == "upright":
        yield (
            f"frames of {wide(shape.stored)} are {TURNS[shape.tag]} into {wide(shape.size)}, "
            "as the display matrix says (frames.orientation=stored leaves them)"
        )
    elif shape.tag != AS_STORED:
        yield f"the display matrix wants frames {TURNS[shape.tag]}; not followed (frames.orientation)"
    if findings.angle:
        yield "the display matrix turns by an angle that is not a multiple of 90 degrees; not followed"
    if shape.shown != shape.size:
        yield (
            f"pixels are not square ({shape.pixel}): frames have {wide(shape.size)} pixels and are shown as "
            f"{wide(shape.shown)}; boxes have to be in {wide(shape.size)}"
        )
    if findings.repeated:
        yield (
            f"{findings.repeated} of {facts.count} frames hold no data and repeat the one before "
            "(frames.null_frames=drop leaves them out)"
        )
    if findings.left_out:
        yield f"{findings.left_out} frames hold no data and are not numbered (frames.null_frames)"
    if findings.cut:
        yield (
            f"the stream ends in the middle of a frame; the first {facts.count} frames are used "
            "(frames.cut_end=fail refuses it)"
        )


class _Cursor:
    """A decoder part way through a video, usable in the process that opened it."""

    def __init__(self, frames: Iterator[av.VideoFrame]) -> None:
        self._frames = frames
        self.position = 0
        self.pid = os.getpid()

    def advance(self, index: int) -> av.VideoFrame | None:
        """Decode up to the frame at ``index`` and return it; None if the video ends before."""
        for frame in self._frames:
            self.position += 1
            if self.position > index:
                return frame
        return None
