"""One reader, several threads, and a file that changes under it (R9)."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from spotlabel.pipeline.errors import ChangedInputError, StoreError
from spotlabel.pipeline.store import FrameState, MaskReader, MaskWriter, StoreInfo, sealed
from spotlabel.pipeline.store.plane import open_frames
from spotlabel.pipeline.store.seal import check_seal
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


def test_a_file_that_stands_there_while_the_store_is_opened_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks(4))
    digest, other, aside = check_seal(path), write_masks(tmp_path / "n.h5", some_masks(8)), tmp_path / "aside"
    opened: list[int] = []

    def swapped(*arguments: object, **options: object) -> h5py.File:
        if not opened:
            path.rename(aside)
            path.write_bytes(other.read_bytes())
        file = open_frames(*arguments, **options)  # type: ignore[arg-type]
        opened.append(len(file["frame"]))
        if aside.exists():
            aside.replace(path)
        return file

    monkeypatch.setattr(sealed, "open_frames", swapped)
    reader = MaskReader(path, sealed=True)
    assert len(reader) == 4
    assert reader.digest == digest
    assert opened == [8, 4]
    reader.check_unchanged()


@pytest.mark.parametrize("change", ["over", "replaced", "gone"])
def test_a_store_that_changed_since_it_was_opened_is_told_by_a_last_look(tmp_path: Path, change: str) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks(4))
    reader = MaskReader(path)
    assert len(reader) == 4
    dates, content = path.stat(), path.read_bytes()
    time.sleep(0.05)  # two changes within one tick of the disk's clock look alike
    if change != "over":
        path.unlink()
    if change != "gone":
        path.write_bytes(content)
        os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    with pytest.raises(ChangedInputError, match="made again while it was being read"):
        reader.check_unchanged()
