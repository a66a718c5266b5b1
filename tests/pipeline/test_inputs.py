"""What was read is what was hashed, or it is noticed (R23)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spotlabel.pipeline.errors import ChangedInputError
from spotlabel.pipeline.hashing import DigestCache
from spotlabel.pipeline.inputs import check_inputs, named_input, open_input, read_input, watching_inputs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gt.txt"
    path.write_bytes(b"one")
    return path


def write_over(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def write_over_for_a_moment(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"two")
    path.write_bytes(b"one")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"two")
    os.replace(other, path)


def take_away_for_a_moment(path: Path) -> None:
    os.rename(path, path.with_name("aside"))
    os.rename(path.with_name("aside"), path)


EDITS = (write_over, write_over_for_a_moment, replace, take_away_for_a_moment)


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("first", [read_input, named_input])
def test_a_file_changed_and_put_back_is_noticed(
    file: Path, edit: Callable[[Path], None], first: Callable[[Path], object]
) -> None:
    with watching_inputs():
        first(file)
        check_inputs()
        edit(file)
        with pytest.raises(ChangedInputError, match=r"gt.txt: changed while it was in use; run again"):
            check_inputs()


@pytest.mark.parametrize("edit", EDITS)
def test_bytes_are_not_read_under_the_hash_of_others(
    file: Path, tmp_path: Path, edit: Callable[[Path], None]
) -> None:
    cache = DigestCache(tmp_path / "digests.json")
    with watching_inputs():
        cache.digest(file)
        edit(file)
        with pytest.raises(ChangedInputError):
            read_input(file)


def test_an_edit_in_the_very_tick_of_the_first_look_is_noticed(file: Path) -> None:
    for _ in range(30):
        file.write_bytes(b"one")
        with watching_inputs():
            assert read_input(file) == b"one"
            write_over_for_a_moment(file)
            with pytest.raises(ChangedInputError):
                check_inputs()


def test_an_error_that_a_reader_takes_for_its_own_is_remembered(file: Path) -> None:
    with watching_inputs():
        read_input(file)
        replace(file)
        with pytest.raises(ChangedInputError):
            read_input(file)
        os.utime(file)
        with pytest.raises(ChangedInputError):
            check_inputs()


def test_a_file_that_cannot_be_opened_any_more_is_no_missing_frame(file: Path) -> None:
    with watching_inputs():
        read_input(file)
        file.unlink()
        with pytest.raises(ChangedInputError, match="could be read before, and cannot now"):
            open_input(file)
    with watching_inputs(), pytest.raises(FileNotFoundError):
        open_input(file)


def test_a_file_that_nothing_stands_for_is_noticed(file: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.txt"
    late.write_bytes(b"rows")
    with watching_inputs() as inputs:
        read_input(late)
        inputs.forget_reads()
        read_input(file)
        inputs.check_declared([file])
        read_input(late)
        with pytest.raises(ChangedInputError, match=r"late.txt: came while"):
            inputs.check_declared([file])


def test_nobody_watches_nothing_is_remembered(file: Path) -> None:
    read_input(file)
    write_over(file)
    assert read_input(file) == b"two"
    check_inputs()
