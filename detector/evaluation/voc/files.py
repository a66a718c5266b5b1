"""Ground truth of a VOCdevkit year, and result files ``comp4_det_<split>_<class>.txt``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spotlabel.detector.data.stills.voc_tree import VocTree
from spotlabel.detector.evaluation.records import Detections, Float64, Int64, Truth, check_columns
from spotlabel.detector.evaluation.voc.metrics import VocTruth
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.datasets.layout import inside
from spotlabel.pipeline.datasets.text import decimal, read_text
from spotlabel.pipeline.datasets.voc_xml import read_voc
from spotlabel.pipeline.errors import DatasetError

COLUMNS = ("score", "x0", "y0", "x1", "y1")

logger = logging.getLogger("spotlabel")


def read_voc_truth(root: Path, split: str) -> VocTruth:
    """Objects of the pictures in ``ImageSets/Main/<split>.txt``; classes in alphabetical order, as VOC's are.

    Raises:
        DatasetError: the list or an annotation file cannot be used, or a box in it has no area.
    """
    tree = VocTree(root)
    pictures = tree.names(split)
    files = [read_voc(tree.annotation(name)) for name in pictures]
    classes = sorted({name for file in files for name in file.boxes.class_names})
    boxes = [np.zeros((0, 4))]
    kinds = [np.zeros(0, np.int64)]
    for file in files:
        xyxy = file.boxes.rects.xyxy
        sides = xyxy[:, 2:] - xyxy[:, :2]
        bad = ~(np.isfinite(xyxy).all(axis=1) & (sides > 0).all(axis=1))
        if bad.any():
            where = file.boxes.rects.where(int(np.argmax(bad)))
            raise DatasetError.at(file.boxes.rects.path, where, "the box has no area, or is not finite")
        boxes.append(np.concatenate([xyxy[:, :2], sides], axis=1))
        own = np.array([classes.index(name) for name in file.boxes.class_names], np.int64)
        kinds.append(own[file.boxes.class_id])
    counts = [len(file.difficult) for file in files]
    difficult = np.concatenate([np.zeros(0, np.bool_), *(file.difficult for file in files)])
    objects = Truth(
        name=split,
        frames=len(pictures),
        frame=np.repeat(np.arange(1, len(pictures) + 1), counts),
        boxes=np.concatenate(boxes),
        labels={"class": np.concatenate(kinds), "difficult": difficult.astype(np.int64)},
    )
    return VocTruth(tuple(pictures), tuple(classes), objects)


def result_file(folder: Path, split: str, name: str) -> Path:
    """Where the detections of a class are.

    Raises:
        DatasetError: the name of the class leads out of the folder.
    """
    return inside(folder, f"comp4_det_{split}_{name}.txt", folder, f"class {name[:80]!r}")


def read_voc_results(folder: Path, split: str, truth: VocTruth) -> dict[str, Detections]:
    """Detections of every class of the truth; files of other classes are named in the log.

    Raises:
        DatasetError: a class has no file, or a line of one cannot be used.
    """
    wanted = {name: result_file(folder, split, name) for name in truth.classes}
    if folder.is_dir():
        for path in sorted({*folder.glob(f"comp4_det_{split}_*.txt")} - {*wanted.values()}):
            logger.warning("%s: left out, the ground truth has no object of this class", path)
    numbers = {picture: number for number, picture in enumerate(truth.pictures, 1)}
    return {name: read_comp4(path, numbers) for name, path in wanted.items()}


def read_comp4(path: Path, numbers: Mapping[str, int]) -> Detections:
    """Detections of one class: lines of picture, score, x0, y0, x1, y1; pixels are counted from 1.

    Args:
        path: the file; an empty one holds no detections.
        numbers: number of each picture.

    Returns:
        Left, top, width and height with the last pixel counted in, in the order of the file.

    Raises:
        DatasetError: names the line and the column.
    """
    if not path.is_file():
        advice = "a class without detections needs an empty file"
        raise DatasetError.at(path, "", "no such file", advice)
    frame: list[int] = []
    values: list[list[float]] = []
    for line, text in enumerate(read_text(path).split("\n"), 1):
        if words := text.split():
            place = f"line {line}"
            values.append(_numbers(path, place, words))
            if words[0] not in numbers:
                raise DatasetError.at(path, place, f"picture {words[0][:80]!r} is not in the split")
            frame.append(numbers[words[0]])
    table = np.array(values, np.float64).reshape(-1, 5)
    sides = table[:, 3:] - table[:, 1:3] + 1
    return Detections(
        np.array(frame, np.int64), np.concatenate([table[:, 1:3], sides], axis=1), table[:, 0].copy()
    )


def _numbers(path: Path, place: str, words: list[str]) -> list[float]:
    if len(words) != 6:
        problem = f"{len(words)} columns, expected picture, {', '.join(COLUMNS)} with blanks between"
        raise DatasetError.at(path, place, problem)
    values = []
    for name, word in zip(COLUMNS, words[1:], strict=True):
        try:
            value = decimal(word)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise DatasetError.at(path, place, f"{name} is {word[:40]!r}, expected a finite number")
        values.append(value)
    # A box without pixels stands with x1 = x0 - 1; anything below is no box, or one with swapped corners.
    for low, high in ((1, 3), (2, 4)):
        if values[high] < values[low] - 1:
            problem = f"{COLUMNS[high]} {values[high]:g} is below {COLUMNS[low]} {values[low]:g}"
            raise DatasetError.at(path, place, problem, "expected the corners x0, y0, x1, y1")
    return values


def write_comp4(path: Path, pictures: Sequence[str], frame: Int64, xyxy: Float64, score: Float64) -> None:
    """Write the detections of one class, by picture and from the surest down; the file appears whole or not.

    Args:
        path: file to write or replace.
        pictures: names of the pictures, none with a blank in it.
        frame: int64 (D,), numbers of the pictures, from 1.
        xyxy: float64 (D, 4), x0, y0, x1, y1 in pixel edges, 0-based.
        score: float64 (D,), written with the digits of single precision.

    Raises:
        ValueError: shapes disagree, a box or score is not finite, or a name has a blank in it.
    """
    check_columns("detections", frame, boxes=xyxy, score=score)
    if not (np.isfinite(xyxy).all() and np.isfinite(score).all()):
        raise ValueError("detections hold NaN or infinity")
    if any(name.split() != [name] for name in pictures):
        raise ValueError("names of pictures must not be empty or hold blanks")
    numbered = xyxy + np.array([1, 1, 0, 0])  # edges to the first and the last pixel, counted from 1
    single = score.astype(np.float32)
    lines = [
        f"{pictures[frame[i] - 1]} {single[i]!s} {' '.join(f'{v:.2f}' for v in numbered[i].tolist())}\n"
        for i in np.lexsort((-score, frame)).tolist()
    ]
    write_atomically(path, "".join(lines).encode())
