"""Decoding a video file from start to end, with every check that can tell a lost frame.

FFmpeg is made for playing: it conceals damage, skips what it cannot read, and goes on. Here each lost frame
would give all later ones a wrong number, so the first sign of damage ends the decoding with an error.
MPEG streams (.ts, .mpg) carry neither length nor frame count: what is lost there between two packets, or with
a packet's header, goes unnoticed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import av
import av.error
import av.logging
from av.codec.context import Flags

from spotlabel.pipeline.errors import DatasetError, FrameError
from spotlabel.pipeline.frames.container import missing_bytes
from spotlabel.pipeline.frames.irregular import (
    CUT_ADVICE,
    Findings,
    ends_here,
    null_places,
    with_nulls,
)
from spotlabel.pipeline.frames.limits import check_pixels
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.inputs import named_input

# Only local files of real video containers: a text file can otherwise pass for a playlist that opens others.
_FORMATS = "avi,mov,matroska,mpegts,mpeg,mpegvideo,m4v,h264,hevc,asf,flv,ogg,ivf,mjpeg,mxf,dv,yuv4mpegpipe"
_OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
REPAIR = "repair or re-encode it, or extract its frames into a folder"
_PLACEHOLDER_BYTES = 8
"""MPEG-4 files hold packets of a few bytes that say "no new frame"; real frames are larger."""
# In these codecs and formats (as FFmpeg's names begin) every packet shows one frame.
_FRAME_PER_PACKET_CODECS = {"mpeg4", "h264"}
_FRAME_PER_PACKET_FORMATS = ("avi", "mov,", "matroska,")


def header_facts(path: Path) -> tuple[int, tuple[int, int]]:
    """Frames, and height and width, as a file's header claims them: to plan by, never to count by.

    Returns:
        Number of frames (0 if the header says nothing of it), then the size.

    Raises:
        DatasetError: not a video file, or truncated.
    """
    with _opened(path) as (container, stream):
        frames, rate = stream.frames, stream.average_rate
        if not frames and container.duration and rate:
            frames = round(container.duration / av.time_base * rate)
        return frames, (stream.codec_context.height, stream.codec_context.width)


def decoded_frames(path: Path, options: FrameOptions, findings: Findings) -> Generator[av.VideoFrame]:
    """Frames in the order in which they are shown, as stored.

    Args:
        path: the video file.
        options: what becomes of frames without data, and of a stream that ends in the middle of a frame.
        findings: what is found of these is added here.

    Raises:
        DatasetError: at the first sign of damage, or, for frames that went missing, at the end.
    """
    tally = _Tally()
    with _opened(path) as (container, stream):
        findings.pixel = stream.sample_aspect_ratio or None
        nulls = null_places(path, container, stream, options)
        frames = _intact_frames(path, container, stream, options, tally=tally, findings=findings)
        yield from with_nulls(frames, nulls, options, findings)
        lost = tally.lost(container, stream) - len(nulls)
    if lost > 0:
        raise DatasetError.at(
            path, "", f"damaged: {lost} of its frames are lost, it is not known where", REPAIR
        )


def _intact_frames(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    options: FrameOptions,
    *,
    tally: _Tally,
    findings: Findings,
) -> Iterator[av.VideoFrame]:
    """Frames up to the end of the file, or up to where a stream was cut; an error at any other damage."""
    packets = container.demux(stream)
    for packet in packets:
        frames, damage = _decode(packet)
        for frame in frames:
            tally.frames += 1
            yield frame
        tally.add(packet)
        if damage:
            cut = ends_here(container, packet, packets)
            if not cut or options.cut_end == "fail":
                raise _damaged(path, tally.frames, damage, CUT_ADVICE if cut else REPAIR)
            # Frames that the decoder still holds stay there: the one it was about to give is lost with the
            # error, and those behind it would take its number.
            findings.cut = True
            return


class _Tally:
    """Counts that betray frames lost without an error."""

    def __init__(self) -> None:
        self.frames = 0
        self._packets = 0
        self._coded = 0

    def add(self, packet: av.Packet[av.VideoStream]) -> None:
        if packet.dts is not None or packet.size > 0:  # not the empty packet that ends the stream
            self._packets += 1
        self._coded += packet.size > _PLACEHOLDER_BYTES and not packet.is_discard

    def lost(self, container: av.container.InputContainer, stream: av.VideoStream) -> int:
        """Frames that are known to be missing.

        Only where the counts agree in healthy files; they do not with edit lists of MP4, invisible frames of
        VP8, or the fields of interlaced MPEG streams.
        """
        lost = 0
        codec, file_format = stream.codec_context.name, container.format.name
        if file_format == "avi":  # damaged chunk headers are skipped
            lost = stream.frames - self._packets
        if codec in _FRAME_PER_PACKET_CODECS and file_format.startswith(_FRAME_PER_PACKET_FORMATS):
            lost = max(lost, self._coded - self.frames)  # a damaged header can read as "no new frame"
        return lost


def _decode(packet: av.Packet[av.VideoStream]) -> tuple[list[av.VideoFrame], str]:
    """Frames up to the first that is damaged, and what is wrong with that; empty if nothing is."""
    if packet.is_corrupt:
        return [], "damaged data"
    try:
        frames = packet.decode()
    except av.error.FFmpegError as error:
        return [], error.strerror or str(error)
    intact = list(takewhile(lambda frame: not frame.is_corrupt, frames))
    return intact, "" if len(intact) == len(frames) else "damaged data"


def _damaged(path: Path, count: int, reason: str, advice: str) -> DatasetError:
    where = f"after {count} good frames"
    return DatasetError.at(path, where, f"cannot be decoded: {reason}", advice)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    _check_whole(path)
    named_input(path)
    try:
        # An absolute path cannot be taken for a protocol ("concat:...").
        # Titles and the like may be in any encoding; they are not read.
        with av.open(str(path.absolute()), options=_OPEN_OPTIONS, metadata_errors="replace") as container:
            yield container, _video_stream(path, container)
    except av.error.FFmpegError as error:
        problem = f"not a readable video file: {error.strerror or error}"
        raise DatasetError.at(path, "", problem) from error


def _video_stream(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    stream = container.streams.best("video")
    if not isinstance(stream, av.VideoStream):
        raise DatasetError.at(path, "", "the file has no video stream")
    context = stream.codec_context
    if context is None:
        raise DatasetError.at(path, "", "no decoder for this video, or its header is damaged", REPAIR)
    try:
        check_pixels(context.width, context.height, str(path))
    except FrameError as error:
        raise DatasetError(str(error)) from error
    # Damaged frames are to be errors or to be marked, not to be left out of the count.
    context.flags |= Flags.output_corrupt
    context.options = {"err_detect": "explode"}
    context.thread_count = 1  # messages of decoder threads could not be told from those of other videos
    return stream


def _check_whole(path: Path) -> None:
    try:
        missing = missing_bytes(path)
    except OSError as error:
        raise DatasetError.at(path, "", f"cannot be read: {error.strerror}") from error
    if missing:
        problem = f"truncated: the file ends {missing} bytes before its container says it should"
        raise DatasetError.at(path, "", problem, "copy it again, or re-encode what there is")


@contextmanager
def captured_errors() -> Iterator[list[tuple[int, str, str]]]:
    """FFmpeg's error messages of this thread as (level, source, message), kept off standard error."""
    level, skip_repeated = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)  # else a message like the one before, of another file, is lost
    try:
        with av.logging.Capture(local=True) as logs:
            yield logs
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skip_repeated)
