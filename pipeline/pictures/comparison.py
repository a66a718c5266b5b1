"""The contact sheet of a comparison: the boxes that changed most, in both label versions."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from pathlib import Path

import numpy as np

from spotlabel.pipeline.compare.pairs import Pair
from spotlabel.pipeline.compare.stores import Comparison
from spotlabel.pipeline.pictures.files import write_image
from spotlabel.pipeline.pictures.render import frame_image
from spotlabel.pipeline.pictures.tiles import change_tile, tile_grid
from spotlabel.pipeline.sequence import Image
from spotlabel.pipeline.store import FrameState, MaskReader

_COLUMNS = 3
_LONGEST_NAME = 30
_KEY = (
    "image | A | B     cyan: foreground, striped: unknown, white: the box     "
    "each object once, where it changed most"
)


def render_changes(
    path: Path, chosen: Seq[tuple[Comparison, int]], pairs: Mapping[str, Pair], heading: str
) -> None:
    """Write the contact sheet.

    Images that are no longer there leave an empty panel that says so.

    Args:
        path: of the PNG file.
        chosen: comparison and position of the box in it, in the order of the sheet; at least one.
        pairs: the compared videos by name.
        heading: what A and B are.

    Raises:
        StoreError: a mask store is damaged.
        OSError: the picture cannot be written.
    """
    tiles: dict[int, Image] = {}
    for name in {part.sequence for part, _ in chosen}:
        pair = pairs[name]
        readers = MaskReader(pair.a.mask_path), MaskReader(pair.b.mask_path)
        for rank, (part, box) in enumerate(chosen):
            if part.sequence == name:
                tiles[rank] = _tile(pair, readers, part, box)
    write_image(path, tile_grid([tiles[rank] for rank in sorted(tiles)], _COLUMNS, (heading, _KEY)))


def _tile(pair: Pair, readers: tuple[MaskReader, MaskReader], part: Comparison, box: int) -> Image:
    number = int(part.numbers[part.frame_of[box]])
    masks = [reader.read(reader.index_of(number)) for reader in readers]
    image = frame_image(pair.a.sequence.frames, number, readers[0].size)
    states = [FrameState(int(reader.state[reader.index_of(number)])) for reader in readers]
    return change_tile(image, masks, part.xyxy[box], _caption(part, box, number, states))


def _caption(part: Comparison, box: int, number: int, states: Seq[FrameState]) -> tuple[str, str]:
    """Where the box is; what became of it."""
    name = part.sequence
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 3]}..."
    track = int(part.track_id[box])
    place = f"{name}  frame {number}  box {part.box_a[box]}: {part.class_name[box]}"
    changes = part.boxes
    pixels = max(1, int(changes.pixels[box]))
    iou = changes.iou[box]
    shares = [
        f"{word} {changes_a[box] / pixels:.0%} -> {changes_b[box] / pixels:.0%}"
        for word, changes_a, changes_b in (
            ("foreground", changes.foreground_a, changes.foreground_b),
            ("unknown", changes.unknown_a, changes.unknown_b),
        )
    ]
    shares += [
        f"{side}: {state.name.lower()}"
        for side, state in zip("AB", states, strict=True)
        if state != FrameState.OK
    ]
    figure = "IoU  -  " if np.isnan(iou) else f"IoU {iou:.2f}"
    return place + (f", track {track}" if track >= 0 else ""), "   ".join((figure, *shares))
