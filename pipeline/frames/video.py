"""Frames of a video file, decoded one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags

from pipeline.datasets.base import FrameOptions
from pipeline.errors import DatasetError, FrameError
from pipeline.frames.container import missing_bytes
from pipeline.frames.decode import DECODER_VERSION
from pipeline.sequence import Image

# Only local files of real video containers: a text file can otherwise pass for a playlist that opens others.
_FORMATS = "avi,mov,matroska,mpegts,mpeg,mpegvideo,m4v,h264,hevc,asf,flv,ogg,ivf,mjpeg,mxf,dv,yuv4mpegpipe"
_OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
_REPAIR = "repair or re-encode it, or extract its frames into a folder"


class VideoFile:
    """Frames of a video file; implements :class:`pipeline.sequence.FrameSource`.

    A frame's position is its rank in the order in which the decoder shows frames: packet counts and time
    stamps of real files lie. The frames are counted, and the whole file checked, by one decoding pass when
    the first fact is asked for; the result is remembered and pickled along. Frames are converted to 8 bits
    BGR by FFmpeg (which also scales 10-bit video); rotation tags are not followed.

    A damaged or truncated video is refused as a whole with :class:`DatasetError`: a decoder may lose frames
    at a damaged place, after which no frame number could be trusted. One frame of another size than the
    first is a :class:`FrameError` of its own, as in image folders.

    Not safe to share between threads; memory holds one frame, however long the video.
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
        self._facts: tuple[int, tuple[int, int]] | None = None
        self._cursor: _Cursor | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_cursor": None}

    def __len__(self) -> int:
        return self._checked()[0]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame."""
        return self._checked()[1]

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
        """Numbering, decoding rules, decoder (FFmpeg comes with PyAV); JSON-able, without paths."""
        return {
            "source": "video",
            "first": self._first,
            "last": self._first + len(self) - 1,
            "step": 1,
            "missing": [],
            "grey": self._options.grey,
            "decoder": DECODER_VERSION,
            "av": av.__version__,
        }

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
            cursor = self._cursor = _Cursor(self._decoded())
        return self._to_bgr(cursor.advance(index), index)

    def stream(self) -> Iterator[Image | FrameError]:
        """All frames in order, a :class:`FrameError` in place of one of another size.

        Raises:
            DatasetError: the video cannot be used.
        """
        expected = len(self)
        count = 0
        for frame in self._decoded():
            try:
                yield self._to_bgr(frame, count)
            except FrameError as error:
                yield error
            count += 1
        if count != expected:
            problem = f"decoded {count} frames where {expected} were counted before"
            raise DatasetError.at(self._path, "", problem, "did the file change?")

    def _checked(self) -> tuple[int, tuple[int, int]]:
        """Number of frames and size (height, width), by decoding the file once."""
        if self._facts is None:
            count, size = 0, (0, 0)
            for frame in self._decoded():
                if count == 0:
                    size = (frame.height, frame.width)
                    self._check_grey(frame)
                count += 1
            if count == 0:
                raise DatasetError.at(self._path, "", "the video has no frame")
            self._facts = (count, size)
        return self._facts

    def _check_grey(self, frame: av.VideoFrame) -> None:
        if self._options.grey == "refuse" and len(frame.format.components) == 1:
            problem = f"expected colour video, got grey ({frame.format.name})"
            raise DatasetError.at(self._path, "", problem, "or set frames.grey=convert")

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Frames in presentation order; DatasetError at the first sign of damage."""
        count = 0
        with self._opened() as (container, stream):
            for packet in container.demux(stream):
                frames = [] if packet.is_corrupt else self._decode(packet, count)
                if packet.is_corrupt or any(frame.is_corrupt for frame in frames):
                    raise self._damaged(count, "damaged data")
                yield from frames
                count += len(frames)

    def _decode(self, packet: av.Packet[av.VideoStream], count: int) -> list[av.VideoFrame]:
        try:
            return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
        except av.error.FFmpegError as error:
            raise self._damaged(count, error.strerror or str(error)) from error

    def _damaged(self, count: int, reason: str) -> DatasetError:
        where = f"after frame {self._first + count - 1}" if count else "at the first frame"
        return DatasetError.at(self._path, where, f"cannot be decoded: {reason}", _REPAIR)

    @contextmanager
    def _opened(self) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
        self._check_whole()
        try:
            # An absolute path cannot be taken for a protocol ("concat:...").
            with av.open(str(self._path.absolute()), options=_OPEN_OPTIONS) as container:
                stream = container.streams.best("video")
                if not isinstance(stream, av.VideoStream):
                    raise DatasetError.at(self._path, "", "the file has no video stream")
                context = stream.codec_context
                # Damaged frames are to be errors or to be marked, not to be left out of the count.
                context.flags |= Flags.output_corrupt
                context.options = {"err_detect": "explode"}
                yield container, stream
        except av.error.FFmpegError as error:
            problem = f"not a readable video file: {error.strerror or error}"
            raise DatasetError.at(self._path, "", problem) from error

    def _check_whole(self) -> None:
        try:
            missing = missing_bytes(self._path)
        except OSError as error:
            raise DatasetError.at(self._path, "", f"cannot be read: {error.strerror}") from error
        if missing:
            problem = f"truncated: the file ends {missing} bytes before its container says it should"
            raise DatasetError.at(self._path, "", problem, "copy it again, or re-encode what there is")

    def _to_bgr(self, frame: av.VideoFrame, index: int) -> Image:
        size = (frame.height, frame.width)
        if size != self.size:
            number = self._first + index
            problem = f"expected height x width {self.size[0]} x {self.size[1]}, got {size[0]} x {size[1]}"
            raise FrameError(f"{self._path}: frame {number}: {problem}")
        return np.ascontiguousarray(frame.to_ndarray(format="bgr24"), np.uint8)


class _Cursor:
    """A decoder part way through a video, usable in the process that opened it."""

    def __init__(self, frames: Iterator[av.VideoFrame]) -> None:
        self._frames = frames
        self.position = 0
        self.pid = os.getpid()

    def advance(self, index: int) -> av.VideoFrame:
        """Decode up to the frame at ``index`` and return it."""
        while True:
            frame = next(self._frames)
            self.position += 1
            if self.position > index:
                return frame
