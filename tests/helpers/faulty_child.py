"""A fuzzing child whose input 3 misbehaves as the environment says."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.fuzz import child
from benchmarks.fuzz.kind import Kind, Trial


def prepare(_: Path) -> Trial:
    """The trial: all is well but for one input."""
    numbers = itertools.chain([-1], itertools.count(int(sys.argv[2])))  # one is tried before the first
    fault = os.environ["FAULT"]

    def trial(_: object) -> list[str]:
        if next(numbers) != 3:
            return []
        if fault == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "hangs":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            time.sleep(60)
        elif fault == "eats":
            np.zeros(1 << 31, np.uint8)
        else:
            time.sleep(60)
        return []

    return trial


child.MOST_SECONDS = 1
child.kind_of = lambda _: Kind("faulty", "R1", 1, "", prepare)
child.main()
