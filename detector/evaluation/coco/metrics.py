"""COCO's average precision through pycocotools (optional: ``pip install spotlabel[train]``)."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spotlabel.detector.evaluation.average_precision import EvaluationError
from spotlabel.detector.evaluation.matching import Bool
from spotlabel.detector.evaluation.records import Float64, Int64, check_columns

SUMMARY = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
"""Names of COCO's twelve figures, in its order."""

IOUS = tuple(0.5 + 0.05 * k for k in range(10))
"""IoU thresholds that AP is the mean over."""


@dataclass(frozen=True)
class CocoTruth:
    """Ground truth of a set of images.

    Attributes:
        images: number of images.
        categories: names of the categories.
        image: int64 (M,), position of the object's image, from 0.
        category: int64 (M,), index into ``categories``.
        boxes: float64 (M, 4), left, top, width, height.
        area: float64 (M,), square pixels, which tells small objects from large ones.
        crowd: bool (M,), a region that is no object and where detections are neither right nor wrong.
    """

    images: int
    categories: tuple[str, ...]
    image: Int64
    category: Int64
    boxes: Float64
    area: Float64
    crowd: Bool

    def __post_init__(self) -> None:
        columns = {"category": self.category, "area": self.area, "crowd": self.crowd}
        check_columns("COCO ground truth", self.image, boxes=self.boxes, **columns)


@dataclass(frozen=True)
class CocoDetections:
    """Detections in a set of images, in any order.

    Attributes:
        image: int64 (D,), position of the image, from 0.
        category: int64 (D,), index into the categories of the ground truth.
        boxes: float64 (D, 4), left, top, width, height.
        score: float64 (D,), higher is surer.
    """

    image: Int64
    category: Int64
    boxes: Float64
    score: Float64

    def __post_init__(self) -> None:
        check_columns(
            "COCO detections", self.image, boxes=self.boxes, category=self.category, score=self.score
        )

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class CategoryFigures:
    """Figures of one category, in [0, 1]; -1 where there are no objects.

    Attributes:
        ap: mean over the IoU thresholds.
        ap50: at IoU 0.5.
        objects: number of objects.
        by_iou: at each of :data:`IOUS`.
    """

    ap: float
    ap50: float
    objects: int
    by_iou: tuple[float, ...] = ()


@dataclass(frozen=True)
class CocoFigures:
    """COCO's figures of a set.

    Attributes:
        summary: by the names of :data:`SUMMARY`, in [0, 1]; -1 where there is nothing to measure.
        categories: by category name.
        precision: float64 (10, 101), mean over categories; rows are :data:`IOUS`, columns recall 0 to 1.
    """

    summary: Mapping[str, float]
    categories: Mapping[str, CategoryFigures]
    precision: Float64


def coco_figures(truth: CocoTruth, detections: CocoDetections, class_agnostic: bool = False) -> CocoFigures:
    """COCO's box figures: 10 IoU thresholds, 101 recalls, the 100 surest detections per image and category.

    Args:
        truth: ground truth.
        detections: detections in the same images.
        class_agnostic: take all categories for one, named ``object``.

    Raises:
        EvaluationError: pycocotools is not installed, or there is not one object.
    """
    coco_type, eval_type = _pycocotools()
    if truth.crowd.all():
        raise EvaluationError("COCO's figures need at least one object in the ground truth")
    names = ("object",) if class_agnostic else truth.categories
    kinds = [np.zeros_like(c) if class_agnostic else c for c in (truth.category, detections.category)]
    with contextlib.redirect_stdout(io.StringIO()):
        reference = coco_type()
        reference.dataset = _dataset(truth, kinds[0], len(names))
        reference.createIndex()
        results = _results(reference, coco_type, detections, kinds[1])
        evaluation = eval_type(reference, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # (10, 101, categories)
    counts = np.bincount(kinds[0][~truth.crowd], minlength=len(names)).tolist()
    return CocoFigures(
        summary=dict(zip(SUMMARY, map(float, evaluation.stats), strict=True)),
        categories={
            name: CategoryFigures(
                _mean(precision[..., k]),
                _mean(precision[0, :, k]),
                counts[k],
                tuple(_mean(of_iou[:, k]) for of_iou in precision),
            )
            for k, name in enumerate(names)
        },
        precision=precision[:, :, [count > 0 for count in counts]].mean(axis=2),
    )


def coco_summary(truth: Sequence[Float64], detections: Sequence[Float64]) -> dict[str, float]:
    """COCO's twelve figures over images whose boxes are at hand as arrays.

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
    objects, found = (np.concatenate([np.zeros((0, n)), *t]) for n, t in ((5, truth), (6, detections)))
    classes = np.unique(np.concatenate([objects[:, 4], found[:, 5]]))
    figures = coco_figures(
        CocoTruth(
            images=len(truth),
            categories=tuple(f"{value:g}" for value in classes.tolist()),
            image=_owners(truth),
            category=np.searchsorted(classes, objects[:, 4]),
            boxes=objects[:, :4],
            area=objects[:, 2] * objects[:, 3],
            crowd=np.zeros(len(objects), np.bool_),
        ),
        CocoDetections(_owners(detections), np.searchsorted(classes, found[:, 5]), found[:, :4], found[:, 4]),
    )
    return dict(figures.summary)


def _owners(tables: Sequence[Float64]) -> Int64:
    return np.repeat(np.arange(len(tables)), [len(table) for table in tables])


def _mean(precision: Float64) -> float:
    """Mean of the precisions that were measured; -1 without any."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else -1.0


def _pycocotools() -> tuple[Any, Any]:
    try:
        coco = importlib.import_module("pycocotools.coco")
        cocoeval = importlib.import_module("pycocotools.cocoeval")
    except ImportError as error:
        problem = f"COCO's figures need pycocotools, which cannot be imported: {error}"
        raise EvaluationError(f"{problem} (pip install spotlabel[train])") from error
    return coco.COCO, cocoeval.COCOeval


def _dataset(truth: CocoTruth, kind: Int64, categories: int) -> dict[str, Any]:
    columns = (truth.image, kind, truth.boxes, truth.area, truth.crowd)
    # Numbers from 1: pycocotools takes an annotation with id 0 for "not matched".
    annotations = [
        {"id": n, "image_id": i + 1, "category_id": c + 1, "bbox": box, "area": area, "iscrowd": int(crowd)}
        for n, (i, c, box, area, crowd) in enumerate(zip(*(x.tolist() for x in columns), strict=True), 1)
    ]
    return {
        "images": [{"id": number} for number in range(1, truth.images + 1)],
        "annotations": annotations,
        "categories": [{"id": number} for number in range(1, categories + 1)],
    }


def _results(reference: Any, coco_type: Any, detections: CocoDetections, kind: Int64) -> Any:
    if len(detections):
        columns = (detections.image + 1, detections.boxes, detections.score, kind + 1)
        return reference.loadRes(np.column_stack(columns))
    # pycocotools cannot load an empty result; a set without annotations is one.
    empty = coco_type()
    empty.dataset = {**reference.dataset, "annotations": []}
    empty.createIndex()
    return empty
