"""COCO's figures through pycocotools."""

import sys

import numpy as np
import pytest

from spotlabel.detector.evaluation.average_precision import EvaluationError, evaluate, interpolated
from spotlabel.detector.evaluation.coco import metrics as coco
from spotlabel.detector.evaluation.matching import match_sequence
from spotlabel.detector.evaluation.records import Detections, Truth


def test_coco_agrees_with_the_pooled_curve(monkeypatch):
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    rng = np.random.default_rng(5)
    truth, found = [], []
    for count in (3, 0, 7, 21, 22):  # 53 objects: a prime, so that no recall falls on a rounded level
        low = rng.uniform(0, 200, (count, 2))
        objects = np.concatenate([low, rng.uniform(20, 90, (count, 2))], 1)
        copies = np.repeat(objects, 2, 0) * rng.uniform(0.9, 1.1, (2 * count, 4))
        stray = np.concatenate([rng.uniform(0, 200, (5, 2)), rng.uniform(20, 90, (5, 2))], 1)
        boxes = np.concatenate([copies, stray])
        truth.append(np.concatenate([objects, np.ones((count, 1))], 1))
        found.append(np.column_stack([boxes, rng.random(len(boxes)), np.ones(len(boxes))]))
    figures = coco.coco_summary(truth, found)
    frames = np.arange(1, 6)
    ours = Truth("S", 5, np.repeat(frames, [len(t) for t in truth]), np.concatenate(truth)[:, :4])
    table = np.concatenate(found)
    theirs = Detections(np.repeat(frames, [len(f) for f in found]), table[:, :4], table[:, 4])
    curves = [evaluate([match_sequence(ours, theirs, iou)]) for iou in np.linspace(0.5, 0.95, 10)]
    aps = [interpolated(c.recall, c.precision, 101) for c in curves]
    assert figures["AP"] == pytest.approx(np.mean(aps), abs=1e-9)
    assert figures["AP50"] == pytest.approx(aps[0], abs=1e-9)
    assert figures["AP75"] == pytest.approx(aps[5], abs=1e-9)
    assert 0.1 < figures["AP"] < 0.9
    nothing = coco.coco_summary(truth, [f[:0] for f in found])
    assert (nothing["AP"], nothing["AR100"]) == (0, 0)
    with pytest.raises(EvaluationError, match="at least one object"):
        coco.coco_summary([t[:0] for t in truth], found)


def test_coco_without_pycocotools_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(EvaluationError, match=r"need pycocotools.*pip install spotlabel\[train\]"):
        coco.coco_summary([np.zeros((1, 5))], [np.zeros((0, 6))])
