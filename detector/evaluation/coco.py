"""COCO's average precision through pycocotools (optional: ``pip install spotlabel[train]``)."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from detector.evaluation.average_precision import EvaluationError
from detector.evaluation.records import Float64

SUMMARY = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
"""Names of COCO's twelve figures, in its order."""


def coco_summary(truth: Sequence[Float64], detections: Sequence[Float64]) -> dict[str, float]:
    """COCO's twelve figures over the images of a set.

    Args:
        truth: per image (M, 5), left, top, width, height, class.
        detections: per image (D, 6), left, top, width, height, score, class.

    Returns:
        By the names of :data:`SUMMARY`, in [0, 1]; -1 where there is nothing to measure, as COCO has it.

    Raises:
        EvaluationError: pycocotools is not installed, or there is not one object.
        ValueError: the two lists differ in length.
    """
    if len(truth) != len(detections):
        raise ValueError(f"{len(truth)} images with ground truth, {len(detections)} with detections")
    coco_type, eval_type = _pycocotools()
    objects = _annotations(truth)
    if not objects:
        raise EvaluationError("COCO's figures need at least one object in the ground truth")
    with contextlib.redirect_stdout(io.StringIO()):
        reference = coco_type()
        reference.dataset = _dataset(truth, objects)
        reference.createIndex()
        evaluation = eval_type(reference, _results(reference, coco_type, detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(SUMMARY, map(float, evaluation.stats), strict=True))


def _pycocotools() -> tuple[Any, Any]:
    try:
        coco = importlib.import_module("pycocotools.coco")
        cocoeval = importlib.import_module("pycocotools.cocoeval")
    except ImportError as error:
        problem = f"COCO's figures need pycocotools, which cannot be imported: {error}"
        raise EvaluationError(f"{problem} (pip install spotlabel[train])") from error
    return coco.COCO, cocoeval.COCOeval


def _annotations(truth: Sequence[Float64]) -> list[dict[str, Any]]:
    rows = ((image, row) for image, table in enumerate(truth, 1) for row in table.tolist())
    return [
        {
            "id": number,
            "image_id": image,
            "bbox": row[:4],
            "area": row[2] * row[3],
            "category_id": int(row[4]),
            "iscrowd": 0,
        }
        for number, (image, row) in enumerate(rows, 1)
    ]


def _dataset(truth: Sequence[Float64], objects: list[dict[str, Any]]) -> dict[str, Any]:
    categories = sorted({annotation["category_id"] for annotation in objects})
    return {
        "images": [{"id": image} for image in range(1, len(truth) + 1)],
        "annotations": objects,
        "categories": [{"id": category} for category in categories],
    }


def _results(reference: Any, coco_type: Any, detections: Sequence[Float64]) -> Any:
    tables = [
        np.concatenate([np.full((len(table), 1), image), table], axis=1)
        for image, table in enumerate(detections, 1)
    ]
    rows = np.concatenate([*tables, np.zeros((0, 7))])
    if len(rows):
        return reference.loadRes(rows)
    # pycocotools cannot load an empty result; a set without annotations is one.
    empty = coco_type()
    empty.dataset = {**reference.dataset, "annotations": []}
    empty.createIndex()
    return empty
