"""Videos and images that cannot be exported as they are: damaged, gone, turned, without boxes."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from PIL import Image

from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports import stage as export_stage
from spotlabel.pipeline.exports.images import Images
from spotlabel.pipeline.exports.options import FormatName
from spotlabel.pipeline.exports.record import digests, what_differs
from spotlabel.pipeline.exports.stage import dataset_classes, export_video, made_from, origins, why_export
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.store import FrameState
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers import exporting
from tests.helpers.export_runs import asked, export, opened
from tests.helpers.exporting import CLASSES
from tests.helpers.recipes import write

FORMATS = get_args(FormatName)


def test_links_that_lead_nowhere_are_not_up_to_date(root: Path) -> None:
    options, to = asked(images="link"), root / "to"
    export(root, to, options)
    (root / "data/gate/img1/000004.jpg").rename(root / "elsewhere.jpg")
    _, item = opened(root)
    origin = made_from(item, options)
    cache = digests(to, "coco", "gate")
    expected = f"{to / 'images/gate/000004.jpg'} leads to a file that has gone"
    assert what_differs(to, "coco", "gate", origin, cache) == expected


def test_links_to_images_that_lie_elsewhere_by_now_are_not_up_to_date(root: Path) -> None:
    """Though the old copy is still there."""
    options, to = asked(images="link"), root / "to"
    export(root, to, options)
    _, item = opened(root)
    cache = digests(to, "coco", "gate")
    assert what_differs(to, "coco", "gate", made_from(item, options), cache) == ""
    shutil.copytree(root / "data", root / "moved")
    recipe = load_recipe(str(root / "recipe.yaml"), [f"data={root / 'moved'}"])
    (item,) = items(recipe)
    assert why_export(recipe, item, options, to) == "image paths changed"
    export_video(recipe, item, options, to, lambda *_: None)
    assert (to / "images/gate/000004.jpg").resolve() == root / "moved/gate/img1/000004.jpg"
    assert why_export(recipe, item, options, to) == ""


def test_a_damaged_store_leaves_the_classes_of_the_others(root: Path) -> None:
    shutil.copytree(root / "data/gate", root / "data/road")
    exporting.label(exporting.recipe_tree(root), ("road",))
    (root / "out/masks/road.h5").write_bytes(b"nothing")
    found = items(load_recipe(str(root / "recipe.yaml")))
    assert dataset_classes(found) == CLASSES
    assert isinstance(origins(found, asked())["road"], str)


def test_one_turned_image_among_others_is_seen(root: Path) -> None:
    path = root / "data/gate/img1/000005.jpg"
    picture = Image.open(path)
    exif = picture.getexif()
    exif[0x0112] = 3
    picture.save(path, exif=exif, quality=100)
    _, item = opened(root)
    images = Images(item.sequence)
    with pytest.raises(ExportError, match="another orientation"):
        images.check("link")
    with export_stage.staging(root / "to", "gate") as stage:
        images.put(4, "copy", stage, "5.jpg")
        images.put(3, "copy", stage, "4.jpg")
        images.put(3, "copy", stage, "none.jpg", FrameState.UNREADABLE)
        upright = cv2.imread(str(stage.folder / "5.jpg"), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        assert np.abs(upright.astype(int) - item.sequence.frames.read(4)).mean() < 3
        assert (stage.folder / "4.jpg").read_bytes() == (root / "data/gate/img1/000004.jpg").read_bytes()
        assert not (stage.folder / "none.jpg").exists()
    assert images.remarks() == ["1 frames that cannot be read have no image"]


@pytest.mark.parametrize(("code", "told"), [(errno.ENOSPC, True), (errno.EACCES, False)])
def test_free_some_space_only_where_that_helps(tmp_path: Path, code: int, told: bool) -> None:
    with pytest.raises(ExportError) as caught, export_stage.staging(tmp_path, "cam"):
        raise OSError(code, os.strerror(code))
    assert ("free some space" in str(caught.value)) == told


def test_a_video_without_boxes_has_no_class(tmp_path: Path) -> None:
    exporting.video(tmp_path / "data", "empty")
    (tmp_path / "data/empty/gt/gt.txt").write_text("1,-1,4,4,8,6,0,-1,-1\n")
    tree = exporting.recipe_tree(tmp_path, dataset={"reader": "mot"})
    exporting.label(tree, ("empty",))
    recipe = write(tmp_path / "recipe.yaml", tree)
    assert exporting.store(recipe, "empty").class_names == ("object",)
    to = exporting.export(recipe, tmp_path / "to", "coco")
    document = json.loads((to / "annotations/empty.json").read_text())
    assert (document["categories"], document["annotations"]) == ([], [])
    assert len(document["images"]) == exporting.FRAMES - exporting.WARM_UP
