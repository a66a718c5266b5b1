"""Exports that are edited as other tools would, and imported again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.imports.changes import Absent, Changes, Rules
from spotlabel.pipeline.imports.read import ImportFormat, Source, read_changes
from spotlabel.pipeline.manual import Corrections, put_manual, read_manual
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers import exporting

FILES = {"coco": "annotations/gate.json", "cvat": "gate/annotations.xml", "png": ""}
"""What of an export is imported, of the video ``gate``."""


def exported(root: Path, form: ImportFormat, **options: object) -> Path:
    """The file to edit, of a new export."""
    to = exporting.export(root / "recipe.yaml", root / form, form, **options)
    exporting.finish(root / "recipe.yaml", to, ExportOptions(format=form, classes=exporting.CLASSES))
    return to / FILES[form]


def read(
    root: Path,
    path: Path,
    form: ImportFormat,
    *only: str,
    absent: Absent = "keep",
    least: float = 0.0,
    **looked: object,
) -> dict[str, Changes]:
    recipe = load_recipe(str(root / "recipe.yaml"))
    rules = Rules(absent, **looked)
    return read_changes(
        recipe, items(recipe), items(recipe, only), Source(path, form, least), lambda _: rules
    )


def imported(root: Path, path: Path, form: ImportFormat, **how: object) -> Changes:
    """Import a file; what it changed of the video ``gate``."""
    found = read(root, path, form, **how)
    for name, changes in found.items():
        put_manual(root / "out" / "manual" / f"{name}.h5", name, changes.corrections)
    return found["gate"]


def relabel(root: Path, *changes: str) -> MaskReader:
    outcome = run_sequence(load_recipe(str(root / "recipe.yaml"), changes), "gate", True, lambda *_: None)
    assert not outcome.error, outcome.error
    return masks(root)


def masks(root: Path) -> MaskReader:
    return MaskReader(root / "out" / "masks" / "gate.h5")


def corrections(root: Path) -> Corrections:
    return read_manual(root / "out" / "manual" / "gate.h5")


def instance(root: Path, index: int, track: int) -> np.ndarray:
    reader = masks(root)
    row = reader.boxes.track_id[reader.boxes.rows(index)].tolist().index(track)
    return reader.instance(index, row)


Edit = Callable[[np.ndarray], np.ndarray]


def edit(path: Path, form: ImportFormat, index: int, track: int, change: Edit) -> None:
    """Draw an object anew, as a tool would that knows nothing of ours."""
    {"coco": _edit_coco, "cvat": _edit_cvat, "png": _edit_png}[form](path, index, track, change)


def _edit_coco(path: Path, index: int, track: int, change: Edit) -> None:
    document = json.loads(path.read_text())
    image = next(row["id"] for row in document["images"] if row["frame_id"] == index)
    row = next(r for r in document["annotations"] if r["image_id"] == image and r.get("track_id") == track)
    row.pop("area")
    drawn = change(coco_mask.decode(row["segmentation"]).astype(bool))
    packed = coco_mask.encode(np.asfortranarray(drawn.astype(np.uint8)))
    row["segmentation"] = {"size": list(drawn.shape), "counts": packed["counts"].decode()}
    path.write_text(json.dumps(document))


def _edit_cvat(path: Path, index: int, track: int, change: Edit) -> None:
    text = path.read_text()
    found = re.search(rf'<image id="{index}".*?</image>', text, re.DOTALL)
    assert found is not None
    image = found[0]
    (shape,) = (
        shape
        for shape in re.findall(r"<mask .*?</mask>", image, re.DOTALL)
        if f'name="track_id">{track}<' in shape
    )
    rle, left, top, width, height = (
        re.search(rf' {name}="([^"]*)"', shape)[1] for name in ("rle", "left", "top", "width", "height")
    )
    counts = [int(part) for part in rle.split(",")]
    piece = np.repeat(np.arange(len(counts)) % 2, counts).reshape(int(height), int(width))
    plane = np.zeros((exporting.HEIGHT, exporting.WIDTH), bool)
    plane[int(top) : int(top) + int(height), int(left) : int(left) + int(width)] = piece
    drawn = change(plane)  # written as all of the image: CVAT cuts masks, a tool need not
    flat = drawn.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    runs = [0, *runs] if flat[0] else runs
    new = re.sub(r' rle="[^"]*"', f' rle="{", ".join(map(str, runs))}"', shape)
    for name, value in {"left": 0, "top": 0, "width": drawn.shape[1], "height": drawn.shape[0]}.items():
        new = re.sub(rf' {name}="[^"]*"', f' {name}="{value}"', new)
    path.write_text(text.replace(image, image.replace(shape, new)))


def _edit_png(folder: Path, index: int, track: int, change: Edit) -> None:
    listed = json.loads((folder / "instances/gate.json").read_text())
    value = next(row["value"] for row in listed["objects"] if row["track_id"] == track)
    path = folder / f"Annotations/gate/{index:05}.png"
    with Image.open(path) as picture:
        plane, palette = np.array(picture), picture.getpalette()
    drawn = change(plane == value)
    plane[(plane == value) & ~drawn] = 0
    plane[drawn] = value
    again = Image.fromarray(plane, "P")
    again.putpalette(palette)
    again.save(path)
