"""Reading ahead changes when things happen, never what happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.pipeline.frames import prefetch


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@settings(max_examples=40)
@given(st.lists(st.integers(), max_size=30), st.integers(1, 8))
def test_same_items_in_the_same_order(items: list[int], depth: int) -> None:
    assert list(prefetch(iter(items), depth)) == items
    assert threads() == []


@pytest.mark.parametrize("before", [0, 1, 5])
def test_exception_comes_after_the_items_before_it(before: int) -> None:
    def source() -> Iterator[int]:
        yield from range(before)
        raise OSError("disk on fire")

    ahead = prefetch(source(), 3)
    assert [next(ahead) for _ in range(before)] == list(range(before))
    with pytest.raises(OSError, match="disk on fire"):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)
    assert threads() == []


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(0, 20))
def test_never_more_than_depth_items_wait(depth: int, stop_after: int) -> None:
    made = 0

    def source() -> Iterator[int]:
        nonlocal made
        for i in range(40):
            made += 1
            yield i

    ahead = prefetch(source(), depth)
    for taken, _ in enumerate(ahead, 1):
        assert made <= taken + depth + 1  # taken, ready, in the making
        if taken > stop_after:
            break
    ahead.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_early_close_stops_thread_and_source(taken: int) -> None:
    closed_in: list[str] = []

    def endless() -> Iterator[int]:
        try:
            i = 0
            while True:
                yield i
                i += 1
        finally:
            closed_in.append(threading.current_thread().name)

    ahead = prefetch(endless(), 2)
    assert [next(ahead) for _ in range(taken)] == list(range(taken))
    ahead.close()  # type: ignore[attr-defined]
    assert threads() == []
    assert closed_in == (["prefetch"] if taken else [])


def test_dropped_generator_stops_its_thread() -> None:
    ahead = prefetch(iter(range(1000)), 1)
    next(ahead)
    del ahead
    assert threads() == []


def test_consumer_failure_stops_the_thread() -> None:
    def consume() -> None:
        for item in prefetch(iter(range(1000)), 4):
            if item == 3:
                raise RuntimeError("consumer")

    with pytest.raises(RuntimeError, match="consumer"):
        consume()
    assert threads() == []


def test_source_runs_in_another_thread() -> None:
    def source() -> Iterator[int]:
        yield threading.get_ident()

    assert list(prefetch(source(), 1)) != [threading.get_ident()]


def test_depth_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        prefetch(iter([1]), 0)
