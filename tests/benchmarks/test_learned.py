"""The comparison of labeler, network and both, on a rendered scene with a tiny network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.learned.some_frames import Replayed, SomeFrames, compared
from spotlabel.labelers.base import Evidence, EvidenceKind
from spotlabel.pipeline.measures.quality import measure
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import EvidenceReader
from spotlabel.pipeline.upkeep.plan import Item, items
from tests.helpers.segmenters import segmenter

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")


@pytest.fixture(scope="module")
def item(tmp_path_factory: pytest.TempPathFactory) -> Item:
    scene = {"name": "street", "seed": 3, "width": 160, "height": 96, "frames": 24}
    kept = {"weak_boxes": "keep", "warm_up": "keep", "ignore_regions": "background"}
    recipe = build_recipe({
        "out": str(tmp_path_factory.mktemp("out")),
        "dataset": {"reader": "synthetic", "scenes": [scene]},
        "labeler": "mog2",
        "masks": {"preset": "default", **kept},
    })  # fmt: skip
    assert run_sequence(recipe, "street", False, lambda stage, done, total: None).error == ""
    return items(recipe)[0]


def test_frames_with_objects_are_chosen(item: Item) -> None:
    clip = SomeFrames(item, 5, 3)
    positions = [frame.position for frame in clip.truth]
    assert len(clip) == len(positions) == 3
    assert all(truth.foreground.any() for truth in clip.truth)
    assert [frame.number for frame in clip] == positions
    assert [frame.number for frame in clip.sampled(2)] == positions[::2]
    assert clip.boxes == sum(len(frame.boxes) for frame in clip)


def test_the_labelers_figures_are_those_of_its_masks(item: Item) -> None:
    clip = SomeFrames(item, 1, 99)
    found = compared(item, clip, {"network": segmenter()})
    assert set(found) == {"labeler", "teacher", "fused"}
    expected = measure(item.sequence, item.mask_path)
    assert len(clip) == expected.frames
    assert found["labeler"].f_measure == pytest.approx(expected.counts.f_measure)
    assert found["labeler"].mean_iou == pytest.approx(expected.mean_iou)


def test_the_truth_itself_is_faultless(item: Item) -> None:
    clip = SomeFrames(item, 4, 9)
    boxes = [
        np.logical_or.reduce([np.zeros(clip.size, np.bool_), *map(_inside(clip.size), frame.boxes)])
        for frame in clip
    ]
    perfect = [Evidence(t.foreground & inside) for t, inside in zip(clip.truth, boxes, strict=True)]
    figures = clip.figures(perfect, EvidenceKind.BINARY, 0)
    assert figures.f_measure > 0.93
    assert figures.mean_iou > 0.85


def _inside(size: tuple[int, int]):
    def plane(box: np.ndarray) -> np.ndarray:
        found = np.zeros(size, np.bool_)
        x0, y0, x1, y1 = box
        found[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
        return found

    return plane


def test_replayed_evidence_is_the_stores(item: Item) -> None:
    clip, reader = SomeFrames(item, 5, 3), EvidenceReader(Path(item.evidence_path))
    found = list(Replayed(reader).label(clip))
    for evidence, frame in zip(found, clip, strict=True):
        assert np.array_equal(evidence.values, reader.read(frame.number))
