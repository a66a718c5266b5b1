"""What an export is asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from spotlabel.labelers.base import Settings

FormatName = Literal["coco", "youtube-vis", "mots", "yolo-seg", "png", "voc", "cvat", "labelme"]


class ExportOptions(Settings):
    """Options of an export; all of them decide what the files hold."""

    format: FormatName
    """Of the files."""
    every: int = Field(1, ge=1)
    """Only frames whose number can be divided by this."""
    min_believability: float = Field(0.0, ge=0, le=1)
    """Masks that are less believable than this are unknown."""
    images: Literal["link", "copy", "none"] = "none"
    """Whether the images go along: as symbolic links, as copies, or not at all."""
    classes: tuple[str, ...] = ()
    """All classes of the dataset; a class has the same number in every video."""
