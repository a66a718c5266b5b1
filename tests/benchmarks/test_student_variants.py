"""What each part of a student brings: the variants, on a rendered scene with a tiny teacher."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotlabel.labelers.learned.segmenter import Segmenter
from spotlabel.labelers.learned.settings import TeachingSettings
from tests.helpers.segmenters import segmenter

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")
pytest.importorskip("torch", reason="needs spotlabel[teach]")

from benchmarks.learned import ablation as command
from benchmarks.learned.ablation import Ablation, Video, _Results, _videos
from benchmarks.learned.variants import VARIANTS, Variant

TEACHING = TeachingSettings(size=64, steps=2, batch=2, boxes=12)
AS_IT_IS = VARIANTS[0]
TEACHER = segmenter(evidence=True)
"""It repeats what the other labeler says, so that there is something to teach."""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Video]:
    folder = tmp_path_factory.mktemp("ablation")
    (folder / "network.onnx").write_bytes(TEACHER)
    scenes = [
        {"name": name, "seed": seed, "width": 160, "height": 96, "frames": 24}
        for seed, name in enumerate(("one", "two"))
    ]
    group = {"dataset": {"reader": "synthetic", "scenes": scenes}, "labeler": {"fixed": "filled-box"}}
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(command.GROUPS, "tiny", group)
        return _videos(folder, folder / "out", "tiny", folder / "network.onnx", ())


def ablation(videos: list[Video]) -> Ablation:
    return Ablation(videos, TEACHING, {"network": TEACHER})


def test_every_variant_has_a_row_of_its_own() -> None:
    assert len({variant.title for variant in VARIANTS}) == len(VARIANTS)
    assert Variant("as it is") == AS_IT_IS


def test_boxes_are_shares_of_what_is_set() -> None:
    some = TeachingSettings(boxes=150)
    assert [variant.taught(some, 4).boxes for variant in VARIANTS[:3]] == [150, 50, 300]
    shared = {variant.shared: variant.taught(some, 4).boxes for variant in VARIANTS}
    assert shared == {"": 150, "whole": 150, "each": 600}


def test_a_student_for_all_of_one_video_is_that_videos(videos: list[Video]) -> None:
    found = ablation(videos[:1]).figures
    assert (
        found(AS_IT_IS) == found(replace(AS_IT_IS, shared="whole")) == found(replace(AS_IT_IS, shared="each"))
    )


def test_each_video_has_a_figure_and_the_teacher_is_asked_once(
    videos: list[Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ablation(videos).figures(AS_IT_IS)
    assert len(first) == 2
    run = Segmenter._run

    def never_the_teacher(self: Segmenter, crops: Any) -> Any:
        assert crops.shape[2] == TEACHING.size
        return run(self, crops)

    monkeypatch.setattr(Segmenter, "_run", never_the_teacher)
    assert ablation(videos).figures(AS_IT_IS) == first


def test_a_student_without_the_other_labelers_evidence_never_sees_it(
    videos: list[Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, seen = Segmenter._run, set[float]()

    def watched(self: Segmenter, crops: Any) -> Any:
        if crops.shape[2] == TEACHING.size:
            seen.update(np.unique(crops[:, 4]).tolist())
        return run(self, crops)

    monkeypatch.setattr(Segmenter, "_run", watched)
    (variant,) = (one for one in VARIANTS if not one.aided)
    ablation(videos[:1]).figures(variant)
    assert seen == {0.0}
    ablation(videos[:1]).figures(AS_IT_IS)
    assert min(seen) < -0.9
    assert max(seen) > 0.9


def test_rows_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert _Results(path, "with a").once("row", lambda: [1.0]) == [1.0]
    assert _Results(path, "with a").once("row", lambda: [2.0]) == [1.0]
    assert _Results(path, "with b").once("row", lambda: [2.0]) == [2.0]
    assert json.loads(path.read_text()) == {"with a": {"row": [1.0]}, "with b": {"row": [2.0]}}
