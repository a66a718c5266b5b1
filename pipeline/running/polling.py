"""Waiting for what other processes do: look, ever more rarely, and say now and then how it stands."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_State = TypeVar("_State")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_GROWTH = 1.5
_SECONDS_BETWEEN_LINES = 60.0


def poll(
    look: Callable[[], _State],
    ended: Callable[[_State], bool],
    summary: Callable[[_State], str],
    seconds: float,
    tell: Callable[[str], None],
) -> _State:
    """Look until there is nothing left to wait for, or the time is over.

    Args:
        look: how things stand now; called at least once.
        ended: whether there is nothing left to wait for; called once per look.
        summary: how things stand, in a line.
        seconds: how long to wait at most; 0 looks once.
        tell: given the summary and the seconds left when the summary has changed, else once a minute.

    Returns:
        What the last look saw.
    """
    end, pause, told = time.monotonic() + seconds, _FIRST_PAUSE, ("", 0.0)
    while True:
        state = look()
        now = time.monotonic()
        if ended(state) or now >= end:
            return state
        line = summary(state)
        if line != told[0] or now - told[1] >= _SECONDS_BETWEEN_LINES:
            told = line, now
            tell(f"{line}; {end - now:.0f} s left")
        time.sleep(min(pause, end - now))
        pause = min(_LONGEST_PAUSE, pause * _GROWTH)
