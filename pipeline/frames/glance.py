"""About how long and large a video is, for planning: to count the frames of a video file is to decode it."""

from __future__ import annotations

from spotlabel.pipeline.frames.video import VideoFile
from spotlabel.pipeline.sequence import FrameSource


def about_length(frames: FrameSource) -> int:
    """Number of frames; of a video file what its header claims, the same wherever it is read.

    Raises:
        SpotlabelError, OSError: the video cannot be used.
    """
    return frames.glance()[0] if isinstance(frames, VideoFile) else len(frames)


def about_size(frames: FrameSource) -> tuple[int, int]:
    """Height and width in pixels, likewise."""
    return frames.glance()[1] if isinstance(frames, VideoFile) else frames.size
