"""What was found in a sequence, and the benchmarks' files of it: UA-DETRAC and UAVDT text, COCO JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.detector.errors import PredictionError
from spotlabel.detector.evaluation.traffic.files import Benchmark, Compat, write_detections
from spotlabel.detector.evaluation.voc.files import result_file, write_comp4
from spotlabel.detector.prediction.predictor import Prediction
from spotlabel.pipeline.atomic import write_atomically

Id = int | str


@dataclass(frozen=True)
class FrameResult:
    """One frame's detections.

    Attributes:
        number: the frame's number in its sequence.
        size: height and width of the image.
        found: the detections, without attention maps.
    """

    number: int
    size: tuple[int, int]
    found: Prediction

    @classmethod
    def of(cls, number: int, size: tuple[int, int], found: Prediction, min_score: float) -> FrameResult:
        """Keep what is to be written: fillers only where every row counts (``min_score`` 0)."""
        kept = found.at_least(min_score) if min_score > 0 else found
        return cls(number, size, replace(kept, attention={}))

    def clipped(self) -> Prediction:
        """Detections cut at the image border; fillers and boxes with no area left inside are left out."""
        height, width = self.size
        found = self.found.at_least(0)
        boxes = np.clip(found.boxes, 0, [width, height, width, height])
        rows = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return Prediction(boxes[rows], found.score[rows], found.class_id[rows])


def write_text(
    path: Path,
    benchmark: Benchmark,
    frames: Sequence[FrameResult],
    *,
    compat: Compat = Compat.CLEAN,
    only: Collection[int] | None = None,
) -> int:
    """Write the detections of one sequence as rows; the file appears whole or not at all.

    Sequences whose frame numbers begin at 0 are written from 1 on: both benchmarks count so.

    Args:
        path: file to write or replace.
        benchmark: ``ua-detrac`` or ``uavdt``.
        frames: the sequence, in frame order.
        compat: clean rows, or rows as SpotNet's published files have them (with fillers, not clipped).
        only: numbers of the frames to write, None for all; SpotNet's files lack frames without ground truth.

    Returns:
        Number of rows.

    Raises:
        ValueError: a box or score is not finite.
    """
    chosen = [frame for frame in frames if only is None or frame.number in only]
    clean = compat is Compat.CLEAN
    found = [frame.clipped() if clean else frame.found for frame in chosen]
    first = 1 if frames and frames[0].number == 0 else 0
    numbers = [np.full(len(rows), frame.number + first) for frame, rows in zip(chosen, found, strict=True)]
    height, width = (max((frame.size[axis] for frame in chosen), default=1) for axis in (0, 1))
    return write_detections(
        path,
        benchmark,
        _joined(numbers, np.zeros(0)).astype(np.int64),
        _joined([rows.boxes for rows in found], np.zeros((0, 4))),
        _joined([rows.score for rows in found], np.zeros(0)),
        image=(height, width),
        compat=compat,
    )


def write_voc(
    folder: Path,
    split: str,
    frames: Sequence[FrameResult],
    pictures: Mapping[int, str],
    class_names: Sequence[str],
) -> list[Path]:
    """Write detections as VOC's results: ``comp4_det_<split>_<class>.txt``, one file for each class.

    Args:
        folder: where they go; made if need be.
        split: name of the list that names the pictures.
        frames: the pictures.
        pictures: what each is called, by its number.
        class_names: of the model.

    Returns:
        The files, one per class, empty ones included.

    Raises:
        DatasetError: the name of a class leads out of the folder.
        PredictionError: a picture has no file, or a name with a blank in it.
    """
    names = [pictures.get(frame.number, "") for frame in frames]
    for name in names:
        if name.split() != [name]:
            raise PredictionError(f"picture {name!r}: VOC's results need names of image files without blanks")
    folder.mkdir(parents=True, exist_ok=True)
    found = [frame.clipped() for frame in frames]
    number = np.repeat(np.arange(1, len(frames) + 1), [len(rows) for rows in found])
    boxes = _joined([rows.boxes for rows in found], np.zeros((0, 4)))
    score = _joined([rows.score for rows in found], np.zeros(0))
    label = _joined([rows.class_id for rows in found], np.zeros(0))
    files = []
    for k, name in enumerate(class_names):
        own = label == k
        files.append(result_file(folder, split, name))
        write_comp4(files[-1], names, number[own], boxes[own], score[own])
    return files


def coco_rows(
    frames: Sequence[FrameResult], image_ids: Sequence[Id], category_ids: Sequence[Id]
) -> list[dict[str, Any]]:
    """Detections as COCO's results format has them: clipped boxes as x, y, width, height, 0-based.

    Args:
        frames: the images.
        image_ids: one per image.
        category_ids: one per class of the model.

    Returns:
        One dict per detection: ``image_id``, ``category_id``, ``bbox`` (to 0.01 px), ``score``.
    """
    rows = []
    for frame, image_id in zip(frames, image_ids, strict=True):
        found = frame.clipped()
        corners = found.boxes.round(2)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).round(2)
        for box, score, label in zip(boxes.tolist(), found.score, found.class_id.tolist(), strict=True):
            if min(box[2:]) > 0:
                rows.append(
                    {
                        "image_id": image_id,
                        "category_id": category_ids[label],
                        "bbox": box,
                        "score": float(str(np.float32(score))),  # the digits of single precision, no more
                    }
                )
    return rows


def write_coco(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write COCO results, one detection a line; the file appears whole or not at all."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    write_atomically(path, f"[\n{lines}\n]\n".encode())


def write_images(
    path: Path,
    frames: Sequence[FrameResult],
    image_ids: Sequence[int],
    file_names: Mapping[int, str],
    class_names: Sequence[str],
) -> None:
    """Write which pictures the ids of COCO results are, as an annotations file without annotations.

    Args:
        path: file to write or replace.
        frames: the pictures.
        image_ids: one per picture.
        file_names: name of the file that a frame is in, by its number; may lack some.
        class_names: of the model; their ids count from 1.
    """
    images = [
        {
            "id": image_id,
            "file_name": file_names.get(frame.number, ""),
            "frame": frame.number,
            "width": frame.size[1],
            "height": frame.size[0],
        }
        for frame, image_id in zip(frames, image_ids, strict=True)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(class_names, start=1)]
    document = {"images": images, "categories": categories, "annotations": []}
    write_atomically(path, f"{json.dumps(document, ensure_ascii=False, indent=1)}\n".encode())


def _joined(parts: Sequence[npt.NDArray[Any]], nothing: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.concatenate([nothing, *parts])
