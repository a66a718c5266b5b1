"""Disks that do not flush folders (SMB, shared folders of virtual machines): files are whole all the same."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

import pytest

from spotlabel.pipeline import atomic
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store import MaskReader
from tests.helpers.stores import some_masks, write_masks

_real = os.fsync


def refusing(monkeypatch, number: int, *, folders: bool) -> None:
    """Make ``fsync`` of folders, or of files, fail with an error number."""

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == folders:
            raise OSError(number, os.strerror(number))
        _real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    atomic._tell_no_folder_sync.cache_clear()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS])
def test_a_folder_that_cannot_be_flushed_is_a_line_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    refusing(monkeypatch, number, folders=True)
    with caplog.at_level(logging.INFO, "spotlabel"):
        write_atomically(tmp_path / "a.json", b"{}")
        write_atomically(tmp_path / "b.json", b"{}")
        write_masks(tmp_path / "a.h5", some_masks(3, (48, 64)))
    assert (tmp_path / "a.json").read_bytes() == b"{}"
    assert len(MaskReader(tmp_path / "a.h5", sealed=True)) == 3
    assert caplog.text.count("does not flush folders") == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_other_errors_of_a_folder_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refusing(monkeypatch, number, folders=True)
    with pytest.raises(OSError, match=os.strerror(number)):
        write_atomically(tmp_path / "a.json", b"{}")


@pytest.mark.parametrize(
    ("number", "space"),
    [
        (errno.EINVAL, False),
        (errno.EIO, False),
        (errno.EROFS, False),
        (errno.ENOSPC, True),
        (errno.EDQUOT, True),
    ],
)
def test_free_space_is_spoken_of_where_it_is_what_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, space: bool
) -> None:
    refusing(monkeypatch, number, folders=False)
    with pytest.raises(StoreError) as error:
        write_masks(tmp_path / "a.h5", some_masks(3, (48, 64)))
    assert ("MiB free" in str(error.value)) is space
    assert ("free some space" in str(error.value)) is space
    assert os.strerror(number) in str(error.value)
    assert not (tmp_path / "a.h5").exists()
