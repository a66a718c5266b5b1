"""The seal: whole or not at all, and any damage shows."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store import MaskReader, check_seal
from spotlabel.pipeline.store.seal import publishing
from tests.conftest import ROOT
from tests.helpers.stores import some_masks, write_masks


def test_one_flipped_bit_anywhere_is_detected(tmp_path: Path) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks(3))
    whole = path.read_bytes()
    check_seal(path)
    positions = np.random.default_rng(5).choice(len(whole), 1000, replace=False)
    for position in [0, 80, 511, 512, len(whole) - 1, *positions]:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (int(position) % 8)
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"damaged|not a sealed"):
            check_seal(path)
        with pytest.raises(StoreError, match=r"damaged|not a sealed"):
            MaskReader(path).read(0)


def test_truncation_and_growth_are_detected(tmp_path: Path) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks(40, (64, 64)))
    whole = path.read_bytes()
    for length in [0, 1, 511, 512, *range(4096, len(whole), 4096), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(StoreError):
            MaskReader(path).read(0)
    path.write_bytes(whole + b"\0")
    with pytest.raises(StoreError, match="damaged"):
        check_seal(path)


def test_a_missing_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="spotlabel label"):
        MaskReader(tmp_path / "none.h5").read(0)


def test_an_error_while_writing_leaves_the_old_file_and_no_partial(tmp_path: Path) -> None:
    final = tmp_path / "x.h5"
    final.write_bytes(b"old")

    def fail() -> None:
        with publishing(final, check_seal) as partial:
            partial.write_bytes(b"half")
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fail()
    assert final.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [final]


def test_a_file_that_does_not_read_back_is_not_published(tmp_path: Path) -> None:
    def refuse(_: Path) -> None:
        raise StoreError("does not read back")

    with pytest.raises(StoreError, match="read back"), publishing(tmp_path / "x.h5", refuse) as partial:
        partial.write_bytes(b"\0" * 600)
    assert list(tmp_path.iterdir()) == []


_WRITER = """
import sys, time
from pathlib import Path
from spotlabel.pipeline.store.seal import publishing
with publishing(Path(sys.argv[1]), lambda path: None) as partial:
    partial.write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_partials_of_dead_writers_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    final = tmp_path / "masks" / "x.h5"
    command = [sys.executable, "-c", _WRITER, str(final)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) for _ in range(2)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "writing\n"
        writers[0].send_signal(signal.SIGKILL)
        writers[0].wait()
        assert len(clear_partials(tmp_path)) == 1
        assert len(list(final.parent.iterdir())) == 1
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert len(clear_partials(tmp_path)) == 1
    assert list(final.parent.iterdir()) == []


def test_two_writers_of_one_store_leave_one_whole_file(tmp_path: Path) -> None:
    path, masks = tmp_path / "m.h5", some_masks(20, (40, 40))
    threads = [threading.Thread(target=write_masks, args=(path, masks)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(tmp_path.iterdir()) == [path]
    check_seal(path)
    assert (MaskReader(path).read(7) == masks[7]).all()


def test_a_reader_keeps_the_file_it_opened_while_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    old, new = some_masks(2), [np.zeros((5, 11), np.uint8)] * 2
    write_masks(path, old)
    reader = MaskReader(path)
    assert (reader.read(0) == old[0]).all()
    write_masks(path, new)
    assert (reader.read(1) == old[1]).all()
    assert (MaskReader(path).read(1) == new[1]).all()


def test_a_disk_without_locks_is_written_to_and_never_cleared_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    final = tmp_path / "masks" / "x.h5"
    with publishing(final, check_seal) as partial:
        partial.write_bytes(b"\0" * 600)
        assert clear_partials(tmp_path) == []
        os.utime(partial, (0, 0))
        assert clear_partials(tmp_path) == [partial]
        partial.write_bytes(b"\0" * 600)
    assert final.stat().st_size == 600


def test_two_hosts_may_write_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second host sees no lock of the first and cleans up in the middle of its work."""
    path, masks = tmp_path / "masks" / "m.h5", some_masks(20, (40, 40))
    flock = fcntl.flock
    with publishing(path, check_seal) as first:
        first.write_bytes(b"\0" * 600)
        monkeypatch.setattr("spotlabel.pipeline.atomic.host_mark", lambda: "0" * 12)
        monkeypatch.setattr("fcntl.flock", lambda *_: None)
        assert clear_partials(tmp_path) == []
        write_masks(path, masks)
        check_seal(path)
        monkeypatch.setattr("fcntl.flock", flock)
    check_seal(path)
    assert list(path.parent.iterdir()) == [path]
