"""Pictures of one labelled sequence, written as PNG files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import FrameError, StoreError
from pipeline.pictures.layers import draw_boxes, draw_evidence, draw_mask, draw_regions
from pipeline.pictures.sheet import contact_sheet, heading
from pipeline.plan import Item
from pipeline.sequence import Annotations, Image
from pipeline.store import EvidenceReader, FrameState, MaskReader


@dataclass(frozen=True)
class Look:
    """What to show of a sequence.

    Attributes:
        numbers: frame numbers; empty spreads ``count`` frames evenly.
        count: how many frames, if none are named.
        panel_width: width of the contact sheet's panels in pixels.
    """

    numbers: tuple[int, ...] = ()
    count: int = 6
    panel_width: int = 480


def render_item(item: Item, folder: Path, look: Look) -> Path:
    """Write one overlay per frame (full size) and a contact sheet.

    Args:
        item: a sequence with fresh stores.
        folder: where ``frame-<number>.png`` and ``sheet.png`` go.
        look: which frames, how large.

    Returns:
        Path of the contact sheet.

    Raises:
        StoreError: a store is missing or damaged, or has no frame of that number.
        OSError: the pictures cannot be written.
    """
    evidence, masks = EvidenceReader(item.evidence_path), MaskReader(item.mask_path)
    annotations = item.sequence.load()
    folder.mkdir(parents=True, exist_ok=True)
    rows, titles = [], []
    for index in _positions(masks, look):
        panels = _panels(item, evidence, masks, annotations, index)
        number = int(masks.numbers[index])
        write_png(folder / f"frame-{number:06}.png", panels[-1])
        rows.append(panels)
        state = FrameState(int(masks.state[index]))
        titles.append(f"frame {number}" + ("" if state == FrameState.OK else f" ({state.name.lower()})"))
    sheet = folder / "sheet.png"
    title = heading(item.sequence.name, item.labeler.name, evidence.kind)
    write_png(sheet, contact_sheet(rows, titles, title, look.panel_width))
    return sheet


def _positions(masks: MaskReader, look: Look) -> list[int]:
    if look.numbers:
        return [masks.index_of(number) for number in look.numbers]
    if not len(masks):
        raise StoreError(f"{masks.path}: holds no frames")
    spread = np.linspace(0, len(masks) - 1, min(look.count + 1, len(masks)) + 1)[1:-1]
    return sorted({round(float(position)) for position in spread}) or [0]


def _panels(
    item: Item, evidence: EvidenceReader, masks: MaskReader, annotations: Annotations, index: int
) -> list[Image]:
    """Image with boxes, evidence, mask with boxes; a frame without pixels gets empty ground."""
    height, width = masks.size
    try:
        image = item.sequence.frames.read(index)
    except FrameError:
        image = np.full((height, width, 3), 60, np.uint8)
    boxes, names = annotations.boxes, annotations.class_names
    plain = draw_regions(image, annotations.regions.at(index))
    if evidence.has_pixels(index):
        shown = draw_evidence(evidence.read(index), evidence.kind)
    else:
        shown = np.full((height, width, 3), 60, np.uint8)
    return [
        draw_boxes(plain, boxes, index, names),
        draw_boxes(shown, boxes, index, ()),
        draw_boxes(draw_mask(image, masks.read(index)), boxes, index, ()),
    ]


def write_png(path: Path, image: Image) -> None:
    """Write a PNG; OSError names the file if that fails."""
    done, data = cv2.imencode(".png", image)
    if not done:
        raise OSError(f"{path}: could not be encoded")
    path.write_bytes(data.tobytes())
