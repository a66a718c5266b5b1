"""The pictures of docs/learned.md: boxes of rendered scenes, drawn at random, with masks of two presets.

    python -m benchmarks.learned.pictures DATA [--out runs/quality] [--docs docs]

Labels are those of ``make quality``, which must have been made. One of the streets and drones each, 12 boxes
of 24 px or more: the image, preset default, preset learned, the truth.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from benchmarks.quality.measured import recipe_for
from benchmarks.quality.tables import FIXED, MOVING, STREET_SCENES, TABLES, Data, Method
from spotlabel.pipeline.pictures.files import write_image
from spotlabel.pipeline.pictures.tiles import change_tile
from spotlabel.pipeline.sequence import Image
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import Item, items

SEED, BOXES, ACROSS, LEAST = 40201, 12, 2, 24
"""Of the choice; boxes, in so many columns; px of the shorter side."""
_SHOWN = {
    "learned-street.jpg": (STREET_SCENES[0], "sunny", FIXED[-2:]),
    "learned-drone.jpg": (TABLES["drones"].data[0], "turn and zoom", MOVING[-2:]),
}


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/quality"), show_default=True)
@click.option("--docs", type=click.Path(path_type=Path), default=Path("docs"), show_default=True)
def main(data: Path, out: Path, docs: Path) -> None:
    """Draw them."""
    for name, (dataset, scene, methods) in _SHOWN.items():
        write_image(docs / name, _picture(*(_item(data, out, dataset, scene, one) for one in methods)))
        click.echo(f"picture: {docs / name}")


def _item(data: Path, out: Path, dataset: Data, scene: str, method: Method) -> Item:
    return next(item for item in items(recipe_for(data, out, dataset, method)) if item.sequence.name == scene)


def _picture(*both: Item) -> Image:
    readers, sequence = [MaskReader(item.mask_path) for item in both], both[0].sequence
    assert sequence.truth is not None
    boxes = sequence.load().boxes
    places = np.repeat(np.arange(len(boxes)), np.diff(boxes.offsets))
    large = np.flatnonzero((boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]).min(axis=1) >= LEAST)
    chosen = np.random.default_rng(SEED).choice(large, BOXES, replace=False)
    tiles = []
    for row in np.sort(chosen).tolist():
        position = int(places[row])
        image, exact = sequence.frames.read(position), sequence.truth(position)
        assert exact is not None
        masks = [*(reader.read(position) for reader in readers), (exact > 0).astype(np.uint8)]
        caption = (f"{sequence.name}, frame {position}: image, default, learned, exact",)
        tiles.append(change_tile(image, masks, boxes.xyxy[row], caption))
    return np.vstack([np.hstack(tiles[first : first + ACROSS]) for first in range(0, BOXES, ACROSS)])


if __name__ == "__main__":
    main()
