"""Detections and attention maps on disk, measured by the benchmarks' own rules (``spotlabel evaluate``)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from spotlabel.detector.evaluation.attention.maps import THRESHOLD
from spotlabel.detector.evaluation.attention.run import AttentionResult, run_attention
from spotlabel.detector.evaluation.coco.report import CocoResult, run_coco
from spotlabel.detector.evaluation.traffic.benchmarks import Request, Result, run_detrac, run_uavdt
from spotlabel.detector.evaluation.traffic.uavdt import IOU
from spotlabel.detector.evaluation.voc import metrics as voc
from spotlabel.detector.evaluation.voc.report import VocResult, run_voc

AnyPath = str | os.PathLike[str]


def evaluate_ua_detrac(
    truth: AnyPath,
    detections: AnyPath,
    *,
    only: Sequence[str] = (),
    subsets: Mapping[str, Sequence[str]] | None = None,
    iou: float = IOU,
    regions: AnyPath | None = None,
    drop_degenerate: bool = False,
) -> Result:
    """UA-DETRAC's detection benchmark (Wen et al., 2020), as its toolkit computes it.

    Args:
        truth: folder of the annotation files (XML).
        detections: folder with ``<sequence>.txt`` or ``<sequence>_Det_<detector>.txt``, rows of 7 columns.
        only: sequence names; empty takes every sequence that has detections.
        subsets: sequences of further subsets, by name; those by weather come by themselves.
        iou: smallest overlap of a match, in (0, 1].
        regions: folder of ``*_IgR.txt``; None takes the ignored regions of the annotation files.
        drop_degenerate: leave out boxes without area, at which the toolkit stops.

    Raises:
        DatasetError: a file is missing or cannot be used, or a name in ``only`` has no detections.
        EvaluationError: a subset without results, or boxes that the toolkit's format check refuses.
        ValueError: ``iou`` is not in (0, 1].
    """
    _check_iou(iou)
    return run_detrac(
        Request(
            Path(truth), Path(detections), only=tuple(only), lists=subsets or {}, iou=iou,
            regions=_path(regions), drop_degenerate=drop_degenerate,
        )
    )  # fmt: skip


def evaluate_uavdt(
    truth: AnyPath,
    detections: AnyPath,
    *,
    only: Sequence[str] = (),
    subsets: Mapping[str, Sequence[str]] | None = None,
    iou: float = IOU,
    attributes: AnyPath | None = None,
) -> Result:
    """UAVDT's detection benchmark (Du et al., ECCV 2018), as its toolkit computes it.

    Args:
        truth: the benchmark's folder ``GT`` with ``*_gt_whole.txt`` and ``*_gt_ignore.txt``.
        detections: folder with ``<sequence>.txt``, rows of 9 columns.
        only: sequence names; empty takes every sequence that has detections.
        subsets: sequences of further subsets, by name; those by attribute come by themselves.
        iou: smallest overlap of a match, in (0, 1].
        attributes: folder of ``*_attr.txt``; None takes what the toolkit says of the test sequences.

    Raises:
        DatasetError: a file is missing or cannot be used, or a name in ``only`` has no detections.
        EvaluationError: a subset without results.
        ValueError: ``iou`` is not in (0, 1].
    """
    _check_iou(iou)
    return run_uavdt(
        Request(
            Path(truth), Path(detections), only=tuple(only), lists=subsets or {}, iou=iou,
            attributes=_path(attributes),
        )
    )  # fmt: skip


def evaluate_coco(truth: AnyPath, detections: AnyPath, *, class_agnostic: bool = False) -> CocoResult:
    """COCO's twelve box figures and AP per category, by pycocotools.

    Args:
        truth: annotations file (JSON).
        detections: results file (JSON): a list of ``image_id``, ``category_id``, ``bbox`` and ``score``.
        class_agnostic: take all categories for one; ``category_id`` may be missing.

    Raises:
        DatasetError: a file cannot be read, or an element of it cannot be used.
        EvaluationError: pycocotools is not installed, or there is not one object.
    """
    return run_coco(Path(truth), Path(detections), class_agnostic)


def evaluate_voc(truth: AnyPath, split: str, detections: AnyPath, *, iou: float = voc.IOU) -> VocResult:
    """PASCAL VOC's AP per class and its mean, with 11 points and as an area (Everingham et al., 2010).

    Args:
        truth: folder of a year, with ``Annotations/`` and ``ImageSets/Main/``.
        split: name of the list of pictures, ``ImageSets/Main/<split>.txt``.
        detections: folder of ``comp4_det_<split>_<class>.txt``.
        iou: smallest overlap of a match, in (0, 1].

    Raises:
        DatasetError: a file is missing or cannot be used.
        EvaluationError: no object that counts.
        ValueError: ``iou`` is not in (0, 1].
    """
    _check_iou(iou)
    return run_voc(Path(truth), split, Path(detections), iou)


def evaluate_attention(
    truth: AnyPath,
    maps: AnyPath,
    *,
    only: Sequence[str] = (),
    thresholds: Sequence[float] = (THRESHOLD,),
    whole_maps: bool = False,
) -> AttentionResult:
    """F-measure of attention maps by CDnet's rules (Wang et al., CVPRW 2014), cut at thresholds.

    Args:
        truth: root of CDnet, one of its categories, or a single sequence folder.
        maps: folder with ``<category>/<sequence>/in000001.png`` or ``<sequence>/in000001.png``: 8-bit
            grey, 0 the least and 255 the most attention of the frame. Beside them may lie ``boxes.json``,
            as ``spotlabel detect --attention`` writes it: what is outside these boxes is background.
        only: sequence names; empty takes every sequence that has maps.
        thresholds: where maps are cut, in [0, 1].
        whole_maps: do not look at ``boxes.json``.

    Raises:
        DatasetError: no usable ground truth, maps or boxes, or an evaluated frame without a map or boxes.
        ValueError: no threshold, or one outside [0, 1].
    """
    if not thresholds or not all(0 <= threshold <= 1 for threshold in thresholds):
        raise ValueError(f"thresholds: expected one or more in [0, 1], found {list(thresholds)}")
    return run_attention(Path(truth), Path(maps), tuple(only), tuple(thresholds), whole_maps)


def _check_iou(iou: float) -> None:
    if not 0 < iou <= 1:
        raise ValueError(f"iou: expected more than 0 and at most 1, found {iou:g}")


def _path(given: AnyPath | None) -> Path | None:
    return None if given is None else Path(given)
