"""What one decoding pass over a video tells."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import av

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames.irregular import Findings
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.frames.orientation import AS_STORED, of_matrix
from spotlabel.pipeline.frames.shape import Shape
from spotlabel.pipeline.frames.video_decoder import REPAIR, captured_errors, decoded_frames

_OF_ROTATION = {0: AS_STORED, -90: 6, 90: 8, 180: 3, -180: 3}
"""Orientations by PyAV's degrees counterclockwise, which leave mirroring out."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What one decoding pass tells.

    Attributes:
        count: number of frames.
        shape: sizes of the first frame, and how it is to be seen.
        pixel_format: FFmpeg's name for it.
        grey: true if frames have a single channel.
        findings: what was irregular, though the video can be used.
    """

    count: int
    shape: Shape
    pixel_format: str
    grey: bool
    findings: Findings


def check_video(path: Path, options: FrameOptions) -> VideoFacts:
    """Decode a whole file, keeping nothing.

    Raises:
        DatasetError: not a video file, truncated, damaged, without frames, or with frames that are to be seen
            in different ways where that is followed.
    """
    count, first, findings = 0, None, Findings()
    with captured_errors() as logs:
        for frame in decoded_frames(path, options, findings):
            orientation = _orientation(frame, findings)
            if first is None:
                first = frame
                facts = ((frame.height, frame.width), orientation, options.orientation, findings.pixel)
                form = (frame.format.name, len(frame.format.components) == 1)
            elif orientation != facts[1] and options.orientation == "upright":
                problem = f"frame {count + 1} is to be seen in another way than the first"
                raise DatasetError.at(path, "", problem, "set frames.orientation=stored")
            count += 1
    skipped = [message for _, source, message in logs if source.startswith("matroska")]
    if skipped:
        # The Matroska demuxer leaves out damaged clusters, and tells nobody but the log.
        raise DatasetError.at(path, "", f"damaged Matroska structure: {skipped[0].strip()}", REPAIR)
    if first is None:
        raise DatasetError.at(path, "", "the video has no frame that can be decoded")
    return VideoFacts(count, Shape(*facts), *form, findings)


def first_orientation(path: Path, options: FrameOptions) -> int:
    """How a video's first frame is to be seen, 1 to 8 as EXIF numbers it.

    Raises:
        DatasetError: the first frame cannot be decoded.
    """
    with captured_errors(), closing(decoded_frames(path, options, Findings())) as frames:
        for frame in frames:
            return _orientation(frame, Findings())
    return AS_STORED


def _orientation(frame: av.VideoFrame, findings: Findings) -> int:
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV lists none where there is a kind that it does not know, as EXIF in MJPEG
        orientation = _OF_ROTATION.get(frame.rotation)
    else:
        # Side data is a buffer, which its type does not say.
        orientation = AS_STORED if matrix is None else of_matrix(bytes(cast(Any, matrix)))
    findings.angle |= orientation is None
    return orientation or AS_STORED
