"""Masks against pixel ground truth: figures counted by hand, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from spotlabel.labelers.baselines.filled_box import FilledBox
from spotlabel.pipeline.errors import DatasetError, StoreError
from spotlabel.pipeline.measures.boundary_f import boundary_f, outline
from spotlabel.pipeline.measures.quality import measure, true_frames
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from tests.helpers.clips import ListClip, run
from tests.helpers.recipes import spotlabel, write

SIZE = (60, 100)


def square(x: int, side: int = 20) -> np.ndarray:
    region = np.zeros(SIZE, bool)
    region[20 : 20 + side, x : x + side] = True
    return region


def test_outline_of_a_single_pixel() -> None:
    region = np.zeros((4, 4), bool)
    region[2, 2] = True
    assert np.argwhere(outline(region)).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_outline_of_nothing_and_of_everything() -> None:
    assert not outline(np.zeros((3, 4), bool)).any()
    assert not outline(np.ones((3, 4), bool)).any()


def test_boundary_f_within_and_beyond_the_tolerance() -> None:
    # The diagonal is 116.6 px, so the tolerance is one pixel.
    assert boundary_f(square(30), square(30)) == 1
    assert boundary_f(square(31), square(30)) == 1
    far = boundary_f(square(34), square(30))
    assert 0.4 < far < 0.7  # top and bottom agree, left and right do not
    assert boundary_f(square(70), square(10)) == 0


def test_boundary_f_without_outlines() -> None:
    nothing = np.zeros(SIZE, bool)
    assert boundary_f(nothing, nothing) == 1
    assert boundary_f(square(30), nothing) == 0
    assert boundary_f(nothing, square(30)) == 0


def test_boundary_f_leaves_out_what_is_not_known() -> None:
    valid = np.zeros(SIZE, bool)
    valid[:, :45] = True
    longer = square(30)
    longer[20:40, 50:70] = True
    assert boundary_f(longer, square(30)) < 1
    assert boundary_f(longer, square(30), valid) == 1


def davis(root: Path, values: list[int]) -> dict[str, object]:
    """A DAVIS sequence of three frames with a 10 x 20 px object, and a recipe that fills its boxes."""
    images, masks = root / "JPEGImages/480p/car", root / "Annotations/480p/car"
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for index, value in enumerate(values):
        truth = np.zeros(SIZE, np.uint8)
        truth[20:30, 30:50] = value
        cv2.imwrite(str(images / f"{index:05d}.jpg"), np.full((*SIZE, 3), 90, np.uint8))
        cv2.imwrite(str(masks / f"{index:05d}.png"), truth)
    dataset = {"reader": "davis"}
    return {
        "data": str(root), "out": str(root / "out"), "dataset": dataset, "labeler": "filled-box",
        "masks": {"preset": "paper"},
    }  # fmt: skip


def test_a_filled_box_by_hand(tmp_path: Path) -> None:
    recipe = build_recipe(davis(tmp_path, [255, 255, 0]))
    assert not run_sequence(recipe, "car", False, lambda *_: None).failed
    (sequence,) = recipe.sequences()
    found = measure(sequence, tmp_path / "out/masks/car.h5")
    # A box is padded by 2 px: 14 x 24 = 336 px around 200; the third frame has neither.
    assert (found.frames, found.counts.tp, found.counts.fp, found.counts.fn) == (3, 400, 272, 0)
    assert found.mean_iou == pytest.approx(200 / 336)
    assert found.boundary_f == pytest.approx(0.0, abs=0.01)  # the padding is more than the tolerance of 1 px
    assert found.unknown == 0
    assert measure(sequence, tmp_path / "out/masks/car.h5", every=2).frames == 2


def test_unknown_pixels_count_as_background_and_are_left_out(tmp_path: Path) -> None:
    tree = davis(tmp_path, [255, 255, 255])
    (tmp_path / "JPEGImages/480p/car/00001.jpg").write_bytes(b"no picture")  # its mask is unknown
    recipe = build_recipe({**tree, "frames": {"on_bad": "unknown"}})
    assert not run_sequence(recipe, "car", False, lambda *_: None).failed
    (sequence,) = recipe.sequences()
    found = measure(sequence, tmp_path / "out/masks/car.h5")
    assert (found.counts.tp, found.counts.fp, found.counts.fn) == (400, 272, 200)
    assert (found.known.tp, found.known.fp, found.known.fn) == (400, 272, 0)
    assert found.mean_iou == pytest.approx(2 / 3 * 200 / 336)
    assert found.known_iou == pytest.approx(200 / 336)
    assert found.unknown == pytest.approx(1 / 3)


def test_masks_of_another_image_size_are_refused(tmp_path: Path) -> None:
    tree = davis(tmp_path, [255, 255])
    assert not run_sequence(build_recipe(tree), "car", False, lambda *_: None).failed
    for path in (*tmp_path.rglob("0*.jpg"), *tmp_path.rglob("0*.png")):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:40])
    (sequence,) = build_recipe(tree).sequences()
    with pytest.raises(StoreError, match="holds masks of 100x60, the sequence's frames are 100x40; run"):
        measure(sequence, tmp_path / "out/masks/car.h5")


def test_command_prints_the_same_figures(tmp_path: Path) -> None:
    tree = davis(tmp_path, [255, 255])
    recipe = build_recipe(tree)
    path = write(tmp_path / "recipe.yaml", tree)
    told = spotlabel("quality", path)
    assert told.returncode == 2
    assert "run `spotlabel label` first" in told.stderr
    assert not run_sequence(recipe, "car", False, lambda *_: None).failed
    (row,) = json.loads(spotlabel("quality", path, "--json").stdout)
    assert (row["sequence"], row["labeler"], row["frames"]) == ("car", "filled-box", 2)
    assert row["iou"] == pytest.approx(200 / 336)
    assert row["f"] == pytest.approx(400 / 536)
    assert "0.5952" in spotlabel("quality", path).stdout


def test_rendered_scenes_leave_ignore_regions_out() -> None:
    scene = {"name": "s", "frames": 2, "width": 160, "height": 96, "noise": 0}
    tree = {"out": "unused", "dataset": {"reader": "synthetic", "scenes": [scene]}}
    (sequence,) = build_recipe(tree).sequences()
    frames = list(true_frames(sequence))
    regions = sequence.load().regions.at(0).astype(int)
    assert len(frames) == 2
    assert len(regions)
    for x0, y0, x1, y1 in regions:
        assert not frames[0].valid[y0:y1, x0:x1].any()
    assert frames[0].valid.any()


def test_a_dataset_without_pixels_is_refused(tmp_path: Path) -> None:
    from tests.helpers.recipes import tree

    (sequence,) = build_recipe(tree(tmp_path, tmp_path / "out", "a")).sequences()
    with pytest.raises(DatasetError, match="no pixel ground truth"):
        list(true_frames(sequence))


def test_filled_box_is_foreground_everywhere() -> None:
    (evidence,) = run(FilledBox, ListClip([np.zeros((4, 6, 3), np.uint8)]))
    assert evidence.values.all()
    assert evidence.values.shape == (4, 6)
