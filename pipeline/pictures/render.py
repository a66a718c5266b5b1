"""Pictures of one labelled sequence, written as PNG files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotlabel.pipeline.boxes import RegionTable
from spotlabel.pipeline.errors import FrameError, StoreError
from spotlabel.pipeline.names import evidence_path
from spotlabel.pipeline.pictures.files import write_image
from spotlabel.pipeline.pictures.layers import (
    Owned,
    draw_believability,
    draw_boxes,
    draw_evidence,
    draw_instances,
    draw_mask,
    draw_regions,
    write,
)
from spotlabel.pipeline.pictures.sheet import contact_sheet, heading
from spotlabel.pipeline.sequence import FrameSource, Image
from spotlabel.pipeline.store import EvidenceReader, FrameState, MaskReader
from spotlabel.pipeline.upkeep.plan import Item


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

    What is drawn comes from the mask store: its boxes, its labeler, its frames. Images or evidence that are
    no longer there leave an empty panel that says so.

    Args:
        item: a sequence with masks.
        folder: where ``frame-<number>.png`` and ``sheet.png`` go.
        look: which frames, how large.

    Returns:
        Path of the contact sheet.

    Raises:
        StoreError: the mask store is missing or damaged, or has no frame of that number.
        OSError: the pictures cannot be written.
    """
    masks = MaskReader(item.mask_path)
    evidence = evidence_of(item, masks)
    regions = item.sequence.load().regions
    folder.mkdir(parents=True, exist_ok=True)
    rows, titles = [], []
    for index in _positions(masks, look):
        panels = _panels(item, evidence, masks, regions, index)
        number = int(masks.numbers[index])
        write_image(folder / f"frame-{number:06}.png", panels[-1])
        rows.append(panels)
        state = FrameState(int(masks.state[index]))
        titles.append(f"frame {number}" + ("" if state == FrameState.OK else f" ({state.name.lower()})"))
    sheet = folder / "sheet.png"
    kind = evidence.kind if evidence else None
    title = heading(item.sequence.name, masks.text("labeler"), kind, masks.has_owners)
    write_image(sheet, contact_sheet(rows, titles, title, look.panel_width))
    return sheet


def evidence_of(item: Item, masks: MaskReader) -> EvidenceReader | None:
    """The evidence the masks were made from; None if it is gone or was made again since."""
    path = evidence_path(item.out, masks.text("labeler"), item.sequence.name)
    try:
        evidence = EvidenceReader(path)
        return evidence if evidence.fingerprint == masks.structure("evidence_fingerprint") else None
    except StoreError:
        return None


def _positions(masks: MaskReader, look: Look) -> list[int]:
    """Positions of the named frames, or the middles of ``count`` equal parts of the video."""
    if look.numbers:
        return [masks.index_of(number) for number in look.numbers]
    if not len(masks):
        raise StoreError(f"{masks.path}: holds no frames")
    count = min(look.count, len(masks))
    return [int((part + 0.5) * len(masks) / count) for part in range(count)]


def _panels(
    item: Item, evidence: EvidenceReader | None, masks: MaskReader, regions: RegionTable, index: int
) -> list[Image]:
    """Image with boxes, evidence, mask with boxes."""
    image = frame_image(item.sequence.frames, int(masks.numbers[index]), masks.size)
    boxes = masks.boxes
    if evidence is not None and evidence.has_pixels(index):
        shown = draw_evidence(evidence.read(index), evidence.kind)
    else:
        shown = empty_panel(masks.size, "no evidence" if evidence else "the evidence of these masks is gone")
    framed = draw_regions(image, regions.at(index)) if index < len(regions) else image
    return [
        draw_boxes(framed, boxes, index, masks.class_names),
        draw_boxes(shown, boxes, index, ()),
        draw_believability(draw_boxes(_mask_panel(image, masks, index), boxes, index, ()), masks, index),
    ]


def _mask_panel(image: Image, masks: MaskReader, index: int) -> Image:
    """The mask over the image, each object in its colour where the store says whose each pixel is."""
    owned = owned_pixels(masks, index)
    mask = masks.read(index)
    return draw_mask(image, mask) if owned is None else draw_instances(image, mask, owned)


def owned_pixels(masks: MaskReader, index: int) -> Owned | None:
    """Whose each foreground pixel of a frame is, and a number for each box's colour; None if none says so."""
    if not masks.has_owners:
        return None
    tracks = masks.boxes.track_id[masks.boxes.rows(index)]
    return masks.owners(index), np.where(tracks >= 0, tracks, np.arange(len(tracks)))


def frame_image(frames: FrameSource, number: int, size: tuple[int, int]) -> Image:
    """The frame of a number, or an empty panel of the masks' height and width that says why none.

    Frames may have come, gone or been scaled since labelling; one of another size does not go with the masks.
    """
    positions = np.flatnonzero(frames.numbers == number)
    if not len(positions):
        return empty_panel(size, "this frame is no longer there")
    try:
        image = frames.read(int(positions[0]))
    except FrameError:
        return empty_panel(size, "this frame cannot be read")
    return image if image.shape[:2] == size else empty_panel(size, "this frame has another size now")


def empty_panel(size: tuple[int, int], note: str) -> Image:
    """A grey panel of a height and width that says why nothing is shown."""
    ground = np.full((*size, 3), 60, np.uint8)
    write(ground, note, (8, size[0] // 2), 0.5)
    return ground
