"""``from spotlabel import ...``: what is promised to stay, and that it does what the commands do."""

from __future__ import annotations

import ast
import importlib
import logging
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import spotlabel
from spotlabel.pipeline.errors import RecipeError
from tests.conftest import ROOT
from tests.helpers import recipes
from tests.helpers.recipes import environment, stores, tree, write
from tests.helpers.still_files import write_voc

HEAVY = {"numpy", "cv2", "torch", "h5py", "pydantic", "numba", "click", "yaml", "importlib.metadata"}


def python(code: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_importing_the_package_imports_nothing_heavy() -> None:
    found = python("import sys, spotlabel; dir(spotlabel); print(*sys.modules)").split()
    assert "spotlabel" in found
    assert not HEAVY & {*found}


@pytest.mark.parametrize("name", ["MaskReader", "load_recipe", "label", "relabel", "evaluate_uavdt"])
def test_what_needs_no_torch_imports_none(name: str) -> None:
    assert python(f"import sys, spotlabel; spotlabel.{name}; print('torch' in sys.modules)") == "False"


def test_every_public_name_is_there_and_listed() -> None:
    assert {*spotlabel.__all__} <= {*dir(spotlabel)}
    for name in spotlabel.__all__:
        assert getattr(spotlabel, name) is not None
    assert spotlabel.UNKNOWN == 255
    assert (spotlabel.BACKGROUND, spotlabel.FOREGROUND) == (0, 1)
    with pytest.raises(AttributeError, match="no attribute 'MaskRaeder'"):
        spotlabel.MaskRaeder  # noqa: B018 - it is looked up


def test_editors_see_the_names_that_running_code_gets() -> None:
    """What the type checker is told comes from where ``__getattr__`` finds it, and is all of ``__all__``."""
    told = {}
    for node in ast.walk(ast.parse((ROOT / "spotlabel" / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("spotlabel."):
            told |= {alias.name: node.module for alias in node.names}
    assert {*told, "__version__"} == {*spotlabel.__all__}
    for name, module in told.items():
        assert getattr(importlib.import_module(str(module)), name) is getattr(spotlabel, name)


@pytest.fixture
def small(tmp_path: Path) -> spotlabel.Recipe:
    """Two small videos."""
    return spotlabel.load_recipe(
        str(write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a", "b")))
    )


def test_label_makes_what_the_command_makes(small: spotlabel.Recipe, tmp_path: Path) -> None:
    outcomes = spotlabel.label(small, jobs=2)
    assert [(o.sequence, o.frames, o.evidence, o.masks) for o in outcomes] == [
        ("a", 12, "made", "made"),
        ("b", 12, "made", "made"),
    ]
    ran = recipes.spotlabel("label", tmp_path / "r.yaml", "--set", f"out={tmp_path / 'other'}", "--quiet")
    assert ran.returncode == 0, ran.stderr
    assert stores(small.out) == stores(tmp_path / "other")
    again = spotlabel.label(small)
    assert [(o.evidence, o.masks, o.boxes) for o in again] == [("fresh", "fresh", 12)] * 2
    mask = spotlabel.MaskReader(small.out / "masks" / "a.h5").read(5)
    assert mask.shape == (48, 64)
    assert {*np.unique(mask).tolist()} <= {spotlabel.BACKGROUND, spotlabel.FOREGROUND, spotlabel.UNKNOWN}


def test_relabel_follows_a_threshold_and_runs_no_labeler(small: spotlabel.Recipe, tmp_path: Path) -> None:
    with pytest.raises(spotlabel.LabellingError, match="2 of 2 videos failed; the first: a: evidence is"):
        spotlabel.relabel(small)
    spotlabel.label(small)
    before = stores(small.out)
    stricter = spotlabel.load_recipe(str(tmp_path / "r.yaml"), ["masks.min_blob=4000"])
    assert [(o.evidence, o.masks) for o in spotlabel.relabel(stricter, only=["b"])] == [("fresh", "made")]
    after = stores(small.out)
    assert {name for name in before if before[name] != after[name]} == {"masks/b.h5"}
    assert not (spotlabel.MaskReader(small.out / "masks" / "b.h5").read(5) == spotlabel.FOREGROUND).any()


def test_a_failed_video_is_an_error_that_holds_all_outcomes(small: spotlabel.Recipe, tmp_path: Path) -> None:
    (tmp_path / "data" / "a" / "img1" / "000003.jpg").write_bytes(b"no image")
    with pytest.raises(spotlabel.SpotlabelError, match=r"1 of 2 videos failed; the first: a: ") as caught:
        spotlabel.label(small)
    assert isinstance(caught.value, spotlabel.LabellingError)
    assert [(o.sequence, o.failed) for o in caught.value.outcomes] == [("a", True), ("b", False)]
    assert (small.out / "masks" / "b.h5").exists()


def test_label_refuses_what_cannot_be_meant(
    small: spotlabel.Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match="jobs: expected 1 or more, found 0"):
        spotlabel.label(small, jobs=0)
    with pytest.raises(RecipeError, match="c: no such sequence"):
        spotlabel.label(small, only=["c"])
    useless = spotlabel.load_recipe(str(tmp_path / "r.yaml"), ["masks.motion_threshold=2"])
    with caplog.at_level(logging.WARNING, "spotlabel"):
        spotlabel.label(useless, only=["a"])
    assert "masks.motion_threshold is set and has no effect" in caplog.text


def test_train_predict_and_go_on(tmp_path: Path) -> None:
    training = {
        "base": "small", "canvas": [32, 64], "every": 1, "every_held_out": 2, "epochs": 2, "batch": 2,
        "held_out": ["b"],
    }  # fmt: skip
    recipe = spotlabel.load_recipe(
        str(write(tmp_path / "r.yaml", tree(tmp_path / "d", tmp_path / "out", "a", "b", training=training)))
    )
    spotlabel.label(recipe)
    asked: list[int] = []

    def after_three_steps() -> bool:
        asked.append(1)
        return len(asked) > 3

    stopped = spotlabel.train(recipe, name="one", device="cpu", stop=after_three_steps)
    assert not stopped.complete
    done = spotlabel.train(recipe, name="one", device="cpu")
    assert done.complete
    assert done.folder == tmp_path / "out" / "training" / "one"
    assert [figures["epoch"] for figures in done.validations] == [0, 1, 2]
    assert all(0 <= figures["ap50"] <= 1 and 0 <= figures["seg_iou"] <= 1 for figures in done.validations)
    network, spec = spotlabel.load_model(str(done.best))
    predictor = spotlabel.Predictor(network, spec, spotlabel.PredictOptions(batch=2, count=7))
    images = [np.full((48, 64, 3), level, np.uint8) for level in (0, 90, 200)]
    assert [len(found.boxes) for found in predictor.predict(images)] == [7, 7, 7]
    plain = spotlabel.train(recipe, name="two", device="cpu")
    assert plain.best.read_bytes() == done.best.read_bytes()


def test_train_asks_for_masks(small: spotlabel.Recipe) -> None:
    with pytest.raises(spotlabel.SpotlabelError, match="a: has no masks"):
        spotlabel.train(small)


def test_evaluate_uavdt(tmp_path: Path) -> None:
    truth, found = tmp_path / "GT", tmp_path / "found"
    truth.mkdir()
    found.mkdir()
    (truth / "M0205_gt_whole.txt").write_text("1,1,10,10,20,20,1,1,1\n2,1,12,10,20,20,1,1,1\n")
    (truth / "M0205_gt_ignore.txt").write_text("")
    (found / "M0205.txt").write_text("1,-1,10,10,20,20,0.9,1,-1\n2,-1,12,10,20,20,0.7,1,-1\n")
    assert spotlabel.evaluate_uavdt(str(truth), str(found)).overall.ap == pytest.approx(1)
    with pytest.raises(ValueError, match=r"iou: expected more than 0 and at most 1, found 70"):
        spotlabel.evaluate_uavdt(truth, found, iou=70)


def test_evaluate_ua_detrac(tmp_path: Path) -> None:
    truth, found = tmp_path / "xml", tmp_path / "found"
    truth.mkdir()
    found.mkdir()
    (truth / "MVI_39031.xml").write_text(
        '<sequence name="MVI_39031"><sequence_attribute camera_state="stable" sence_weather="sunny"/>'
        '<frame density="1" num="1"><target_list><target id="1">'
        '<box left="10" top="10" width="100" height="80"/></target></target_list></frame></sequence>'
    )
    (found / "MVI_39031.txt").write_text("1,1,10,10,100,80,0.9\n1,2,500,110,20,20,0.5\n")
    result = spotlabel.evaluate_ua_detrac(truth, found, subsets={"mine": ["MVI_39031"]})
    assert result.overall.ap == pytest.approx(1)
    assert result.subsets["mine"].ap == result.subsets["sunny"].ap == result.overall.ap


def test_evaluate_coco(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed")
    (tmp_path / "truth.json").write_text(
        '{"images": [{"id": 3}], "categories": [{"id": 7, "name": "car"}], '
        '"annotations": [{"id": 1, "image_id": 3, "category_id": 7, "bbox": [10, 10, 20, 20]}]}'
    )
    (tmp_path / "found.json").write_text(
        '[{"image_id": 3, "category_id": 7, "bbox": [10, 10, 20, 20], "score": 0.9}]'
    )
    result = spotlabel.evaluate_coco(tmp_path / "truth.json", tmp_path / "found.json")
    assert result.figures.summary["AP"] == pytest.approx(1)


def test_evaluate_voc(tmp_path: Path) -> None:
    year = write_voc(tmp_path / "VOC2007", {"000001": ((100, 120), [("car", 1, 1, 10, 10)])}, images=False)
    (tmp_path / "comp4_det_test_car.txt").write_text("000001 0.9 1 1 10 10\n")
    assert spotlabel.evaluate_voc(year, "test", tmp_path).figures.area == pytest.approx(1)


def test_evaluate_attention(tmp_path: Path) -> None:
    truth, maps = tmp_path / "road", tmp_path / "maps" / "road"
    for folder in (truth / "input", truth / "groundtruth", maps):
        folder.mkdir(parents=True)
    exact = np.zeros((8, 8), np.uint8)
    exact[:4] = 255
    cv2.imwrite(str(truth / "input" / "in000001.png"), np.zeros((8, 8, 3), np.uint8))
    cv2.imwrite(str(truth / "groundtruth" / "gt000001.png"), exact)
    cv2.imwrite(str(truth / "ROI.bmp"), np.full((8, 8), 255, np.uint8))
    (truth / "temporalROI.txt").write_text("1 1")
    cv2.imwrite(str(maps / "in000001.png"), exact // 2)
    result = spotlabel.evaluate_attention(truth, tmp_path / "maps", thresholds=(0.4, 0.6))
    assert result.mean_f(0.4) == pytest.approx(1)
    assert not result.mean_f(0.6) > 0
    for thresholds in ((), (0.5, 67)):
        with pytest.raises(ValueError, match="thresholds: expected one or more in"):
            spotlabel.evaluate_attention(truth, tmp_path / "maps", thresholds=thresholds)
    with pytest.raises(spotlabel.SpotlabelError, match="no such folder of attention maps"):
        spotlabel.evaluate_attention(truth, tmp_path / "none")
