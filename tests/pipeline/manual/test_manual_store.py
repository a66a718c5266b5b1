"""The store of corrections: what is put in is found again, whoever writes at a time, whatever breaks."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.errors import DamagedStoreError, StoreError
from spotlabel.pipeline.manual import Correction, Corrections, Decision, drop_manual, put_manual, read_manual
from spotlabel.pipeline.store.schema import MANUAL_SCHEMA

BOX = np.array([1, 2, 9, 8.5], np.float32)


def mask(frame: int, track: int = 3, box: np.ndarray = BOX, fill: int = 1) -> Correction:
    """A person's mask that says ``fill``."""
    plane = np.zeros((10, 12), np.uint8)
    plane[2 : 3 + fill, 4:7] = 1
    return Correction.of(frame, track, box, plane)


def said(corrections: Corrections) -> list[tuple[object, ...]]:
    return [
        (*key, one.box.tolist(), one.decision, one.mask.tolist(), one.x, one.y)
        for key, one in corrections.items()
    ]


def test_what_is_put_is_found_again_in_order(tmp_path: Path):
    path = tmp_path / "manual" / "a.h5"
    assert not read_manual(path)
    some = [
        mask(5),
        Correction(2, -1, BOX, Decision.UNKNOWN),
        Correction(2, 7, BOX, Decision.BACKGROUND),
    ]
    put_manual(path, "a", some)
    assert said(read_manual(path)) == [
        (2, -1, (1, 2, 9, 8.5), [1, 2, 9, 8.5], Decision.UNKNOWN, [], 0, 0),
        (2, 7, (), [1, 2, 9, 8.5], Decision.BACKGROUND, [], 0, 0),
        (5, 3, (), [1, 2, 9, 8.5], Decision.MASK, [[1, 1, 1], [1, 1, 1]], 4, 2),
    ]


def test_a_later_correction_of_a_box_replaces_the_first_and_the_rest_stays(tmp_path: Path):
    path = tmp_path / "a.h5"
    put_manual(path, "a", [mask(1), mask(2)])
    moved = np.array([2, 2, 9, 9], np.float32)
    put_manual(path, "a", [mask(2, box=moved, fill=4), mask(3, track=-1), mask(3, track=-1, box=moved)])
    found = read_manual(path)
    assert [key[:2] for key in found] == [(1, 3), (2, 3), (3, -1), (3, -1)]
    assert found[2, 3, ()].box.tolist() == moved.tolist()
    assert found[2, 3, ()].mask.shape == (5, 3)


def test_dropping_gives_the_first_file_again_and_the_last_takes_the_file(tmp_path: Path):
    path = tmp_path / "a.h5"
    put_manual(path, "a", [mask(1)])
    first = path.read_bytes()
    put_manual(path, "a", [mask(2), mask(4)])
    assert drop_manual(path, "a", [mask(2).key, mask(4).key, mask(9).key]) == 2
    assert path.read_bytes() == first
    assert drop_manual(path, "a") == 1
    assert not path.exists()
    assert drop_manual(path, "a") == 0


def test_the_same_corrections_are_the_same_file_whatever_came_before(tmp_path: Path):
    one, other = tmp_path / "one.h5", tmp_path / "other.h5"
    put_manual(one, "a", [mask(1), mask(2)])
    put_manual(other, "a", [mask(2, fill=3)])
    put_manual(other, "a", [mask(1)])
    put_manual(other, "a", [mask(2)])
    assert one.read_bytes() == other.read_bytes()
    assert read_manual(one).digest == read_manual(other).digest != Corrections([mask(1)]).digest


def test_writing_what_is_there_leaves_the_file_alone(tmp_path: Path):
    path = tmp_path / "a.h5"
    put_manual(path, "a", [mask(1), mask(2)])
    before = path.stat()
    put_manual(path, "a", [mask(2)])
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_of_many_writers_at_once_all_are_heard(tmp_path: Path):
    path = tmp_path / "a.h5"

    def write(track: int) -> None:
        for frame in range(4):
            put_manual(path, "a", [mask(frame, track)])

    threads = [threading.Thread(target=write, args=(track,)) for track in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [key[:2] for key in read_manual(path)] == [(f, t) for f in range(4) for t in range(4)]


def test_without_locks_a_store_that_changed_meanwhile_is_read_again(tmp_path: Path, monkeypatch):
    from spotlabel.pipeline.manual import store

    path = tmp_path / "a.h5"
    put_manual(path, "a", [mask(1)])
    monkeypatch.setattr(store.fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(37, "No locks")))
    real, times = store._replace, []

    def replace(*arguments):
        times.append(1)
        if len(times) == 1:
            put_manual(path, "a", [mask(2)])
        real(*arguments)

    monkeypatch.setattr(store, "_replace", replace)
    put_manual(path, "a", [mask(3)])
    assert [key[0] for key in read_manual(path)] == [1, 2, 3]


def test_a_damaged_store_is_told_and_neither_replaced_nor_called_one_to_be_made_again(tmp_path: Path):
    path = tmp_path / "a.h5"
    put_manual(path, "a", [mask(1), mask(2)])
    content = bytearray(path.read_bytes())
    content[-40] ^= 4
    path.write_bytes(content)
    for attempt in (
        lambda: read_manual(path),
        lambda: put_manual(path, "a", [mask(3)]),
        lambda: drop_manual(path, "a"),
    ):
        with pytest.raises(StoreError, match="nothing can make them again: put a copy back") as told:
            attempt()
        assert not isinstance(told.value, DamagedStoreError)
        assert "delete" not in str(told.value)
    assert path.read_bytes() == content


def test_a_store_of_another_kind_is_no_store_of_corrections(tmp_path: Path):
    from tests.helpers.stores import some_masks, write_masks

    path = write_masks(tmp_path / "a.h5", some_masks())
    with pytest.raises(StoreError, match=f"expected {MANUAL_SCHEMA} version 1"):
        read_manual(path)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"box": np.array([3, 2, 3, 4], np.float32)}, "no box"),
        ({"box": np.array([0, np.nan, 3, 4], np.float32)}, "no box"),
        ({"box": np.array([0, 0, 3, 4], np.float64)}, "float64"),
        ({"track": -2}, "track -2"),
        ({"mask": np.full((2, 2), 255, np.uint8)}, "of 0 and 1"),
        ({"mask": np.zeros((2, 2), np.uint8)}, "MASK with 0 pixels"),
        ({"decision": Decision.UNKNOWN}, "UNKNOWN with 4 pixels"),
        ({"x": -1}, "at -1, 0"),
    ],
)
def test_what_no_person_can_have_said_is_refused(wrong, reason):
    right = {"frame": 1, "track": 1, "box": BOX, "decision": Decision.MASK, "mask": np.ones((2, 2), np.uint8)}
    Correction(**right)
    with pytest.raises(ValueError, match=reason):
        Correction(**{**right, **wrong})


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(-1, 2), st.sampled_from(list(Decision)), st.integers(0, 2**32 - 1)
        ),
        max_size=12,
    )
)
def test_columns_hold_any_corrections(entries):
    corrections = []
    for frame, track, decision, seed in entries:
        random = np.random.default_rng(seed)
        low = random.random(2) * 50
        box = np.concatenate([low, low + 0.5 + random.random(2) * 9]).astype(np.float32)
        if decision == Decision.MASK:
            picture = (random.random(tuple(random.integers(1, 20, 2))) < 0.5).astype(np.uint8)
            picture.flat[0] = 1
            corrections.append(Correction(frame, track, box, decision, picture, seed % 7, seed % 11))
        else:
            corrections.append(Correction(frame, track, box, decision))
    known = Corrections(corrections)
    again = Corrections.from_columns(known.columns())
    assert said(again) == said(known)
    assert again.digest == known.digest
