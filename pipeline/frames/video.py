"""Frames of a video file, decoded by PyAV (FFmpeg), streaming."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer

from pipeline.datasets.base import FrameOptions
from pipeline.errors import DatasetError, FrameError
from pipeline.sequence import Image

VIDEO_RULES_VERSION = 1
"""Rises when the same file would give other frames."""

# FFmpeg's remarks go to standard error from any thread; what matters comes back as an exception.
av.logging.set_level(av.logging.PANIC)


class VideoFile:
    """Frames of one video file; a :class:`pipeline.sequence.FrameSource`.

    A frame's position is its place in the order of presentation among the frames that decode: packet counts
    and container headers lie. Where a packet does not decode, all later frames would carry a wrong number, so
    such a file is refused as a whole rather than shifted in silence.

    Args:
        path: the file.
        options: how frames are decoded (nothing applies to video files yet but the policy for bad frames).
        first_number: number of the first frame in the dataset's counting.
    """

    step = 1

    def __init__(self, path: Path, options: FrameOptions, first_number: int = 1) -> None:
        self._path = path
        self._options = options
        self._first = first_number

    @cached_property
    def _shape(self) -> tuple[int, int, int]:
        """Number of frames, height, width: one pass over the whole file, remembered."""
        count, height, width = 0, 0, 0
        for frame in self._decode():
            if not count:
                height, width = frame.height, frame.width
            count += 1
        if not count:
            raise DatasetError.at(self._path, "", "no video frame in it")
        return count, height, width

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels; DatasetError if the file is no readable video."""
        return self._shape[1:]

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Frame numbers, rising by one."""
        return np.arange(self._first, self._first + len(self), dtype=np.int64)

    def __len__(self) -> int:
        return self._shape[0]

    def files(self) -> list[Path]:
        """The one file."""
        return [self._path]

    def identity(self) -> Mapping[str, object]:
        """Numbering and decoding rules; the decoder's version decides pixels too."""
        return {"first": self._first, "video rules": VIDEO_RULES_VERSION, "av": av.__version__}

    def read(self, index: int) -> Image:
        """Frame at a position: uint8 (H, W, 3) BGR; decodes from the start, so stream where you can.

        Raises:
            FrameError: the file has no such frame or changes its size there.
            DatasetError: the file is no readable video.
        """
        for position, frame in enumerate(self._decode()):
            if position == index:
                return self._image(frame, position)
        raise FrameError(f"{self._path}: no frame at position {index}")

    def stream(self) -> Iterator[Image | FrameError]:
        """All frames in order, an error in place of one whose size differs."""
        for position, frame in enumerate(self._decode()):
            try:
                yield self._image(frame, position)
            except FrameError as error:
                yield error

    def _image(self, frame: av.VideoFrame, position: int) -> Image:
        if (frame.height, frame.width) != self.size:
            height, width = self.size
            raise FrameError(
                f"{self._path}: frame {self._first + position} has {frame.width}x{frame.height} pixels, "
                f"the video {width}x{height}"
            )
        return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)

    def _decode(self) -> Iterator[av.VideoFrame]:
        with self._open() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            frames, done = container.decode(stream), 0
            while True:
                try:
                    frame = next(frames)
                except StopIteration:
                    return
                except (av.FFmpegError, OSError) as error:
                    raise DatasetError.at(
                        self._path,
                        f"frame {self._first + done}",
                        f"does not decode: {error}",
                        "later frames would get wrong numbers; re-encode the file or use an image folder",
                    ) from error
                done += 1
                yield frame

    @contextmanager
    def _open(self) -> Iterator[InputContainer]:
        try:
            container = av.open(self._path)
        except (av.FFmpegError, OSError) as error:
            raise DatasetError.at(self._path, "", f"cannot be opened as a video: {error}") from error
        with container:
            if not container.streams.video:
                raise DatasetError.at(self._path, "", "has no video stream")
            yield container
