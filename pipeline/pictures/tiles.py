"""One box: in two label versions (image | A | B), or as image | evidence | mask. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.owners import NO_OWNER
from spotlabel.pipeline.pictures.layers import Owned, draw_instances, draw_mask, write
from spotlabel.pipeline.sequence import Image

PANEL_WIDTH, PANEL_HEIGHT = 176, 132
_MARGIN, _LEAST_MARGIN = 0.25, 6
"""Surroundings of a box: a share of its longer side, and px at least."""
_GROUND = 24
_GAP = 10
_LINE = 17
_TEXT_SCALE = 0.42
_BOX_COLOUR = (255, 255, 255)
_BEYOND = 45
"""Grey level of what lies beyond the image border."""

Window = tuple[int, int, int, int]
_Pixel = TypeVar("_Pixel", np.uint8, np.uint16)


def window_around(box: npt.NDArray[np.float32], size: tuple[int, int]) -> Window:
    """The part of a frame that a panel shows: the box, its margin, and what the panel's shape adds.

    Args:
        box: float32 (4,), pixel edges.
        size: height and width of the frame.

    Returns:
        ``x0, y0, x1, y1``, of the shape of a panel; beyond the frame only if that is smaller.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    margin = max(_LEAST_MARGIN, _MARGIN * max(x1 - x0, y1 - y0))
    scale = max((x1 - x0 + 2 * margin) / PANEL_WIDTH, (y1 - y0 + 2 * margin) / PANEL_HEIGHT)
    width, height = max(4, round(scale * PANEL_WIDTH)), max(3, round(scale * PANEL_HEIGHT))
    left = _within(round((x0 + x1 - width) / 2), width, size[1])
    top = _within(round((y0 + y1 - height) / 2), height, size[0])
    return left, top, left + width, top + height


def _within(start: int, length: int, limit: int) -> int:
    """Start of a stretch moved into 0..limit, or centred on it if it is longer."""
    return (limit - length) // 2 if length > limit else min(max(start, 0), limit - length)


def cut(plane: npt.NDArray[_Pixel], window: Window, beyond: int) -> npt.NDArray[_Pixel]:
    """A window of an image, mask or owner plane; what lies beyond its border is ``beyond``."""
    x0, y0, x1, y1 = window
    made = np.full((y1 - y0, x1 - x0, *plane.shape[2:]), beyond, plane.dtype)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, plane.shape[1]), min(y1, plane.shape[0])
    if left < right and top < bottom:
        made[top - y0 : bottom - y0, left - x0 : right - x0] = plane[top:bottom, left:right]
    return made


def change_tile(
    image: Image, masks: Seq[npt.NDArray[np.uint8]], box: npt.NDArray[np.float32], caption: Seq[str]
) -> Image:
    """The image, then the image under each mask, all cut to the surroundings of a box.

    Masks are drawn after enlarging, so that outlines stay one pixel wide.

    Args:
        image: uint8 (H, W, 3) BGR.
        masks: uint8 (H, W) each: 0 background, 1 foreground, 255 unknown.
        box: float32 (4,), pixel edges.
        caption: lines written below.

    Returns:
        uint8 BGR, all tiles of as many masks and lines of one size.
    """
    window = window_around(box, image.shape[:2])
    ground = _panel(image, window, PANEL_WIDTH)
    panels = [ground, *(_under_mask(ground, mask, window) for mask in masks)]
    row = _row(panels, box, window)
    return np.concatenate([row, _caption(caption, row.shape[1])], axis=0)


def evidence_tile(
    image: Image,
    evidence: Image,
    mask: npt.NDArray[np.uint8],
    box: npt.NDArray[np.float32],
    *,
    width: int,
    owned: Owned | None = None,
) -> Image:
    """One box as image, evidence, and image under the mask, side by side, cut to its surroundings.

    Args:
        image: uint8 (H, W, 3) BGR.
        evidence: the evidence as a picture of the same shape.
        mask: uint8 (H, W): 0 background, 1 foreground, 255 unknown.
        box: float32 (4,), pixel edges.
        width: of each of the three panels in px, a multiple of 4; their height is three quarters of it.
        owned: as for :func:`spotlabel.pipeline.pictures.layers.draw_instances`; None: all of one colour.

    Returns:
        uint8 BGR, for one width always of one size.
    """
    window = window_around(box, image.shape[:2])
    ground = _panel(image, window, width)
    return _row(
        [ground, _panel(evidence, window, width), _under_mask(ground, mask, window, owned)], box, window
    )


def _panel(image: Image, window: Window, width: int) -> Image:
    crop = cut(image, window, _BEYOND)
    return _sized(crop, width, cv2.INTER_CUBIC if crop.shape[1] < width else cv2.INTER_AREA)


def _under_mask(
    ground: Image, mask: npt.NDArray[np.uint8], window: Window, owned: Owned | None = None
) -> Image:
    width = ground.shape[1]
    shown = _sized(cut(mask, window, 0), width, cv2.INTER_NEAREST)
    if owned is None:
        return draw_mask(ground, shown)
    plane = _sized(cut(owned[0], window, NO_OWNER), width, cv2.INTER_NEAREST)
    return draw_instances(ground, shown, (plane, owned[1]))


def _row(panels: Seq[Image], box: npt.NDArray[np.float32], window: Window) -> Image:
    """Panels side by side, the box drawn into each."""
    for panel in panels:
        _outline_box(panel, box, window)
    gap = np.full((panels[0].shape[0], 2, 3), _GROUND, np.uint8)
    return np.concatenate([part for panel in panels for part in (panel, gap)][:-1], axis=1)


def tile_grid(tiles: Seq[Image], columns: int, heading: Seq[str]) -> Image:
    """Tiles of one size in rows, under lines of text.

    Args:
        tiles: at least one.
        columns: tiles in a row, if there are as many.
        heading: lines written above.
    """
    columns = min(columns, len(tiles))
    empty = np.full_like(tiles[0], _GROUND)
    rows = []
    for first in range(0, len(tiles), columns):
        row = [*tiles[first : first + columns], *[empty] * columns][:columns]
        rows.append(np.concatenate([_padded(tile) for tile in row], axis=1))
    grid = np.concatenate(rows, axis=0)
    return np.concatenate([_caption(heading, grid.shape[1], indent=_GAP), grid], axis=0)


def _sized(plane: npt.NDArray[_Pixel], width: int, interpolation: int) -> npt.NDArray[_Pixel]:
    size = (width, width * PANEL_HEIGHT // PANEL_WIDTH)
    return np.asarray(cv2.resize(plane, size, interpolation=interpolation), plane.dtype)


def _outline_box(panel: Image, box: npt.NDArray[np.float32], window: Window) -> None:
    left, top, right, _ = window
    scale = panel.shape[1] / (right - left)
    x0, y0, x1, y1 = (
        round((float(v) - low) * scale) for v, low in zip(box, (left, top, left, top), strict=True)
    )
    cv2.rectangle(panel, (x0, y0), (x1 - 1, y1 - 1), _BOX_COLOUR, 1, cv2.LINE_4)


def _caption(lines: Seq[str], width: int, indent: int = 2) -> Image:
    strip = np.full((_LINE * len(lines) + 6, width, 3), _GROUND, np.uint8)
    for index, line in enumerate(lines):
        write(strip, line, (indent, _LINE * (index + 1) - 3), _TEXT_SCALE)
    return strip


def _padded(tile: Image) -> Image:
    return np.pad(tile, ((_GAP // 2, _GAP // 2), (_GAP, 0), (0, 0)), constant_values=_GROUND)
