"""Epochs of still pictures: what goes together, the same for any loader, resumable, and whole recipes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from spotlabel.detector.data.colour import IMAGENET_COLOURS
from spotlabel.detector.data.frames import FrameList
from spotlabel.detector.data.labelled import ClassMap
from spotlabel.detector.data.loader import LoaderOptions
from spotlabel.detector.data.split import Part
from spotlabel.detector.data.stills.loader import AspectBatches, StillBatches
from spotlabel.detector.data.stills.picture import PictureFiles, Still, VideoStills
from spotlabel.detector.data.stills.sample import StillRules
from spotlabel.detector.data.stills.settings import StillsSettings, open_stills
from spotlabel.detector.data.stills.voc import voc_pictures
from spotlabel.detector.data.stills.voc_tree import VOC_CLASSES
from spotlabel.detector.errors import TrainingError
from spotlabel.pipeline.errors import DatasetError, RecipeError
from spotlabel.pipeline.validation import validated
from tests.conftest import ROOT
from tests.helpers.still_files import write_coco, write_picture, write_sbd_map, write_voc
from tests.helpers.training_data import labelled

CPU = torch.device("cpu")
SIZES = np.array([(30, 40), (40, 30), (30, 45), (45, 30), (32, 32)] * 50, np.int64)


def rules(**changes: object) -> StillRules:
    values = {"short": 32, "long": 64, "multiple": 32, "colours": IMAGENET_COLOURS, "jitter": True, **changes}
    return StillRules(**values)


def keys(order: AspectBatches, epoch: int, first: int = 0) -> list[list[int]]:
    order.start(epoch, first)
    batches = list(order)
    assert all(key.epoch == epoch for batch in batches for key in batch)
    return [[key.frame for key in batch] for batch in batches]


def test_every_picture_comes_once_an_epoch_beside_those_of_like_aspect() -> None:
    order = AspectBatches(SIZES, 4, 7)
    epoch = keys(order, 0)
    assert len(epoch) == len(order) == 62
    frames = [frame for batch in epoch for frame in batch]
    assert len(set(frames)) == 62 * 4
    aspects = SIZES[:, 1] / SIZES[:, 0]
    alike = sum(np.ptp(aspects[batch]) == 0 for batch in epoch)
    assert alike >= 58  # five aspects have four borders between them
    assert keys(order, 1) != epoch
    assert keys(AspectBatches(SIZES, 4, 8), 0) != epoch
    # Batches do not come in order of aspect.
    means = np.array([aspects[batch].mean() for batch in epoch])
    assert (np.diff(means) < 0).sum() > 10


def test_an_epoch_goes_on_at_any_step_and_is_shared_by_processes() -> None:
    order = AspectBatches(SIZES, 3, 7)
    whole = keys(order, 5)
    for first in (1, 30, len(whole)):
        assert keys(order, 5, first) == whole[first:]
    ranks = [keys(AspectBatches(SIZES, 3, 7, rank=rank, world=2), 5) for rank in range(2)]
    together = AspectBatches(SIZES, 6, 7)
    assert [sorted(a + b) for a, b in zip(*ranks, strict=True)] == [sorted(b) for b in keys(together, 5)]


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(TrainingError, match="5 pictures are too few for 3 a batch on 2 processes; lower"):
        AspectBatches(SIZES[:5], 3, 0, world=2)


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> PictureFiles:
    objects = [("car", 2, 2, 20, 20), ("bus", 5, 5, 9, 9, "<difficult>1</difficult>")]
    sizes = [(30, 40), (40, 30), (30, 45), (33, 60)] * 2
    root = write_voc(tmp_path_factory.mktemp("voc"), {f"p{k}": (s, objects) for k, s in enumerate(sizes)})
    return PictureFiles(voc_pictures(root, "test", ClassMap(VOC_CLASSES)))


def batches(stills: PictureFiles, seed: int = 1, options: LoaderOptions | None = None, **changes: object):
    order = AspectBatches(stills.sizes(), 2, seed)
    return StillBatches(stills, order, rules(seed=seed, **changes), CPU, options)


def same(first, second) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in a
    )


def test_epochs_are_the_same_for_any_loader_and_from_any_step(stills: PictureFiles) -> None:
    plain = batches(stills)
    first = list(plain.epoch(0))
    assert len(first) == len(plain) == 4
    assert same(list(plain.epoch(0)), first)
    assert same(list(plain.epoch(0, 2)), first[2:])
    assert not same(list(plain.epoch(1)), first)
    assert not same(list(batches(stills, seed=2).epoch(0)), first)
    for start_method in ("forkserver", "spawn"):
        loaded = batches(stills, options=LoaderOptions(workers=2, start_method=start_method))
        assert same(list(loaded.epoch(0)), first)
        assert same(list(loaded.epoch(0, 2)), first[2:])
    assert plain.waited > 0


def test_batches_hold_what_the_files_say(stills: PictureFiles) -> None:
    for batch in batches(stills, mirror=False, jitter=False).epoch(0):
        assert (batch["image"].shape[2] % 32, batch["image"].shape[3] % 32) == (0, 0)
        assert batch["present"].all()
        assert (batch["classes"] == VOC_CLASSES.index("car")).all()
        for k, (h, w) in enumerate(batch["extent"].tolist()):
            assert min(h, w) == 32
            x0, y0, x1, y1 = batch["boxes"][k, 0].tolist()
            assert x0 / y0 == pytest.approx(1, abs=0.05)
            assert (x1 - x0, y1 - y0) == pytest.approx((19 * 32 / 30, 19 * 32 / 30), rel=0.1)
            assert batch["labelled"][k].min() == 0


def test_a_picture_that_cannot_be_read_stops_with_its_own_error(stills: PictureFiles, tmp_path: Path) -> None:
    root = write_voc(tmp_path, {"a": ((20, 20), []), "b": ((20, 20), [])})
    broken = PictureFiles(voc_pictures(root, "test", ClassMap(VOC_CLASSES)))
    write_picture(root / "JPEGImages" / "b.jpg", (20, 21))
    for options in (LoaderOptions(), LoaderOptions(workers=1)):
        with pytest.raises(DatasetError, match=r"b\.jpg: has 21 x 20 pixels"):
            list(batches(broken, options=options).epoch(0))


def test_frames_of_labelled_videos_are_stills(tmp_path: Path) -> None:
    videos = [labelled(tmp_path, "a"), labelled(tmp_path, "b", width=96)]
    frames = FrameList(tuple(Part(video, (0, 2, 4)) for video in videos), ClassMap(("object",), merge=True))
    stills = VideoStills(frames)
    assert stills.sizes().tolist() == [[96, 128]] * 3 + [[96, 96]] * 3
    third = stills.read(1)
    assert isinstance(third, Still)
    assert np.array_equal(third.image, videos[0].frames.read(2))
    assert np.array_equal(third.mask, videos[0].masks.read(2))
    assert third.boxes.tolist() == videos[0].masks.boxes.at(2).tolist()
    order = AspectBatches(stills.sizes(), 3, 0)
    (first, second) = StillBatches(stills, order, rules(long=200), CPU).epoch(0)
    assert {tuple(b["image"].shape[2:]) for b in (first, second)} == {(32, 64), (32, 32)}
    assert (first["known"] == 1).any()


def section(text: str) -> StillsSettings:
    return validated(StillsSettings, yaml.safe_load(text)["stills"], "stills")


@pytest.mark.parametrize(
    ("name", "parts", "sides"),
    [("voc07", 2, (600, 1000)), ("voc07-sbd", 2, (600, 1000)), ("coco", 1, (800, 1333))],
)
def test_recipes_beside_the_code_are_read(name: str, parts: int, sides: tuple[int, int]) -> None:
    settings = section((ROOT / "workflows" / f"{name}.yaml").read_text())
    assert len(settings.train) == parts
    assert len(settings.test) == 1
    assert (settings.short, settings.long) == sides


def test_parts_of_every_kind_become_one_set(tmp_path: Path) -> None:
    write_voc(tmp_path / "VOC2007", {"a": ((20, 30), [("car", 1, 1, 9, 9)])}, "train")
    write_sbd_map(tmp_path / "SBD" / "inst" / "b.mat", "GTinst", np.eye(6), [6])
    (tmp_path / "SBD" / "train.txt").write_text("b\n")
    image = {"id": 1, "file_name": "c.jpg", "height": 10, "width": 12}
    row = {"image_id": 1, "category_id": 4, "bbox": [1, 1, 5, 5], "segmentation": []}
    write_coco(tmp_path / "c.json", [image], [row], {4: "bus", 5: "tram"})
    settings = section(
        """
stills:
  train:
    - {reader: voc, root: VOC2007, split: train}
    - {reader: sbd, root: SBD, split: train}
    - {reader: coco, annotations: c.json, images: images}
"""
    )
    stills, classes = open_stills(settings.train, settings.classes, tmp_path)
    assert classes.names == (*VOC_CLASSES, "tram")
    found = [classes.names[int(picture.class_id[0])] for picture in stills.pictures]
    assert found == ["car", "bus", "bus"]
    assert stills.sizes().tolist() == [[20, 30], [6, 6], [10, 12]]
    assert stills.pictures[2].path == tmp_path / "images" / "c.jpg"
    some, classes = open_stills(settings.train, ("bus",), tmp_path)
    assert [picture.class_id.tolist() for picture in some.pictures] == [[], [0], [0]]
    assert open_stills(settings.train, "one", tmp_path)[1].names == ("object",)
    with pytest.raises(TrainingError, match="no part has the class 'trams'; did you mean 'tram'"):
        open_stills(settings.train, ("trams",), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stills: {train: []}", "stills.train: "),
        ("stills: {train: [{reader: vocc, root: a, split: b}]}", "stills.train.0: "),
        ("stills: {train: [{reader: voc, root: a}]}", "stills.train.0.voc.split: is required and not set"),
        ("stills: {train: [{reader: sbd, root: a, split: b}], shrt: 3}", "stills.shrt: unknown key"),
    ],
)
def test_bad_settings_get_one_line(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        section(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
