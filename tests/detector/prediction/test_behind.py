"""Things done behind: in order, few at a time, and no error is lost."""

from __future__ import annotations

import threading

import pytest

from spotlabel.detector.prediction.behind import Behind


def failing() -> None:
    raise OSError("the disk is full")


def test_things_are_done_in_their_order_by_the_end() -> None:
    done: list[int] = []
    with Behind(2) as behind:
        for number in range(20):
            behind.do(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == list(range(20))


def test_few_things_wait() -> None:
    gate, brought = threading.Event(), []

    def bring() -> None:
        with Behind(2) as behind:
            for number in range(4):
                behind.do(lambda: gate.wait(20) or None)
                brought.append(number)

    bringer = threading.Thread(target=bring)
    bringer.start()
    bringer.join(0.3)
    assert brought == [0, 1]
    gate.set()
    bringer.join(20)
    assert brought == [0, 1, 2, 3]


def test_an_error_is_raised_though_it_is_the_last_thing() -> None:
    def run() -> None:
        with Behind(2) as behind:
            behind.do(failing)

    with pytest.raises(OSError, match="the disk is full"):
        run()


def test_an_error_ends_what_brings_more() -> None:
    brought: list[int] = []

    def run() -> None:
        with Behind(2) as behind:
            for number in range(100):
                behind.do(failing)
                brought.append(number)

    with pytest.raises(OSError, match="the disk is full"):
        run()
    assert brought == [0, 1]


def test_after_an_error_what_waits_is_left_undone() -> None:
    gate, done = threading.Event(), []

    def run() -> None:
        with Behind(9) as behind:
            behind.do(lambda: gate.wait(20) or None)
            for number in range(5):
                behind.do(lambda number=number: done.append(number))  # type: ignore[misc]
            threading.Timer(0.1, gate.set).start()
            raise ValueError("of whoever brings")

    with pytest.raises(ValueError, match="of whoever brings"):
        run()
    assert done == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("write")]
