"""A fuzzing child whose input 3 misbehaves as the environment says."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.fuzz import child
from benchmarks.fuzz.kind import Kind, Trial


def prepare(_: Path) -> Trial:
    """The trial: all is well but for one input."""
    fault, third = os.environ["FAULT"], child.draw_of(sys.argv[1], 3).getstate()

    def trial(draw: random.Random) -> list[str]:
        if draw.getstate() != third:
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
