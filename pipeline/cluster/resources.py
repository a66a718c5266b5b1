"""How much memory and time a video's job asks for: one table, from frames and pixels.

The figures are conservative, about three times what was measured on a 2.5 GHz Xeon with one thread
(docs/cluster.md): a job that is killed at its limit has to begin its evidence again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.errors import RecipeError
from pipeline.frames.glance import about_length, about_size
from pipeline.freshness import State
from pipeline.plan import Plan


@dataclass(frozen=True)
class Rate:
    """What a labeler takes.

    Attributes:
        seconds: per frame and megapixel, decoding and hashing included.
        megabytes: per megapixel of the frame, beside what every job takes.
    """

    seconds: float
    megabytes: float


RATES: dict[str, Rate] = {
    "boxbg": Rate(0.6, 1600),
    "egoflow": Rate(1.5, 300),
    "egoflow-cut": Rate(2.5, 400),
    "farneback": Rate(1.0, 300),
    "filled-box": Rate(0.05, 100),
    "knn": Rate(0.15, 400),
    "mog2": Rate(0.15, 400),
    "pawcs": Rate(0.8, 1600),
    "pawcs-distance": Rate(0.8, 1600),
    "pawcs-held": Rate(0.8, 1600),
    "pawcs-pybgs": Rate(4.0, 4500),
    "released-flow": Rate(1.0, 300),
}
"""Evidence, by labeler."""
OTHER_LABELER = Rate(4.0, 4500)
"""A labeler of another package, of which nothing is known."""
MASKS = Rate(0.03, 60)
"""The mask stage."""
BASE_MEGABYTES = 1000
"""Interpreter and libraries, twice (the job and its child), and frames decoded ahead."""
BASE_MINUTES = 10
"""Starting on a busy shared disk, compiling kernels, a slow node."""

_MEGABYTES = (1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 16000, 24000, 32000, 48000, 64000)
_MINUTES = (15, 30, 60, 120, 240, 480, 720, 1440, 2880, 5760, 10080)


@dataclass(frozen=True, order=True)
class Ask:
    """What one job asks for: minutes of wall time and megabytes of memory."""

    minutes: int
    megabytes: int

    def __str__(self) -> str:
        return f"{clock(self.minutes)}, {size(self.megabytes)}"


def ask_for(plan: Plan) -> Ask:
    """What the job of one video asks for, rounded up to a few steps so that videos share job arrays.

    Args:
        plan: what has to be done for it.

    Raises:
        SpotlabelError, OSError: its frames cannot be counted or measured.
    """
    frames = plan.item.sequence.frames
    (height, width), length = about_size(frames), about_length(frames)
    rates = [MASKS]
    if plan.evidence.state != State.FRESH:
        rates.append(RATES.get(plan.item.labeler.name, OTHER_LABELER))
    megapixels = height * width / 1e6
    minutes = BASE_MINUTES + sum(rate.seconds for rate in rates) * megapixels * length / 60
    megabytes = BASE_MEGABYTES + max(rate.megabytes for rate in rates) * megapixels
    return Ask(_step(minutes, _MINUTES), _step(megabytes, _MEGABYTES))


def _step(amount: float, steps: tuple[int, ...]) -> int:
    """The first step that holds the amount; beyond the last, whole multiples of it."""
    fitting = [step for step in steps if amount <= step]
    return fitting[0] if fitting else steps[-1] * -int(-amount // steps[-1])


def parse_memory(text: str) -> int:
    """Megabytes from ``8GB``, ``500MB``, ``1.5G``.

    Raises:
        RecipeError: no such amount; a bare number is refused, since its unit is anyone's guess.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([MG])B?", text.strip().upper())
    megabytes = round(float(match[1]) * (1000 if match[2] == "G" else 1)) if match else 0
    if not megabytes:
        raise RecipeError(f"--memory {text}: expected an amount with its unit, such as 8GB or 500MB")
    return megabytes


def parse_time(text: str) -> int:
    """Minutes from ``90`` (minutes), ``2h``, ``1:30:00`` or ``2-00:00:00`` (days), rounded up.

    Raises:
        RecipeError: no such time.
    """
    plain = re.fullmatch(r"([0-9]{1,6})(m|h|d)?", text.strip().lower())
    clocked = re.fullmatch(r"(?:([0-9]{1,3})-)?([0-9]{1,4}):([0-5]?[0-9]):([0-5]?[0-9])", text.strip())
    minutes = 0
    if plain:
        minutes = int(plain[1]) * {"m": 1, "h": 60, "d": 1440}[plain[2] or "m"]
    elif clocked:
        days, hours, part, seconds = (int(group or 0) for group in clocked.groups())
        minutes = (days * 24 + hours) * 60 + part + (seconds > 0)
    if not minutes:
        raise RecipeError(f"--time {text}: expected a time such as 90 (minutes), 2h, 1:30:00 or 2-00:00:00")
    return minutes


def clock(minutes: int) -> str:
    """Minutes as Slurm writes them: ``1:30:00``, ``2-00:00:00``."""
    days, rest = divmod(minutes, 1440)
    return (f"{days}-{rest // 60:02}" if days else f"{rest // 60}") + f":{rest % 60:02}:00"


def size(megabytes: int) -> str:
    """Megabytes for people."""
    return f"{megabytes / 1000:g} GB" if megabytes >= 1000 else f"{megabytes} MB"
