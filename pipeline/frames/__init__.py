"""Reading frames: image folders and video files, whole frames or an error that says why."""

from spotlabel.pipeline.frames.decode import DECODER_VERSION, decode_image
from spotlabel.pipeline.frames.folder import ImageFolder, scan_images
from spotlabel.pipeline.frames.prefetch import prefetch
from spotlabel.pipeline.frames.video import VideoFile

__all__ = ["DECODER_VERSION", "ImageFolder", "VideoFile", "decode_image", "prefetch", "scan_images"]
