"""Content decides, never a date (R14)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from spotlabel.pipeline import hashing
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.hashing import DigestCache, file_digest, files_digest
from spotlabel.pipeline.store.seal import sealed_digest


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files count as old, so that their digests are remembered."""
    monkeypatch.setattr(hashing, "_RACY_SECONDS", -1.0)


def rewrite(path: Path, data: bytes) -> None:
    """Other content of the same length, dates put back: what a restored backup looks like."""
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.usefixtures("settled")
def test_a_change_behind_an_equal_mtime_and_size_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    cache = DigestCache(tmp_path / "cache.json")
    first = cache.digest(file)
    cache.save()
    time.sleep(0.02)
    rewrite(file, b"two")
    assert DigestCache(tmp_path / "cache.json").digest(file) != first


@pytest.mark.usefixtures("settled")
def test_a_touched_or_copied_file_with_equal_content_has_an_equal_digest(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    cache = DigestCache(tmp_path / "cache.json")
    first = cache.digest(file)
    day = 86400
    for shift in (-day, 0, day):
        os.utime(file, (time.time() + shift, time.time() + shift))
        assert cache.digest(file) == first == file_digest(file)


@pytest.mark.usefixtures("settled")
def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    cache = DigestCache(tmp_path / "deep" / "cache.json")
    first = cache.digest(file)
    cache.save()
    monkeypatch.setattr(hashing, "file_digest", lambda path: pytest.fail(f"read {path} again"))
    assert DigestCache(tmp_path / "deep" / "cache.json").digest(file) == first


def test_a_file_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one")
    cache = DigestCache(tmp_path / "cache.json")
    cache.digest(file)
    cache.save()
    assert not (tmp_path / "cache.json").exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"format": 99}', '{"format": 1}', '{"format": 1, "files": {"a": 1}}']
)
def test_a_broken_cache_is_no_cache(tmp_path: Path, text: str) -> None:
    (tmp_path / "cache.json").write_text(text)
    file = tmp_path / "a"
    file.write_bytes(b"one")
    assert DigestCache(tmp_path / "cache.json").digest(file) == file_digest(file)


def test_a_damaged_store_is_not_remembered_as_whole(tmp_path: Path) -> None:
    store = tmp_path / "x.h5"
    store.write_bytes(b"no seal")
    with pytest.raises(StoreError, match="not a sealed"):
        sealed_digest(store, DigestCache(tmp_path / "cache.json"))


def test_the_digest_of_many_depends_on_order_names_content_and_facts(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"1")
    b.write_bytes(b"2")
    cache = DigestCache(tmp_path / "cache.json")
    base = files_digest([a, b], {"n": 1}, cache)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "a").write_bytes(b"1")
    assert files_digest([moved / "a", b], {"n": 1}, cache) == base
    assert files_digest([b, a], {"n": 1}, cache) != base
    assert files_digest([a], {"n": 1}, cache) != base
    assert files_digest([a, b], {"n": 2}, cache) != base


def test_digests_that_cannot_be_remembered_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "digests"
    blocked.write_text("no folder")
    for number in range(3):
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(b"x")
        cache = DigestCache(blocked / f"{number}.json")
        cache.derived(file_digest(file), "what", lambda: "text")
        cache.save()
    (line,) = [record.getMessage() for record in caplog.records if "not remembered" in record.getMessage()]
    assert line.startswith(f"{blocked}: digests are not remembered (")


def test_a_folder_of_digests_that_cannot_be_read_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("spotlabel.pipeline.hashing.regular_bytes", refused)
    for name in ("a.json", "b.json", "c.json"):
        DigestCache(tmp_path / ".digests" / name)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / '.digests'}: digests cannot be read (Permission denied); hashing again"
    ]
