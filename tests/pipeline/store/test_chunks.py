"""Chunks unpacked beside HDF5: what it would read, or nothing."""

from __future__ import annotations

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.pipeline.store import chunks
from spotlabel.pipeline.store.plane import Plane, open_frames


@pytest.fixture(params=["libdeflate", "zlib"], autouse=True)
def _codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With either library; where libdeflate is not installed, both are zlib."""
    if request.param == "zlib":
        monkeypatch.setattr(chunks, "_DEFLATE", None)


def planes(path: Path, frames: np.ndarray) -> Path:
    """A file with a dataset ``plane`` of frames uint8 (T, H, B)."""
    with open_frames(path, "w") as file:
        plane = Plane.create(file, "plane", frames.shape)
        for index, frame in enumerate(frames):
            plane.write(index, frame)
    return path


def in_memory() -> h5py.File:
    return h5py.File("any", "w", driver="core", backing_store=False)


def checksum_by_hdf5(data: bytes) -> int:
    with in_memory() as file:
        values = np.frombuffer(data, np.uint8)
        dataset = file.create_dataset("x", data=values, chunks=values.shape, fletcher32=True)
        return int.from_bytes(dataset.id.read_direct_chunk((0,))[1][-4:], "little")


@settings(max_examples=60)
@given(st.binary(min_size=1, max_size=3000))
def test_fletcher_is_that_of_hdf5(data: bytes) -> None:
    assert chunks.fletcher32(data) == checksum_by_hdf5(data)


@pytest.mark.parametrize("data", [b"\0" * 9, b"\xff" * 4, b"\xff" * 200_001, b"\xff\xfe\0\1" * 70_000])
def test_fletcher_of_sums_that_wrap_around(data: bytes) -> None:
    assert chunks.fletcher32(data) == checksum_by_hdf5(data)


def test_no_bytes_have_no_fletcher() -> None:
    assert chunks.fletcher32(b"") is None


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 256]))
def test_a_chunk_unpacks_to_what_was_written(height: int, width: int, seed: int, levels: int) -> None:
    frame = np.random.default_rng(seed).integers(0, levels, (1, height, width), np.uint8)
    with in_memory() as file:
        plane = Plane.create(file, "plane", frame.shape)
        plane.write(0, frame[0])
        chunk = file["plane"].id.read_direct_chunk((0, 0, 0))[1]
        found = chunks.unpacked(chunk, frame.size)
        assert found is not None
        assert found.tobytes() == frame.tobytes() == file["plane"][0].tobytes()
        assert (plane.read(0) == frame[0]).all()
        for wrong in (frame.size - 1, frame.size + 1, 2 * frame.size):
            assert wrong == 0 or chunks.unpacked(chunk, wrong) is None


def test_every_flipped_bit_of_a_chunk_is_seen() -> None:
    with in_memory() as file:
        Plane.create(file, "plane", (1, 6, 7)).write(0, np.arange(42, dtype=np.uint8).reshape(6, 7) // 9)
        chunk = file["plane"].id.read_direct_chunk((0, 0, 0))[1]
    for bit in range(8 * len(chunk)):
        damaged = bytearray(chunk)
        damaged[bit // 8] ^= 1 << bit % 8
        assert chunks.unpacked(bytes(damaged), 42) is None, bit
    for length in range(len(chunk)):
        assert chunks.unpacked(chunk[:length], 42) is None, length


def test_a_stream_that_swells_is_given_up() -> None:
    packed = zlib.compress(b"\0" * 10_000_000)
    sum_of = chunks.fletcher32(packed)
    assert sum_of is not None
    assert chunks.unpacked(packed + sum_of.to_bytes(4, "little"), 1000) is None


def test_a_damaged_chunk_is_an_error_of_the_plane(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 20, 20), np.uint8)
    path = planes(tmp_path / "p.h5", frames)
    with h5py.File(path) as file:
        place = file["plane"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 30] ^= 4
    path.write_bytes(content)
    with open_frames(path, "r") as file:
        plane = Plane(file["plane"])
        assert (plane.read(0) == frames[0]).all()
        with pytest.raises(OSError, match=r"[Cc]hecksum|filter"):
            plane.read(1)
        assert (plane.read(2) == frames[2]).all()


def test_a_frame_never_written_is_zeros(tmp_path: Path) -> None:
    with open_frames(tmp_path / "p.h5", "w") as file:
        plane = Plane.create(file, "plane", (2, 3, 4))
        plane.write(1, np.full((3, 4), 7, np.uint8))
        assert plane.read(0).tolist() == np.zeros((3, 4)).tolist()
        assert plane.read(1).tolist() == np.full((3, 4), 7).tolist()


def test_a_chunk_larger_than_any_frame_is_an_error(tmp_path: Path) -> None:
    with open_frames(planes(tmp_path / "p.h5", np.zeros((2, 3, 4), np.uint8)), "r+") as file:
        file["plane"].id.write_direct_chunk((0, 0, 0), bytes(5000))
        with pytest.raises(OSError, match=r"[Cc]hecksum|filter"):
            Plane(file["plane"]).read(0)


def test_a_chunk_that_was_not_packed_is_read_by_hdf5(tmp_path: Path) -> None:
    frame = np.arange(12, dtype=np.uint8).reshape(3, 4)
    checked = frame.tobytes() + checksum_by_hdf5(frame.tobytes()).to_bytes(4, "little")
    with open_frames(planes(tmp_path / "p.h5", np.zeros((2, 3, 4), np.uint8)), "r+") as file:
        file["plane"].id.write_direct_chunk((1, 0, 0), checked, filter_mask=1)
        assert Plane(file["plane"]).read(1).tolist() == frame.tolist()


@pytest.mark.parametrize(
    "how",
    [{"chunks": (2, 3, 4), "compression": "gzip", "fletcher32": True}, {"chunks": (1, 3, 4)},
     {"chunks": (1, 3, 4), "compression": "gzip", "fletcher32": True, "shuffle": True}, {}],
)  # fmt: skip
def test_frames_stored_in_another_way_are_read_by_hdf5(how: dict[str, object]) -> None:
    frames = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    with in_memory() as file:
        plane = Plane(file.create_dataset("plane", data=frames, **how))
        assert [plane.read(i).tolist() for i in range(2)] == frames.tolist()


@given(st.binary(max_size=300))
def test_crc_is_that_of_zlib(data: bytes) -> None:
    assert chunks.crc32(np.frombuffer(data, np.uint8)) == zlib.crc32(data)


def test_crc_counts_numbers_in_c_order() -> None:
    values = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert chunks.crc32(values.T) == zlib.crc32(values.T.tobytes())
    assert chunks.crc32(np.ones((2, 3), np.bool_)) == zlib.crc32(b"\1" * 6)
