"""How frames are decoded, as a recipe says it."""

from __future__ import annotations

from typing import Any, Literal

from spotlabel.labelers.base import Settings


class FrameOptions(Settings):
    """How frames are decoded (recipe section ``frames``)."""

    on_bad: Literal["fail", "unknown"] = "fail"
    """A frame that cannot be read fails its video, or its mask becomes unknown everywhere."""
    grey: Literal["refuse", "convert"] = "refuse"
    """Grey images are bad frames, or are repeated into three channels."""
    orientation: Literal["upright", "stored"] = "upright"
    """Frames as they are to be seen (a video's display matrix, an image's EXIF orientation), or as stored.
    Boxes have to be in the same pixels; annotation tools show pictures upright."""
    odd_ends: Literal["accept", "fail"] = "accept"
    """JPEG files with padding before their end marker, or without one, of which every pixel decodes: used, or
    bad frames. One that was cut is a bad frame in any case."""
    null_frames: Literal["repeat", "drop", "fail"] = "repeat"
    """Frames of an AVI file that hold no data ("as before"): the frame before them once more, which keeps the
    file's own numbering; left out, as tools do that number what a decoder gives; or the video fails."""
    cut_end: Literal["drop", "fail"] = "drop"
    """An MPEG stream (.ts, .mpg) that ends in the middle of a frame, as recordings do: used as far as frames
    are surely whole, or the video fails."""

    def beyond_default(self, *names: str) -> dict[str, Any]:
        """Those of some options that differ from their defaults, for what a store depends on."""
        default = type(self)()
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(default, name)}
