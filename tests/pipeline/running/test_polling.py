"""Waiting for others: when it looks, when it speaks, when it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spotlabel.pipeline.running import polling
from spotlabel.pipeline.running.polling import poll


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now, self.pauses = 1000.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(polling, "time", clock)
    return clock


def counting(seen: list[int]) -> Callable[[], int]:
    """A look at a number that is one less each time, from 3."""

    def look() -> int:
        seen.append(3 - len(seen))
        return seen[-1]

    return look


def test_it_ends_when_nothing_is_left_and_tells_every_change(clock: Clock) -> None:
    seen, told = list[int](), list[str]()
    left = poll(counting(seen), lambda n: n == 0, lambda n: f"{n} missing", 100.0, told.append)
    assert (left, seen) == (0, [3, 2, 1, 0])
    assert told == ["3 missing; 100 s left", "2 missing; 100 s left", "1 missing; 99 s left"]
    assert clock.pauses == [0.5, 0.75, 1.125]


def test_without_time_it_looks_once_and_says_nothing(clock: Clock) -> None:
    told = list[str]()
    assert poll(counting([]), lambda n: n == 0, str, 0.0, told.append) == 3
    assert (clock.pauses, told) == ([], [])


def test_it_gives_up_at_its_time_and_repeats_itself_once_a_minute(clock: Clock) -> None:
    told = list[str]()
    assert poll(lambda: "busy", lambda _: False, str, 200.0, told.append) == "busy"
    assert clock.now == 1200.0
    assert max(clock.pauses) == 30.0
    assert told[0] == "busy; 200 s left"
    assert len(told) == 3
