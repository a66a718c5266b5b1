"""From layers to panels, from panels to a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence as Seq

import cv2
import numpy as np

from spotlabel.labelers.base import EvidenceKind
from spotlabel.pipeline.pictures.layers import MOTION_SHOWN, write
from spotlabel.pipeline.sequence import Image

_GAP = 6
_TITLE_HEIGHT = 26
_GROUND = 24
"""Grey level between the panels."""

COLUMNS = ("image and boxes", "evidence", "mask")


def titled(image: Image, title: str) -> Image:
    """The image under a strip with a title."""
    strip = np.full((_TITLE_HEIGHT, image.shape[1], 3), _GROUND, np.uint8)
    write(strip, title, (6, _TITLE_HEIGHT - 8), 0.45)
    return np.vstack([strip, image])


def contact_sheet(rows: Seq[Seq[Image]], titles: Seq[str], heading: str, panel_width: int) -> Image:
    """Panels in a grid, one row per frame.

    Args:
        rows: panels of equal size, uint8 (H, W, 3) BGR.
        titles: one per row, written into the row's first panel.
        heading: written above the grid.
        panel_width: width every panel is scaled to, in pixels.
    """
    lines = []
    for panels, title in zip(rows, titles, strict=True):
        scaled = [_to_width(panel, panel_width) for panel in panels]
        write(scaled[0], title, (6, scaled[0].shape[0] - 8), 0.45)
        lines.append(_join(scaled, axis=1))
    grid = _join(lines, axis=0)
    return titled(np.pad(grid, ((0, _GAP), (_GAP, _GAP), (0, 0)), constant_values=_GROUND), heading)


def _to_width(image: Image, width: int) -> Image:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    shrinking = width < image.shape[1]
    resized = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    )
    return np.asarray(resized, np.uint8)


def _join(images: Seq[Image], axis: int) -> Image:
    """Images side by side (axis 1) or one under another (axis 0), with a gap between."""
    gap_shape = list(images[0].shape)
    gap_shape[axis] = _GAP
    gap = np.full(gap_shape, _GROUND, np.uint8)
    parts = [part for image in images for part in (image, gap)][:-1]
    return np.concatenate(parts, axis=axis)


def heading(sequence: str, labeler: str, kind: EvidenceKind | None, instances: bool) -> str:
    """What a sheet shows, in one line."""
    scale = f", bright = {MOTION_SHOWN:g} px/frame" if kind == EvidenceKind.MOTION else ""
    shown = "a colour each: objects" if instances else "cyan: foreground"
    key = f"{shown}, striped: unknown, number: believability of a box not believed"
    return f"{sequence}   {' | '.join(COLUMNS)}   evidence: {labeler} ({kind or 'gone'}{scale})   {key}"
