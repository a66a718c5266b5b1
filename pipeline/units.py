"""Times and amounts of bytes as people read them."""

from __future__ import annotations

import math

_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")


def clock(seconds: float) -> str:
    """A time as ``0:01:30``, from the first day on as ``2-00:00:00``: Slurm writes and reads it so."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, part = divmod(hours, 24)
    return (f"{days}-{part:02}" if days else f"{part}") + f":{minutes:02}:{rest:02}"


def byte_size(amount: float) -> str:
    """Three digits and a decimal unit, ``1.5 GB``; ``?`` for what is not known (NaN)."""
    if math.isnan(amount):
        return "?"
    step = 0
    while amount >= 999.5 and step < len(_BYTES) - 1:
        amount, step = amount / 1000, step + 1
    return f"{amount:.3g} {_BYTES[step]}"
