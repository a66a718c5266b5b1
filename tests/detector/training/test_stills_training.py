"""Still pictures trained on, looked at and measured, by the commands and from Python."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spotlabel.detector.data.stills.settings import StillsSettings, open_stills
from spotlabel.detector.from_recipe import asked
from spotlabel.detector.model import ModelSpec, load_model
from spotlabel.detector.training.context import Watcher
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.run import Asked, describe, start
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.stills import HeldPictures, StillsAsked, open_stills_material
from spotlabel.pipeline.errors import DatasetError, RecipeError
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.validation import validated
from tests.helpers.recipes import spotlabel, write
from tests.helpers.still_files import write_rectangles_coco, write_rectangles_voc, write_voc

torch.set_num_threads(1)

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
SMALL: dict[str, Any] = {"base": "small", "preset": "faster-rcnn", "epochs": 1, "batch": 2, "pictures": 1}
VOC = {"reader": "voc", "root": "VOCdevkit/VOC2007"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stills")
    write_rectangles_voc(folder / "VOCdevkit" / "VOC2007", "trainval", [f"{k:06}" for k in range(1, 13)])
    write_rectangles_voc(folder / "VOCdevkit" / "VOC2007", "test", ["000101", "000102", "000103"], seed=9)
    write_rectangles_coco(folder / "coco", "train.json", "train", [f"t{k}" for k in range(8)])
    write_rectangles_coco(folder / "coco", "val.json", "val", ["v1", "v2"], seed=9)
    return folder


def stills(**changes: Any) -> StillsSettings:
    plain = {"train": [{**VOC, "split": "trainval"}], "short": 48, "long": 64, "every_held_out": 4, **changes}
    return validated(StillsSettings, plain, "stills")


def tree(data: Path, out: Path, **changes: Any) -> dict[str, Any]:
    parts = {"train": [{**VOC, "split": "trainval"}], "test": [{**VOC, "split": "test"}]}
    section = {**parts, "short": 48, "long": 64, "every_held_out": 4}
    return {"data": str(data), "out": str(out), "stills": section, "training": SMALL, **changes}


def ran(*arguments: object) -> subprocess.CompletedProcess[str]:
    found = spotlabel(*arguments, **ONE_THREAD)
    assert found.returncode == 0, found.stderr
    return found


# --- by the commands ---------------------------------------------------------------------------------------


def test_a_voc_tree_goes_through_train_detect_and_evaluate(data: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path / "voc.yaml", tree(data, tmp_path / "out"))
    assert "held_out: 3" in ran("train", recipe, "--dry-run").stdout
    ran("train", recipe, "--name", "run")
    folder = tmp_path / "out" / "training" / "run"
    assert (folder / "pictures" / "epoch-001.jpg").is_file()
    assert json.loads((folder / "split.json").read_text())["rule"] == "one in 4 pictures of stills.train"
    spec = load_model(folder / "last.safetensors")[1]
    assert (spec.sides, len(spec.class_names)) == ((48, 64), 20)

    detected = ran("detect", folder / "last.safetensors", "--recipe", recipe, "--draw", "1")
    results = tmp_path / "out" / "detections" / "VOC2007-test"
    assert len(list(results.glob("comp4_det_test_*.txt"))) == 20
    assert "comp4" not in detected.stdout
    assert str(tmp_path / "out" / "detections" / "pictures" / "VOC2007-test" / "sheet.png") in detected.stdout
    assert (
        "nothing to do"
        in ran("detect", folder / "last.safetensors", "--recipe", recipe, "--draw", "1").stdout
    )
    truth = ("--truth", data / "VOCdevkit" / "VOC2007", "--split", "test")
    figures = json.loads(ran("evaluate", "voc", *truth, "--detections", results, "--json").stdout)
    assert {name: row["objects"] for name, row in figures["classes"].items()} == {"bus": 3, "car": 3}


def test_a_coco_set_goes_through_train_detect_and_evaluate(data: Path, tmp_path: Path) -> None:
    def part(split: str) -> dict[str, str]:
        return {"reader": "coco", "annotations": f"annotations/{split}.json", "images": split}

    section = {"train": [part("train")], "held_out": [part("val")], "short": 48, "long": 64}
    recipe = write(tmp_path / "coco.yaml", tree(data / "coco", tmp_path / "out", stills=section))
    ran("train", recipe, "--name", "run", "--set", "training.preset=als", "--set", "training.epochs=2")
    folder = tmp_path / "out" / "training" / "run"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {"ap50", "ap70", "loc_iou"} <= {key for line in lines for key in line}
    ran("detect", folder / "last.safetensors", "--recipe", recipe)
    results = tmp_path / "out" / "detections" / "val.json"
    found = json.loads(results.read_text())
    assert {row["image_id"] for row in found} <= {10, 20}
    assert {row["category_id"] for row in found} <= {3, 6}
    truth = data / "coco" / "annotations" / "val.json"
    figures = json.loads(ran("evaluate", "coco", "--truth", truth, "--detections", results, "--json").stdout)
    assert sum(row["objects"] for row in figures["categories"].values()) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("label", "RECIPE"), "the recipe is about still pictures (stills): there are no videos"),
        (
            ("train", "RECIPE", "--only", "a"),
            "--only: chooses videos, and the recipe is about",
        ),
        (("train", "RECIPE", "--set", "training.canvas=[64,64]"), "training.canvas: is about videos"),
        (("train", "RECIPE", "--set", "stills.shrt=3"), "stills.shrt: unknown key; did you mean 'short'?"),
        (
            ("train", "RECIPE", "--set", "stills.classes=[tram]"),
            "no part has the class 'tram'",
        ),
        (("train", "RECIPE", "--set", "training.batch=50"), "too few for 50 a batch"),
        (("train", "RECIPE", "--set", "dataset.reader=mot"), "stills: stands beside dataset"),
    ],
)
def test_what_cannot_be_is_one_line(
    data: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    recipe = write(tmp_path / "r.yaml", tree(data, tmp_path / "out"))
    found = spotlabel(*(recipe if word == "RECIPE" else word for word in arguments), **ONE_THREAD)
    assert found.returncode != 0
    assert message in found.stderr
    assert "Traceback" not in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1, found.stderr


# --- from Python -------------------------------------------------------------------------------------------


def run(data: Path, folder: Path, steps: int = 99, **changes: Any) -> bool:
    """Train in a folder, at most so many steps; whether that was all."""
    folder.mkdir(exist_ok=True)
    stops = iter([False] * (steps - 1))
    settings = validated(TrainingSettings, {**SMALL, "epochs": 2, **changes}, "training")
    wanted = Asked((), settings, folder, stills=StillsAsked(stills(), data))
    return start(wanted, Group(0, 1, torch.device("cpu")), lambda: next(stops, True), Watcher())


@pytest.mark.parametrize("preset", ["ian", "centernet"])
def test_a_run_on_stills_that_was_stopped_ends_as_one_that_was_not(
    data: Path, tmp_path: Path, preset: str
) -> None:
    assert run(data, tmp_path / "whole", preset=preset)
    assert not run(data, tmp_path / "parts", steps=3, preset=preset)
    assert run(data, tmp_path / "parts", preset=preset)
    for name in ("last.safetensors", "state.safetensors", "metrics.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name


def test_pictures_are_held_out_of_those_trained_on(data: Path) -> None:
    settings = validated(TrainingSettings, SMALL, "training")
    material = open_stills_material(StillsAsked(stills(), data), settings)
    names = [picture.path.stem for picture in material.train.pictures]
    assert [material.held_out.title(k) for k in range(3)] == ["000004", "000008", "000012"]
    assert sorted([*names, "000004", "000008", "000012"]) == [f"{k:06}" for k in range(1, 13)]
    told = {
        name: material.notes(ModelSpec(preset=name, backbone="small-c4").build()) for name in ("als", "ian")
    }
    assert told == {
        "als": ["9 of 9 pictures to train on have no mask: none is compared with theirs"],
        "ian": [],
    }
    other = open_stills_material(StillsAsked(stills(short=50), data), settings)
    assert other.identity() != material.identity()
    named = stills(held_out=[{**VOC, "split": "test"}])
    material = open_stills_material(StillsAsked(named, data), settings)
    assert (material.count, len(material.held_out)) == (12, 3)
    asked_ = Asked((), settings, Path(), stills=StillsAsked(named, data))
    assert describe(asked_)["split"] == {"train": 12, "held_out": 3, "rule": "the parts of stills.held_out"}


def test_difficult_objects_are_neither_found_nor_missed_and_no_mask_is_unknown(tmp_path: Path) -> None:
    rows = [("car", 1, 1, 20, 20), ("car", 31, 5, 40, 24, "<difficult>1</difficult>")]
    write_voc(tmp_path / "VOC2007", {"a": ((40, 60), rows)}, "train")
    wanted = stills(train=[{"reader": "voc", "root": "VOC2007", "split": "train"}])
    held = HeldPictures(open_stills(wanted.train, "all", tmp_path)[0])
    raw = held[0]
    assert (raw.mask == 255).all()
    hidden = np.zeros((40, 60), bool)
    hidden[4:24, 30:40] = True
    assert np.array_equal(raw.unlabelled(), hidden)
    assert raw.boxes.tolist() == [[0, 0, 20, 20]]


def test_a_recipe_is_about_videos_or_about_stills(data: Path, tmp_path: Path) -> None:
    recipe = build_recipe(tree(data, tmp_path))
    assert asked(recipe).stills is not None
    assert "dataset" not in recipe.effective()
    assert recipe.effective()["stills"]["short"] == 48
    with pytest.raises(DatasetError, match="there are no videos to label"):
        recipe.sequences()
    with pytest.raises(RecipeError, match="a recipe has one of the two"):
        build_recipe({**tree(data, tmp_path), "dataset": {"reader": "mot"}})
    with pytest.raises(RecipeError, match="dataset: is required and not set"):
        build_recipe({"out": "x", "stills": {}})
