"""Videos that can be used though something is irregular: frames without data, streams that were cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames.container import null_frames
from spotlabel.pipeline.frames.options import FrameOptions

CUT_ADVICE = "the stream ends in the middle of a frame: set frames.cut_end=drop to use it up to there"

_CUT_FORMATS = ("mpegts", "mpeg")  # carry no length, so that a recording may end anywhere


@dataclass(slots=True)
class Findings:
    """What is irregular about a video that can be used all the same; gathered while it is decoded.

    Attributes:
        repeated: frames without data that were handed out as the one before.
        left_out: frames without data that were left out.
        cut: true if the file ends in the middle of a frame, which was left out, and with it frames that the
            decoder had not given yet.
        angle: true if frames are to be turned by an angle that is not a multiple of 90 degrees.
        pixel: width of a pixel divided by its height; None if the file does not tell.
    """

    repeated: int = 0
    left_out: int = 0
    cut: bool = False
    angle: bool = False
    pixel: Fraction | None = None


def null_places(
    path: Path, container: av.container.InputContainer, stream: av.VideoStream, options: FrameOptions
) -> list[int]:
    """Places of the frames without data, see :func:`spotlabel.pipeline.frames.container.null_frames`.

    Raises:
        DatasetError: there are some where that is to fail.
    """
    if container.format.name != "avi":
        return []
    nulls = null_frames(path, stream.index, stream.frames)
    if nulls and options.null_frames == "fail":
        problem = f"{len(nulls)} frames hold no data, the first is frame {nulls[0] + 1} of the file"
        raise DatasetError.at(path, "", problem, "or set frames.null_frames=repeat")
    return nulls


def with_nulls(
    frames: Iterator[av.VideoFrame], nulls: list[int], options: FrameOptions, findings: Findings
) -> Iterator[av.VideoFrame]:
    """Frames, and in the places of those without data the one before; at the start the one behind."""
    if options.null_frames == "drop":
        findings.left_out = len(nulls)
        nulls = []
    waiting, place, last = deque(nulls), 0, None
    for frame in chain(frames, (None,)):
        while waiting and waiting[0] == place and (last or frame) is not None:
            yield last or frame  # type: ignore[misc]  # one of the two is a frame
            waiting.popleft()
            findings.repeated += 1
            place += 1
        if frame is not None:
            yield frame
            last, place = frame, place + 1


def ends_here(
    container: av.container.InputContainer,
    damaged: av.Packet[av.VideoStream],
    behind: Iterator[av.Packet[av.VideoStream]],
) -> bool:
    """Whether damaged data is where a stream was cut.

    Args:
        container: the open file; one that tells its length is never cut, but truncated.
        damaged: the first packet that is damaged.
        behind: the packets that follow.
    """
    file_format = container.format.name
    if file_format == "mpeg" and damaged.is_corrupt:
        # A program stream has this mark for what the end of the file cuts alone; the same piece of the stream
        # may hold the beginnings of further frames.
        return True
    return file_format.startswith(_CUT_FORMATS) and not any(packet.size for packet in behind)
