"""Tries inputs of one kind: ``python -m benchmarks.fuzz.child KIND FIRST COUNT FOLDER``.

Says on stdout, one JSON text a line, what is wrong with which input, and in the end how many were refused.
The number of the input at hand stands in ``FOLDER/at``, for whoever has to tell why this process is gone.
"""

from __future__ import annotations

import json
import logging
import os
import random
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

import cv2

from benchmarks.fuzz.kind import Trial
from benchmarks.fuzz.kinds import kind_of
from spotlabel.pipeline.errors import SpotlabelError

MOST_SECONDS = 5
MOST_BYTES = 1 << 30
AT = "at"


class TooLongError(BaseException):
    """An input takes longer than it may; no program may catch this as its own error."""


def draw_of(kind: str, number: int) -> random.Random:
    """The random numbers of one input."""
    return random.Random(f"{kind} {number}")


def tried(trial: Trial, draw: random.Random) -> tuple[list[str], bool]:
    """What is wrong with how an input was taken, and whether it was refused."""
    try:
        return trial(draw), False
    except SpotlabelError as error:
        told = str(error)
        return ([] if told and "\n" not in told else [f"refused in other than one line: {told!r}"]), True
    except TooLongError:
        return [f"took more than {MOST_SECONDS} s: {_place()}"], False
    except MemoryError:
        return [f"asked for more than {MOST_BYTES >> 30} GiB: {_place()}"], False
    except (Exception, RecursionError) as error:
        return [f"{type(error).__name__}: {str(error)[:200]!r}: {_place()}"], False


def _place() -> str:
    """Where the error came up: the last lines of ours and of all."""
    frames = traceback.extract_tb(sys.exc_info()[2])
    ours = [
        f
        for f in frames
        if "site-packages" not in f.filename
        and "/lib/python" not in f.filename
        and f.filename.endswith(".py")
    ]
    shown = [*ours[-2:], frames[-1]] if frames else []
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(shown))


def quiet() -> None:
    """No warnings: thousands are what is wanted here."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    cv2.setNumThreads(1)
    logger = logging.getLogger("spotlabel")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def _too_long(*_: object) -> None:
    raise TooLongError


def _limit_memory() -> None:
    """What this process has, and a GiB more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main() -> None:
    """Try the inputs of the command line."""
    name, first, count, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    quiet()
    trial = kind_of(name).prepare(folder)
    tried(trial, draw_of(name, -1))  # whatever is imported or compiled at first use is
    _limit_memory()
    signal.signal(signal.SIGALRM, _too_long)
    at = os.open(folder / AT, os.O_WRONLY | os.O_CREAT)
    refused, slowest = 0, 0.0
    for number in range(first, first + count):
        os.pwrite(at, f"{number:>20}{refused:>20}".encode(), 0)
        problems, was_refused, seconds = _timed(trial, name, number)
        if problems and seconds >= MOST_SECONDS:  # a hang hangs again, a busy machine hardly ever
            problems, was_refused, seconds = _timed(trial, name, number)
        slowest = max(slowest, seconds)
        refused += was_refused
        if problems:
            print(json.dumps({"number": number, "problems": problems}), flush=True)
    print(json.dumps({"refused": refused, "slowest": slowest}), flush=True)


def _timed(trial: Trial, name: str, number: int) -> tuple[list[str], bool, float]:
    """As :func:`tried`, and the seconds that it took."""
    started = time.perf_counter()
    signal.alarm(MOST_SECONDS)
    problems, was_refused = tried(trial, draw_of(name, number))
    signal.alarm(0)
    return problems, was_refused, time.perf_counter() - started


if __name__ == "__main__":
    main()
