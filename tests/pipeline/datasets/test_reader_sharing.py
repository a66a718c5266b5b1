"""One reader, several threads, and a file that changes under it (R9)."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store import FrameState, MaskReader, MaskWriter, StoreInfo
from tests.helpers.stores import one_box_a_frame, some_masks, write_masks


def test_threads_share_a_reader(tmp_path: Path) -> None:
    masks = some_masks(30, (40, 50))
    reader = MaskReader(write_masks(tmp_path / "m.h5", masks))
    order = np.random.default_rng(1).integers(0, 30, 3000)
    with ThreadPoolExecutor(4) as pool:
        equal = pool.map(lambda index: (reader.read(int(index)) == masks[index]).all(), order)
        assert all(equal)


def test_a_reader_never_mixes_an_old_file_with_a_new_one(tmp_path: Path) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks(4))
    reader = MaskReader(path)
    assert len(reader.boxes) == 4
    write_masks(path, some_masks(8))
    reader.close()
    with pytest.raises(StoreError, match="was replaced since this reader first read it"):
        reader.read(0)
    assert len(MaskReader(path).boxes) == 8


def _try(reader: MaskReader, out: object) -> None:
    try:
        out.put(int(reader.read(0).sum(dtype=np.int64)))
    except StoreError as error:
        out.put(str(error))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_notices_that_the_file_was_replaced(tmp_path: Path, method: str) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks(4))
    reader = MaskReader(path)
    assert len(reader) == 4
    write_masks(path, some_masks(8))
    context = multiprocessing.get_context(method)
    out = context.SimpleQueue()
    process = context.Process(target=_try, args=(reader, out))
    process.start()
    assert "was replaced" in out.get()
    process.join()


def test_bare_planes_of_a_frame_without_pixels_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    info = StoreInfo("x", (5, 11), np.arange(2), {})
    with MaskWriter.writing(path, info, one_box_a_frame(2)) as writer:
        writer.mark(0, FrameState.UNREADABLE)
        writer.mark(1, FrameState.MISSING)
    with h5py.File(path, "r") as file:
        for index in range(2):
            assert np.unpackbits(file["unknown"][index], axis=1, count=11).all()
            assert not file["foreground"][index].any()
