"""Owners in mask stores: what is written is what is read, and damage is told."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from spotlabel.labelers.masks.owners import NO_OWNER, FrameOwners
from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.errors import DamagedStoreError, StoreError
from spotlabel.pipeline.store import FrameState, MaskReader, MaskWriter, schema
from tests.helpers.stores import flip, info, sealed_anew, some_masks, write_masks

MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 255], [0, 0, 0, 0]], np.uint8)
SETTINGS = {"box_rounding": "cover", "box_padding": 0}
N = NO_OWNER


def two_boxes(frames: int) -> BoxTable:
    boxes = np.array([[0, 0, 2.5, 2], [1, 0, 4, 1.2]], np.float32)
    n = 2 * frames
    numbers = np.arange(n, dtype=np.int64)
    table = (np.tile(boxes, (frames, 1)), np.zeros(n, np.int16), numbers, np.zeros(n, np.uint8))
    return BoxTable(np.arange(frames + 1, dtype=np.int64) * 2, *table)


def owners(*runs: tuple[int, int]) -> FrameOwners:
    share = np.array([0.6, 0.75], np.float32)
    return FrameOwners(np.array([True, True]), np.array(runs, np.uint16).reshape(-1, 2), share, share, share)


def written(path: Path) -> MaskReader:
    """Three frames; the last one is missing, and owners come in another order than masks."""
    facts = info(3, MASK.shape, class_names=["car"], settings=SETTINGS, native_origin=0.0)
    with MaskWriter.writing(path, facts, two_boxes(3)) as writer:
        for index in (0, 1):
            writer.put(index, MASK, FrameState.OK, np.ones(2, np.float32), np.ones(2, np.bool_))
        writer.mark(2, FrameState.MISSING)
        writer.put_owners(1, owners((1, 1), (1, 0), (1, 1)))
        writer.put_owners(0, owners((3, 0)))
    return MaskReader(path)


def test_instances_read_back(tmp_path: Path) -> None:
    reader = written(tmp_path / "m.h5")
    assert reader.has_owners
    assert reader.owners(0).tolist() == [[0, 0, 0, 1], [0, 0, N, N], [N] * 4]
    assert reader.owners(1).tolist() == [[0, 1, 0, 1], [0, 1, N, N], [N] * 4]
    assert (reader.owners(2) == N).all()
    assert reader.quality["won"].tolist()[:4] == pytest.approx([0.6, 0.75] * 2)
    for index in range(3):
        masks = dict(reader.instances(index))
        assert list(masks) == ([] if index == 2 else [0, 1])
        for row, mask in masks.items():
            assert mask.dtype == np.bool_
            assert (mask == (reader.owners(index) == row)).all()
            assert (mask == reader.instance(index, row)).all()
        if masks:
            assert (np.sum(list(masks.values()), axis=0) == (reader.read(index) == 1)).all()
    assert not reader.instance(2, 1).any()
    with pytest.raises(IndexError, match="box 2 of a frame of 2 boxes"):
        reader.instance(0, 2)
    reader.check_frames()


def test_a_store_may_have_no_owners(tmp_path: Path) -> None:
    reader = MaskReader(write_masks(tmp_path / "m.h5", some_masks()))
    assert not reader.has_owners
    assert "won" not in reader.quality
    with pytest.raises(
        StoreError, match="does not say whose each pixel is; make it again with `spotlabel rel"
    ):
        list(reader.instances(0))
    reader.check_frames()


def test_the_same_owners_are_the_same_bytes(tmp_path: Path) -> None:
    files = [written(tmp_path / name).path.read_bytes() for name in ("a.h5", "b.h5")]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    "name", [schema.OWNER_OFFSETS, schema.OWNER_RUNS, schema.OWNER_CLAIMS, "quality/won"]
)
def test_a_flipped_bit_of_owners_is_found_when_it_is_read(tmp_path: Path, name: str) -> None:
    reader = written(tmp_path / "m.h5")
    assert len(reader) == 3
    flip(reader.path, name, 5)
    with pytest.raises(DamagedStoreError, match=f"checksum of {name} differs"):
        _ = reader.quality if name.startswith("quality") else reader.owners(0)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (schema.OWNER_OFFSETS, [0, 3, 2, 4]),
        (schema.OWNER_OFFSETS, [0, 1, 4, 5]),
        (schema.OWNER_RUNS, [[2, 0], [1, 1], [1, 0], [1, 1]]),
    ],
)
def test_owners_that_make_no_sense_are_damage(tmp_path: Path, name: str, values: list) -> None:
    path = written(tmp_path / "m.h5").path
    with h5py.File(path, "r+") as file:
        file[name][:] = np.array(values)
    sealed_anew(path)
    with pytest.raises(DamagedStoreError, match=r"m\.h5: damaged: "):
        MaskReader(path).owners(0)
