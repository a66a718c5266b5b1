"""From labelled videos to batches: what is refused, what is held out, and that nothing depends on workers."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import torch

from spotlabel.detector.contract import Batch
from spotlabel.detector.data import loader
from spotlabel.detector.data.batches import stack_objects
from spotlabel.detector.data.colour import IMAGENET_COLOURS, Colours
from spotlabel.detector.data.frames import (
    Crop,
    EpochBatches,
    FrameList,
    Key,
    ParitySamples,
    RawSamples,
    SampleRules,
)
from spotlabel.detector.data.labelled import ClassMap, Labelled, class_map, open_labelled
from spotlabel.detector.data.loader import Batches, LoaderOptions, held_frames
from spotlabel.detector.data.samples import IgnoreMode
from spotlabel.detector.data.split import Part, split_videos
from spotlabel.detector.errors import TrainingError
from spotlabel.pipeline.errors import StoreError
from tests.helpers.training_data import labelled, scene, write_exact_masks

CPU = torch.device("cpu")
ONE = ClassMap(("object",), merge=True)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    return labelled(tmp_path_factory.mktemp("street"), frames=10, warm_up=2)


def part(video: Labelled) -> Part:
    return Part(video, tuple(video.usable()))


# --- opening -----------------------------------------------------------------------------------------------


def test_frames_and_masks_of_a_video_fit(street: Labelled) -> None:
    raw = street.read(3, ONE)
    assert raw.image.shape == (96, 128, 3)
    assert raw.mask.shape == (96, 128)
    assert len(raw.boxes) == len(raw.class_id) > 0
    inside = [raw.mask[int(y0) : int(y1), int(x0) : int(x1)] == 1 for x0, y0, x1, y1 in raw.boxes]
    assert all(pixels.any() for pixels in inside)


def test_warm_up_frames_are_not_trained_on(street: Labelled) -> None:
    assert street.usable() == list(range(2, 10))


def test_one_frame_in_k_is_chosen_by_its_number(street: Labelled) -> None:
    assert street.usable(every=4) == [4, 8]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 7}, r"street\.h5: masks of frames 0 to 4 \(5\), but street has frames 0 to 6 \(7\)"),
        ({"width": 160}, r"street\.h5: masks of 128x96 pixels, but the frames of street have 160x96"),
    ],
)
def test_masks_of_other_frames_are_refused(tmp_path: Path, change: dict[str, int], message: str) -> None:
    write_exact_masks(scene("street", frames=5), tmp_path / "street.h5")
    with pytest.raises(StoreError, match=message):
        open_labelled(scene("street", **{"frames": 5, **change}), tmp_path / "street.h5")


def test_masks_of_another_video_are_refused(tmp_path: Path) -> None:
    write_exact_masks(scene("a"), tmp_path / "a.h5")
    with pytest.raises(StoreError, match=r"holds masks of 'a', expected 'b'"):
        open_labelled(scene("b"), tmp_path / "a.h5")


def test_missing_masks_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.h5: cannot be opened.*run `spotlabel label` first"):
        open_labelled(scene("street"), tmp_path / "none.h5")


# --- classes -----------------------------------------------------------------------------------------------


def test_classes_are_merged_kept_or_left_out(street: Labelled) -> None:
    own = street.masks.class_names
    assert class_map([street], "one").indices(own).tolist() == [0] * len(own)
    assert class_map([street], "all").indices(own).tolist() == list(range(len(own)))
    assert class_map([street], (own[1],)).indices(own).tolist() == [-1, 0, *[-1] * (len(own) - 2)]
    with pytest.raises(StoreError, match="no video has the class 'tram'"):
        class_map([street], ("tram",))


def test_boxes_of_classes_left_out_are_gone(street: Labelled) -> None:
    wanted = street.masks.class_names[1]
    boxes = street.masks.boxes
    expected = int(np.count_nonzero(boxes.class_id[boxes.rows(5)] == 1))
    assert len(street.read(5, ClassMap((wanted,))).boxes) == expected


# --- split -------------------------------------------------------------------------------------------------


def named(street: Labelled, *names: str, weather: str = "") -> list[Labelled]:
    attributes = (("weather", weather),) if weather else ()
    return [dataclasses.replace(street, name=name, attributes=attributes) for name in names]


def names_of(parts: tuple[Part, ...]) -> list[str]:
    return [p.video.name for p in parts]


def test_one_video_in_six_is_held_out_over_the_weather(street: Labelled) -> None:
    sunny, rainy = named(street, *"abcdefgh", weather="sunny"), named(street, *"wxyz", weather="rainy")
    split = split_videos([*sunny, *rainy], (), every=1, every_held_out=1)
    assert names_of(split.held_out) == ["h", "z"]
    assert set(names_of(split.train)) == set("abcdefgwxy")


def test_named_videos_are_held_out(street: Labelled) -> None:
    split = split_videos(named(street, *"abc"), ("b",), every=1, every_held_out=4)
    assert names_of(split.train) == ["a", "c"]
    assert [p.indices for p in split.held_out] == [(4, 8)]


def test_a_lone_video_is_split_in_time(street: Labelled) -> None:
    split = split_videos([street], (), every=1, every_held_out=1)
    assert split.train[0].indices == (2, 3, 4, 5, 6, 7)
    assert split.held_out[0].indices == (8, 9)
    assert split.as_data()["train"] == {"street": 6}


@pytest.mark.parametrize(
    ("videos", "held_out", "message"),
    [
        ("", (), "no video to train on"),
        ("ab", ("c",), "no video 'c'"),
        ("ab", ("a", "b"), "no usable frame to train"),
    ],
)
def test_an_impossible_split_is_refused(
    street: Labelled, videos: str, held_out: tuple[str, ...], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        split_videos(named(street, *videos), held_out, every=1, every_held_out=1)


# --- order -------------------------------------------------------------------------------------------------


def keys(order: EpochBatches, epoch: int, first: int = 0) -> list[list[Key]]:
    order.start(epoch, first)
    return list(order)


def test_every_epoch_has_its_own_order_of_the_same_frames() -> None:
    order = EpochBatches(10, 2, seed=3)
    first, second = keys(order, 0), keys(order, 1)
    assert sorted(k.frame for b in first for k in b) == list(range(10))
    assert [k.frame for b in first for k in b] != [k.frame for b in second for k in b]
    assert keys(EpochBatches(10, 2, seed=3), 1) == second


def test_an_epoch_can_be_entered_at_any_batch() -> None:
    order = EpochBatches(10, 3, seed=3)
    assert len(order) == 3
    assert keys(order, 4, first=2) == keys(order, 4)[2:]


def test_processes_share_an_epoch_without_overlap() -> None:
    shares = [keys(EpochBatches(12, 2, seed=3, rank=r, world=3), 5) for r in range(3)]
    assert [len(share) for share in shares] == [2, 2, 2]
    assert sorted(k.frame for share in shares for b in share for k in b) == list(range(12))


# --- batches -----------------------------------------------------------------------------------------------


def batches(
    video: Labelled, workers: int = 0, fast: bool = False, method: str = "forkserver", **rules: object
):
    frames = FrameList((part(video),), ONE)
    chosen = SampleRules((96, 128), seed=7, **rules)  # type: ignore[arg-type]
    options = LoaderOptions(workers, fast, method)  # type: ignore[arg-type]
    return Batches(frames, EpochBatches(len(frames), 2, seed=1), chosen, CPU, options, held=frames)


def equal(a: list[Batch], b: list[Batch]) -> bool:
    return len(a) == len(b) > 0 and all(
        x.keys() == y.keys() and all(torch.equal(v, w) for v, w in zip(x.values(), y.values(), strict=True))
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_batches_do_not_depend_on_loader_processes(street: Labelled, method: str, fast: bool) -> None:
    alone, many = batches(street, fast=fast), batches(street, 2, fast, method)
    for epoch in (0, 1):
        assert equal(list(alone.epoch(epoch)), list(many.epoch(epoch)))


@pytest.mark.parametrize("fast", [False, True])
def test_held_out_frames_and_batches_come_in_turns_from_the_same_processes(
    street: Labelled, fast: bool
) -> None:
    alone, many = batches(street, fast=fast), batches(street, 2, fast)
    indices = [5, 0, 3, 3, 7]
    loaders = set()
    for epoch in (0, 1):
        a, b = (list(source.held_out(indices, 2)) for source in (alone, many))
        assert [len(group) for group in a] == [len(group) for group in b] == [2, 2, 1]
        for x, y in zip(itertools.chain(*a), itertools.chain(*b), strict=True):
            assert np.array_equal(x.image, y.image)
            assert np.array_equal(x.mask, y.mask)
            assert np.array_equal(x.boxes, y.boxes)
        loaders.add(frozenset(child.pid for child in loader_processes()))
        assert equal(list(alone.epoch(epoch)), list(many.epoch(epoch)))
    assert len(loaders) == 1
    assert len(loaders.pop()) >= 2
    assert list(many.held_out([], 2)) == []


def test_held_out_frames_are_read_on_where_a_signal_took_the_loader(
    street: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {child.pid for child in loader_processes()}
    source, indices = batches(street, 2), list(range(8)) * 4
    found = source.held_out(indices, 1)
    seen = [next(found)]
    for child in loader_processes():
        if child.pid not in before:
            child.kill()
    here: list[int] = []
    monkeypatch.setattr(loader, "held_frames", lambda *of: here.extend(of[1]) or held_frames(*of))
    seen += found
    assert here == indices[-len(here) :]
    for group, alone in zip(seen, batches(street).held_out(indices, 1), strict=True):
        assert np.array_equal(group[0].image, alone[0].image)


def loader_processes() -> list[psutil.Process]:
    """All, without the server that forks them."""
    servers = psutil.Process().children()
    children = [child for server in servers for child in server.children(recursive=True)]
    return [child for child in children if "from multiprocessing.forkserver" in " ".join(child.cmdline())]


def test_a_batch_is_as_the_contract_says(street: Labelled) -> None:
    batch = next(batches(street, fast=True).epoch(0))
    assert {name: (value.dtype, tuple(value.shape)) for name, value in batch.items()} == {
        "image": (torch.float32, (2, 3, 96, 128)),
        "extent": (torch.int64, (2, 2)),
        "boxes": (torch.float32, (2, 16, 4)),
        "classes": (torch.int64, (2, 16)),
        "present": (torch.bool, (2, 16)),
        "mask": (torch.float32, (2, 1, 96, 128)),
        "known": (torch.float32, (2, 1, 96, 128)),
        "labelled": (torch.float32, (2, 1, 96, 128)),
    }
    assert batch["extent"].tolist() == [[96, 128]] * 2


def test_objects_off_the_canvas_leave_their_slots_empty() -> None:
    rows = [[-9, 5, -1, 20], [-9, 5, 4, 20], [120, 90, 140, 99], [128, 0, 140, 9], [5, 5, 5, 9]]
    many = np.tile(np.array([[1, 2, 3, 4]], np.float32), (17, 1))
    boxes, classes, present = stack_objects(
        [np.array(rows, np.float32), many], [np.arange(1, 6), np.ones(17, np.int64)], (96, 128)
    )
    assert boxes.shape == (2, 32, 4)  # slots come by the sixteen
    assert present.sum(1).tolist() == [2, 17]
    assert present[0, :5].tolist() == [False, True, True, False, False]
    assert boxes[0, :5].tolist() == [[0] * 4, rows[1], rows[2], [0] * 4, [0] * 4]
    assert classes[0, :5].tolist() == [0, 2, 3, 0, 0]
    assert stack_objects([np.zeros((0, 4), np.float32)], [np.zeros(0, np.int64)], (8, 8))[0].shape == (
        1,
        16,
        4,
    )


def test_colours_are_those_of_the_detector(street: Labelled) -> None:
    for fast in (False, True):
        plain, other = (
            next(batches(street, fast=fast, colour=False, colours=colours).epoch(0))["image"]
            for colours in (Colours((0, 0, 0), (1, 1, 1)), IMAGENET_COLOURS)
        )
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_COLOURS.mean, IMAGENET_COLOURS.std))
        assert torch.allclose(other, (plain - mean) / std, atol=1e-6)


def test_samples_of_one_epoch_differ_in_view_and_colour(street: Labelled) -> None:
    found = ParitySamples(FrameList((part(street),), ONE), SampleRules((96, 128)))
    a, b, again = (found[Key(*key)].image for key in ((0, 1), (1, 1), (0, 1)))
    assert not np.array_equal(a, b)
    assert np.array_equal(a, again)


def test_remembered_frames_are_the_same_frames(street: Labelled) -> None:
    fresh, kept = (FrameList((part(street),), ONE, remember=k) for k in (0, 2))
    for index in (0, 1, 2, 1, 0):
        assert np.array_equal(fresh[index].image, kept[index].image)
    assert len(kept._known) == 2


@pytest.mark.parametrize("mode", list(IgnoreMode))
def test_the_fast_path_shows_what_the_cpu_path_shows(street: Labelled, mode: IgnoreMode) -> None:
    slow, fast = (
        list(batches(street, fast=f, colour=False, ignore_mode=mode).epoch(2)) for f in (False, True)
    )
    for a, b in zip(slow, fast, strict=True):
        assert a.keys() == b.keys()
        for name in ("extent", "boxes", "classes", "present"):
            assert torch.equal(a[name], b[name])
        # In grey levels: warpAffine rounds to 1/32 pixel and to whole levels.
        assert (a["image"] - b["image"]).abs().mean() * 0.28 * 255 < 1.5
        assert (a["mask"] - b["mask"]).abs().mean() * 255 < 1.5
        assert (a["known"] != b["known"]).float().mean() < 0.005
        assert (a["labelled"] != b["labelled"]).float().mean() < 0.005


def test_the_fast_path_colours_as_the_cpu_path(street: Labelled) -> None:
    slow, fast = (next(batches(street, fast=f).epoch(0))["image"] for f in (False, True))
    assert (slow - fast).abs().mean() < 0.02


def test_the_fast_path_takes_frames_of_several_sizes(street: Labelled, tmp_path: Path) -> None:
    wide = labelled(tmp_path, "wide", width=160, frames=4)
    frames = FrameList((part(street), part(wide)), ONE)
    rules = SampleRules((96, 128), Crop.WHOLE, colour=False)
    found = [
        next(iter(Batches(frames, EpochBatches(12, 12, 0), rules, CPU, LoaderOptions(fast=fast)).epoch(0)))
        for fast in (False, True)
    ]
    assert (found[0]["image"] - found[1]["image"]).abs().mean() * 0.28 * 255 < 1.5


def test_a_mirrored_image_goes_with_its_mask_and_boxes(street: Labelled) -> None:
    raw = RawSamples(FrameList((part(street),), ONE), SampleRules((96, 128)))
    flipped = next(s for s in (raw[Key(e, 3)] for e in range(30)) if s.view.flip)
    mask = flipped.view.warp((flipped.frame.mask == 1).astype(np.uint8) * np.uint8(255)) > 127
    boxes = flipped.view.boxes(flipped.frame.boxes, 128)
    covered = np.zeros(mask.shape, np.uint8)
    for x0, y0, x1, y1 in boxes:
        cv2.rectangle(covered, (int(x0) - 1, int(y0) - 1), (int(x1) + 1, int(y1) + 1), 1, -1)
    assert mask.any()
    assert covered[mask].all()
