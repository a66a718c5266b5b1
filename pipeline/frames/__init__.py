"""Frames from image folders and video files, behind one interface."""

from pipeline.frames.decode import decode_image
from pipeline.frames.folder import ImageFolder, scan_images
from pipeline.frames.prefetch import prefetch
from pipeline.frames.video import VideoFile

__all__ = ["ImageFolder", "VideoFile", "decode_image", "prefetch", "scan_images"]
