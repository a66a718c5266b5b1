"""The cache of compiled code is never needed: damaged, full or unwritable, it costs one line and time."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

from spotlabel.labelers import compile_cache
from spotlabel.labelers.compiling import compile_cached


def add_two(value: int) -> int:
    return value + 2


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test, and nothing told yet."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compile_cache, "_told", set())
    return tmp_path / "cache"


def compiled() -> Any:
    """As a new process would have it."""
    return compile_cached(add_two, "sources")


def files(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.rglob(f"*.checked*.{suffix}"))


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def made(folder: Path) -> tuple[Path, Path]:
    """Index and code of one compilation."""
    assert compiled()(1) == 3
    (index,), (code,) = files(folder, "nbi"), files(folder, "nbc")
    return index, code


def test_code_comes_from_the_disk(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    made(folder)
    again = compiled()
    assert again(5) == 7
    assert sum(again.stats.cache_hits.values()) == 1
    other = compile_cached(add_two, "other sources")
    assert other(5) == 7
    assert sum(other.stats.cache_hits.values()) == 0
    assert told(caplog) == []


@pytest.mark.parametrize("which", [0, 1], ids=["index", "code"])
@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "garbage", "folder"])
def test_damaged_code_is_compiled_anew(
    folder: Path, caplog: pytest.LogCaptureFixture, which: int, damage: str
) -> None:
    path = made(folder)[which]
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        middle = bytearray(content)
        middle[len(content) // 2] ^= 4
        path.write_bytes(
            {"empty": b"", "cut": content[:-20], "flipped": bytes(middle), "garbage": b"\x80\x05x" * 99}[
                damage
            ]
        )
    again = compiled()
    assert again(1) == 3
    assert sum(again.stats.cache_hits.values()) == 0
    lines = told(caplog)
    assert lines
    assert all("compiled anew" in line or "compiles anew" in line for line in lines)
    assert all("\n" not in line and str(folder) in line for line in lines)
    if damage != "folder":
        assert len(lines) == 1
        last = compiled()
        assert last(1) == 3
        assert sum(last.stats.cache_hits.values()) == 1, "the damaged file was not replaced"


def test_no_flipped_bit_of_compiled_code_runs(folder: Path) -> None:
    _, code = made(folder)
    content = code.read_bytes()
    for place in range(0, len(content), len(content) // 60):
        changed = bytearray(content)
        changed[place] ^= 0x10
        code.write_bytes(changed)
        again = compiled()
        assert again(1) == 3
        assert sum(again.stats.cache_hits.values()) == 0


def test_a_full_disk_is_told_once(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._open_for_write", full)
    assert [compiled()(1), compiled()(2)] == [3, 4]
    (line,) = told(caplog)
    assert "No space left on device" in line
    assert "bytes free" in line
    assert str(folder) in line


def test_a_folder_that_is_gone_or_a_file_costs_one_line(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    function, other = compiled(), compiled()
    shutil.rmtree(folder)
    folder.write_text("no folder")
    assert [function(1), other(2)] == [3, 4]
    assert len(told(caplog)) == 2
    assert all(
        "NotADirectory" in line or "Not a directory" in line or "exists" in line for line in told(caplog)
    )


def test_no_folder_at_all_costs_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    assert [compiled()(1), compiled()(2)] == [3, 4]
    (line,) = told(caplog)
    assert "NUMBA_CACHE_DIR may name another folder" in line


def test_an_interrupt_while_reading_goes_through(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(folder)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compile_cache._CheckedFiles, "_read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compiled()(1)
