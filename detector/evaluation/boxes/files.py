"""Detections of one sequence from whatever format they are in, in the dataset's frame numbers.

Text rows are ``frame, index, left, top, width, height, score``: 7 columns are UA-DETRAC's, or MOT's if every
index is -1; 9 are UAVDT's, 8 and 10 MOT's. Their frames count from 1, also where the dataset counts from 0.
JSON is COCO's results, a folder holds VOC's (``comp4_det_<sequence>_<class>.txt``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from spotlabel.detector.evaluation.boxes.places import COMP4, IMAGES_SUFFIX
from spotlabel.detector.evaluation.coco.files import Id, read_results
from spotlabel.detector.evaluation.records import Float64, Int64, check_columns
from spotlabel.detector.evaluation.traffic.files import LAYOUTS
from spotlabel.detector.evaluation.voc.files import read_comp4
from spotlabel.detector.prediction.clips import Clip
from spotlabel.detector.prediction.coco_ids import CocoIds
from spotlabel.pipeline.datasets.coco_item import Item
from spotlabel.pipeline.datasets.coco_json import read_json
from spotlabel.pipeline.datasets.text import read_table
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.sequence import Sequence

Rows = Literal["ua-detrac", "uavdt", "mot"]

COLUMNS = ("frame", "index", "left", "top", "width", "height", "score", "column 8", "column 9", "column 10")
ORIGINS: Mapping[Rows, float] = {
    "ua-detrac": LAYOUTS["ua-detrac"].origin,
    "uavdt": LAYOUTS["uavdt"].origin,
    "mot": 1.0,
}
"""Coordinate of the left and top image edge."""
VOC_ORIGIN = 1.0


@dataclass(frozen=True)
class Found:
    """Detections of one sequence.

    Attributes:
        frame: int64 (D,), the dataset's frame numbers.
        xyxy: float64 (D, 4), ``x0, y0, x1, y1`` in pixel edges, 0-based.
        score: float64 (D,), higher is surer.
        kind: int64 (D,), index into ``names``; 0 where there are none.
        names: classes that the detections may have; None if they have none.
    """

    frame: Int64
    xyxy: Float64
    score: Float64
    kind: Int64
    names: tuple[str, ...] | None

    def __post_init__(self) -> None:
        check_columns("detections", self.frame, boxes=self.xyxy, score=self.score, kind=self.kind)

    @classmethod
    def of_sizes(
        cls, frame: Int64, ltwh: Float64, score: Float64, kind: Int64, names: tuple[str, ...] | None
    ) -> Found:
        """As the constructor, with left, top, width and height (D, 4)."""
        return cls(
            frame, np.concatenate([ltwh[:, :2], ltwh[:, :2] + ltwh[:, 2:]], axis=1), score, kind, names
        )


def read_found(
    path: Path, sequence: Sequence, ids: CocoIds | None, rows: Rows | None, any_class: bool
) -> Found:
    """Read the detections of a sequence.

    Args:
        path: a file of rows, a COCO results file, or a folder of ``comp4_det_*.txt``.
        sequence: whose they are.
        ids: what image and category ids of COCO results mean; None takes the ``<file>--images.json`` beside
            them, or takes the n-th picture for id n.
        rows: whose rows text files hold; None goes by the columns.
        any_class: COCO only, do not look at categories.

    Raises:
        DatasetError: the file cannot be used; names line or element.
    """
    if path.is_dir() and (path / "det" / "det.txt").is_file():
        path = path / "det" / "det.txt"
    if path.is_dir():
        return _read_comp4(path, sequence)
    if path.suffix.lower() == ".json":
        return _read_coco(path, sequence, ids, any_class)
    return _read_rows(path, sequence, rows)


def _read_rows(path: Path, sequence: Sequence, rows: Rows | None) -> Found:
    table = read_table(path, COLUMNS, 7)
    numbers = {name: table.number(name) for name in COLUMNS[2:7]}
    frame, width = table.whole("frame"), len(table.names)
    if rows is None:
        unnumbered = width == 7 and bool(len(frame)) and bool((table.number("index") == -1).all())
        rows = "uavdt" if width == 9 else "mot" if width != 7 or unnumbered else "ua-detrac"
    least = 0 if rows == "mot" else 1
    if (frame < least).any():
        row = int(np.argmax(frame < least))
        problem = f"frame is {frame[row]}, expected {least} or more ({rows} rows)"
        raise DatasetError.at(path, f"line {table.lines[row]}", problem)
    if int(sequence.frames.numbers[0]) == 0 and not (frame == 0).any():
        frame = frame - 1
    ltwh = np.stack([numbers[name] for name in COLUMNS[2:6]], axis=1)
    ltwh[:, :2] -= ORIGINS[rows]
    return Found.of_sizes(frame, ltwh, numbers["score"], np.zeros(len(frame), np.int64), None)


def _read_coco(path: Path, sequence: Sequence, ids: CocoIds | None, any_class: bool) -> Found:
    images, categories = _coco_ids(path, sequence, ids, any_class)
    names = None if categories is None else tuple(dict.fromkeys(categories.values()))
    places = None
    if categories is not None and names is not None:
        places = {key: names.index(name) for key, name in categories.items()}
    found = read_results(path, images, places)
    return Found.of_sizes(found.image, found.boxes, found.score, found.category, names)


def _coco_ids(
    path: Path, sequence: Sequence, ids: CocoIds | None, any_class: bool
) -> tuple[dict[Id, int], dict[Id, str] | None]:
    """Frame number by image id, and class by category id (None: they do not matter)."""
    clip = Clip(sequence.name, sequence.frames, sequence=sequence)
    if ids is not None:
        images = {image: number for number, image in ids.of_clip(clip).items()}
        return images, None if any_class else {value: name for name, value in ids.categories.items()}
    beside = path.with_name(f"{path.stem}{IMAGES_SUFFIX}")
    if beside.is_file():
        images, categories = _read_images(beside)
        return images, None if any_class else categories
    if not any_class:
        problem = f"nothing says which classes its categories are: no {beside.name} beside it"
        raise DatasetError.at(path, "", problem, "--coco-ids names a file that does, --any-class needs none")
    return {place: number for number, place in clip.image_ids().items()}, None


def _read_images(path: Path) -> tuple[dict[Id, int], dict[Id, str]]:
    """Frame numbers and classes by their ids, as ``spotlabel detect`` notes them beside its results."""
    document = read_json(path)
    parts = document if isinstance(document, dict) else {}
    images = {item.identifier("id"): item.whole("frame") for item in _items(path, parts, "images")}
    return images, {item.identifier("id"): item.text("name") for item in _items(path, parts, "categories")}


def _items(path: Path, document: Mapping[str, object], section: str) -> list[Item]:
    values = document.get(section)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise DatasetError.at(path, section, "expected a list of objects")
    return [Item(path, f"{section}[{n}]", value) for n, value in enumerate(values)]


def _read_comp4(folder: Path, sequence: Sequence) -> Found:
    prefix = f"{COMP4}{file_stem(sequence.name)}_"
    files = sorted(folder.glob("*.txt"))
    own = {path.stem.removeprefix(prefix): path for path in files if path.name.startswith(prefix)}
    if not own:
        there = f"there is {files[0].name}" if files else "there is none"
        raise DatasetError.at(folder, "", f"no {prefix}<class>.txt", there)
    clip = Clip(sequence.name, sequence.frames, sequence=sequence)
    numbers = {file.stem: number for number, file in clip.image_files().items()}
    if not numbers:
        raise DatasetError.at(folder, "", f"names image files, and {sequence.name} has none")
    parts = [read_comp4(path, numbers) for path in own.values()]
    ltwh = np.concatenate([part.boxes for part in parts])
    ltwh[:, :2] -= VOC_ORIGIN
    return Found.of_sizes(
        np.concatenate([part.frame for part in parts]),
        ltwh,
        np.concatenate([part.score for part in parts]),
        np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        tuple(own),
    )
