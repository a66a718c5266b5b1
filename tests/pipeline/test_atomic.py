"""What killed writers leave behind: cleared where it is ours and its writer is dead, and only there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from spotlabel.pipeline.atomic import (
    SILENT_SECONDS,
    clear_partials,
    host_mark,
    locked_partial,
    room,
    write_atomically,
)


def test_only_our_own_leftovers_are_cleared(tmp_path: Path) -> None:
    name = f".x.h5.{'0' * 32}.partial"
    kept = [tmp_path / "masks" / ".movie.mp4.partial", tmp_path / "videos" / name, tmp_path / name]
    for path in [*kept, tmp_path / "masks" / name]:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    (tmp_path / "masks" / f".folder.{'1' * 32}.partial").mkdir()
    assert clear_partials(tmp_path) == [tmp_path / "masks" / name]
    assert all(path.exists() for path in kept)


def test_only_the_leftovers_of_one_video_are_cleared(tmp_path: Path) -> None:
    mark = host_mark() + "0" * 20
    mine = [
        tmp_path / part for part in (f"evidence/mog2/.a.h5.{mark}.partial", f"masks/.a.h5.{mark}.partial")
    ]
    others = [tmp_path / "masks" / f".{stem}.h5.{mark}.partial" for stem in ("a.b", "ab", "xa", "b")]
    for path in [*mine, *others]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    assert clear_partials(tmp_path, "a") == mine
    assert clear_partials(tmp_path) == sorted(others)


def test_a_file_of_another_host_stays_until_it_has_been_silent_for_a_week(tmp_path: Path) -> None:
    """No lock of another host may be visible here: the lock being free means nothing."""
    partial = tmp_path / "masks" / f".x.h5.{'0' * 32}.partial"
    partial.parent.mkdir()
    partial.write_bytes(b"half")
    now = partial.stat().st_mtime
    assert clear_partials(tmp_path) == []
    os.utime(partial, (0, now - SILENT_SECONDS + 3600))
    assert clear_partials(tmp_path) == []
    os.utime(partial, (0, now - SILENT_SECONDS - 3600))
    assert clear_partials(tmp_path) == [partial]


def test_a_leftover_that_goes_while_it_is_looked_at_does_not_stop_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk without locks another writer may finish between the two looks at its partial file."""

    def finished_meanwhile(*_: object) -> None:
        partial.unlink()
        raise OSError(errno.ENOLCK, "No locks available")

    partial, lock = locked_partial(tmp_path / "masks" / "x.h5")
    os.close(lock)
    monkeypatch.setattr("fcntl.flock", finished_meanwhile)
    assert clear_partials(tmp_path) == []


def test_a_leftover_whose_lock_cannot_be_asked_is_told_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    partial, lock = locked_partial(tmp_path / "masks" / "x.h5")
    os.close(lock)
    monkeypatch.setattr("fcntl.flock", broken)
    assert clear_partials(tmp_path) == []
    assert f"{partial}: leftover of a killed run cannot be removed: Input/output error" in caplog.text


@pytest.mark.parametrize(
    ("entries", "left", "told"),
    [
        (1000, 0, "2.0 MiB free there, but no inode: delete files there"),
        (1000, 5, "2.0 MiB free there"),
        (0, 0, "2.0 MiB free there"),
    ],
)
def test_a_disk_without_inodes_is_told_from_a_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: int, left: int, told: str
) -> None:
    disk = SimpleNamespace(f_bavail=512, f_frsize=4096, f_files=entries, f_favail=left)
    monkeypatch.setattr("spotlabel.pipeline.atomic.os.statvfs", lambda _: disk)
    assert room(tmp_path / "not" / "there yet") == told


def test_a_full_disk_names_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*found\.json'"):
        write_atomically(tmp_path / "found.json", b"{}")
    assert not list(tmp_path.iterdir())
