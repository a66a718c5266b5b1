"""Stores: what is written is what is read, byte-identical, in any process."""

from __future__ import annotations

import multiprocessing
import pickle
import zlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.labelers.base import EvidenceKind
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store import (
    UNKNOWN,
    EvidenceReader,
    EvidenceWriter,
    FrameState,
    MaskReader,
    MaskWriter,
    schema,
)
from spotlabel.pipeline.store.schema import CUE_COLUMNS, pack_rows, unpack_rows
from tests.helpers.stores import as_version, info, one_box_a_frame, some_masks, write_masks


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_packing_rows_is_reversible(width: int, height: int, seed: int) -> None:
    plane = np.random.default_rng(seed).integers(0, 2, (height, width), np.uint8)
    packed = pack_rows(plane)
    assert packed.shape == (height, -(-width // 8))
    assert (unpack_rows(packed, width) == plane).all()


def test_first_pixel_is_the_highest_bit() -> None:
    assert pack_rows(np.array([[1, 0, 0, 0, 0, 0, 0, 0, 1]], np.uint8)).tolist() == [[128, 128]]


def test_masks_read_back_with_boxes_and_quality(tmp_path: Path) -> None:
    masks = some_masks()
    reader = MaskReader(write_masks(tmp_path / "m.h5", masks))
    assert [reader.read(i).tolist() for i in range(4)] == [mask.tolist() for mask in masks]
    assert reader.numbers.tolist() == [1, 2, 3, 4]
    assert reader.sequence == "cam/1"
    assert reader.class_names == ("car",)
    assert reader.boxes.at(2).tolist() == [[1, 1, 4, 3]]
    assert reader.boxes.track_id.tolist() == [0, 1, 2, 3]
    assert reader.fill.tolist() == [0.5] * 4
    assert reader.believed.all()
    assert reader.index_of(3) == 2
    with pytest.raises(StoreError, match="no frame 9"):
        reader.index_of(9)


def test_the_quality_table_reads_as_columns_by_name(tmp_path: Path) -> None:
    path, one = tmp_path / "m.h5", np.ones(1, np.float32)
    with MaskWriter.writing(path, info(3), one_box_a_frame(3)) as writer:
        for index in range(2):
            cues = {"contact": one * index, "believability": one / 2}
            writer.put(index, some_masks(1)[0], FrameState.OK, one, one > 0, cues)
        with pytest.raises(ValueError, match="no column 'belief' in the quality table; it has contact, "):
            writer.put(2, some_masks(1)[0], FrameState.OK, one, one > 0, {"belief": one})
    quality = MaskReader(path).quality
    assert list(quality) == ["fill", *CUE_COLUMNS, "believed"]
    assert quality["contact"].tolist() == pytest.approx([0, 1, np.nan], nan_ok=True)
    assert quality["believability"].tolist() == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)
    assert np.isnan(quality["temporal"]).all()
    assert {len(column) for column in quality.values()} == {3}


def test_a_mask_store_of_version_1_reads_without_the_new_columns(
    tmp_path: Path,
) -> None:
    masks = some_masks()
    path = write_masks(tmp_path / "m.h5", masks)
    as_version(path, 1)
    reader = MaskReader(path)
    assert reader.file.attrs["schema_version"] == 1
    assert reader.read(2).tolist() == masks[2].tolist()
    assert {name: column.tolist() for name, column in reader.quality.items()} == {
        "fill": [0.5] * 4,
        "believed": [True] * 4,
    }


def test_a_store_of_a_version_to_come_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(schema, "SCHEMA_VERSIONS", {schema.MASK_SCHEMA: (9,)})
        path = write_masks(tmp_path / "m.h5", some_masks())
    with pytest.raises(StoreError, match=r"version 9, expected spotlabel-mask version 1 or 2 or 3"):
        MaskReader(path).read(0)


def test_a_frame_never_written_reads_as_unknown_not_as_background(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with MaskWriter.writing(path, info(3), one_box_a_frame(3)) as writer:
        writer.put(
            1, np.zeros((5, 11), np.uint8), FrameState.OK, np.ones(1, np.float32), np.ones(1, np.bool_)
        )
        writer.mark(2, FrameState.UNREADABLE)
    reader = MaskReader(path)
    assert reader.state.tolist() == [FrameState.MISSING, FrameState.OK, FrameState.UNREADABLE]
    assert (reader.read(0) == UNKNOWN).all()
    assert (reader.read(1) == 0).all()
    assert (reader.read(2) == UNKNOWN).all()


@pytest.mark.parametrize("kind", list(EvidenceKind))
def test_evidence_reads_back(tmp_path: Path, kind: EvidenceKind) -> None:
    random = np.random.default_rng(3)
    frames = [random.integers(0, 256, (5, 11), np.uint8) for _ in range(3)]
    if kind == EvidenceKind.BINARY:
        frames = [frame > 100 for frame in frames]
    path = tmp_path / "e.h5"
    with EvidenceWriter.writing(path, info(4), kind, neutral=24) as writer:
        writer.put(0, frames[0], FrameState.WARM_UP)
        writer.put(1, frames[1], FrameState.OK)
        writer.put(3, frames[2], FrameState.OK)
    reader = EvidenceReader(path)
    assert (reader.kind, reader.neutral) == (kind, 24)
    for index, frame in ((0, frames[0]), (1, frames[1]), (3, frames[2])):
        assert reader.read(index).dtype == frame.dtype
        assert (reader.read(index) == frame).all()
    with pytest.raises(StoreError, match="frame 3 is missing"):
        reader.read(2)


def test_evidence_of_the_wrong_type_or_size_is_refused(tmp_path: Path) -> None:
    def write(values: np.ndarray) -> None:
        with EvidenceWriter.writing(tmp_path / "e.h5", info(1), EvidenceKind.BINARY) as writer:
            writer.put(0, values, FrameState.OK)

    with pytest.raises(ValueError, match="declared bool"):
        write(np.zeros((5, 11), np.uint8))
    with pytest.raises(ValueError, match="the store holds"):
        write(np.zeros((5, 12), np.bool_))
    assert list(tmp_path.iterdir()) == []


def test_plain_h5py_can_read_a_store(tmp_path: Path) -> None:
    masks = some_masks(2)
    with h5py.File(write_masks(tmp_path / "m.h5", masks), "r") as file:
        planes = [np.unpackbits(file[name][1], axis=1, count=11) for name in ("foreground", "unknown")]
        assert (planes[0] == (masks[1] == 1)).all()
        assert (planes[1] == (masks[1] == 255)).all()
        assert file["foreground"].chunks == (1, 5, 2)
        assert file["foreground"].fletcher32
        assert file["crc32"][1] == zlib.crc32(masks[1])
        assert set(file.attrs) >= {"schema", "schema_version", "sequence", "fingerprint"}


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    masks = some_masks(6, (33, 70))
    first = write_masks(tmp_path / "a.h5", masks).read_bytes()
    assert write_masks(tmp_path / "b.h5", masks).read_bytes() == first


def test_an_empty_sequence_has_a_store(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with MaskWriter.writing(path, info(0), one_box_a_frame(0)):
        pass
    assert len(MaskReader(path)) == 0
    with pytest.raises(StoreError, match="holds none"):
        MaskReader(path).index_of(1)


def _sums(reader: MaskReader, out: object) -> None:
    out.put([int(reader.read(i).sum(dtype=np.int64)) for i in range(len(reader))])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_an_open_reader_works_in_other_processes(tmp_path: Path, method: str) -> None:
    reader = MaskReader(write_masks(tmp_path / "m.h5", some_masks()))
    expected = [int(reader.read(i).sum(dtype=np.int64)) for i in range(len(reader))]
    context = multiprocessing.get_context(method)
    out = context.SimpleQueue()
    processes = [context.Process(target=_sums, args=(reader, out)) for _ in range(2)]
    for process in processes:
        process.start()
    results = [out.get() for _ in processes]
    for process in processes:
        process.join()
    assert results == [expected, expected]


def test_a_pickled_reader_carries_the_path_alone(tmp_path: Path) -> None:
    reader = MaskReader(write_masks(tmp_path / "m.h5", some_masks()))
    reader.read(0)
    copy = pickle.loads(pickle.dumps(reader))
    assert copy.path == reader.path
    assert (copy.read(3) == reader.read(3)).all()


def test_a_close_that_the_disk_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As h5py tells it: a RuntimeError without the file's name."""

    def fail(_: h5py.File) -> None:
        raise RuntimeError("Can't decrement id ref count (unable to close file, errno = 5)")

    reader = MaskReader(write_masks(tmp_path / "m.h5", some_masks()))
    reader.read(0)
    monkeypatch.setattr(h5py.File, "close", fail)
    with pytest.raises(StoreError, match=r"m\.h5: cannot be closed: .*errno = 5"):
        reader.close()


def test_the_wrong_kind_of_store_is_refused(tmp_path: Path) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks())
    with pytest.raises(StoreError, match="holds spotlabel-mask version 3, expected spotlabel-evidence"):
        EvidenceReader(path).size  # noqa: B018


def test_content_depends_on_pixels_and_states_only(tmp_path: Path) -> None:
    def content(name: str, value: bool, state: FrameState, **attributes: object) -> str:
        path = tmp_path / name
        with EvidenceWriter.writing(path, info(1, **attributes), EvidenceKind.BINARY) as writer:
            writer.put(0, np.full((5, 11), value), state)
        return EvidenceReader(path).content

    base = content("a", True, FrameState.OK)
    assert content("b", True, FrameState.OK, labeler="other") == base
    assert content("c", False, FrameState.OK) != base
    assert content("d", True, FrameState.WARM_UP) != base


def test_a_text_that_hdf5_cannot_hold_is_named(tmp_path: Path) -> None:
    facts = replace(info(1), sequence="cam\0era")
    with (
        pytest.raises(StoreError, match=r"sequence cam\\x00era: HDF5 cannot hold") as caught,
        MaskWriter.writing(tmp_path / "m.h5", facts, one_box_a_frame(1)),
    ):
        pass
    assert "\0" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
