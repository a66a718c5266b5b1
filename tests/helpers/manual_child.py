"""Writes corrections again and again in forked processes, each with another system call made to fail.

``LD_PRELOAD=shim.so python -m tests.helpers.manual_child FOLDER``: for every mode of the shim and calls of
a write, over an old store and (of kills) from nothing, one JSON line tells what became of it.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from benchmarks.campaign.shim import KILLING, Mode
from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.manual import Correction, put_manual, read_manual

STEP = 3
"""Every third call for each mode; the modes begin at different ones."""
BOX = np.array([0, 0, 40, 30], np.float32)


def corrections(frames: range, side: int) -> list[Correction]:
    plane = np.zeros((30, 40), np.uint8)
    plane[:side, :side] = 1
    return [Correction.of(frame, 1, BOX, plane) for frame in frames]


OLD, NEW = corrections(range(3), 5), corrections(range(1, 9), 20)


def attempt(path: Path, mode: int, call: int) -> tuple[int, int, str]:
    """Exit code, number of calls and error of one write in a forked process."""
    read_end, write_end = os.pipe()
    process = os.fork()
    if not process:
        os.close(read_end)
        shim = ctypes.CDLL(None)
        shim.fault_arm(str(path.parent).encode(), ctypes.c_long(call), mode)
        error = ""
        try:
            put_manual(path, "a", NEW)
        except StoreError as told:
            error = str(told)
        except BaseException as raised:
            error = f"TRACEBACK {raised!r}"
        calls = int(shim.fault_seen())
        shim.fault_arm(b"", ctypes.c_long(0), 0)
        os.write(write_end, json.dumps([calls, error]).encode())
        os._exit(bool(error))
    os.close(write_end)
    with os.fdopen(read_end) as channel:
        text = channel.read()
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    calls, error = json.loads(text) if text else (0, "")
    return code, calls, error


def main() -> None:
    """All attempts."""
    folder = Path(sys.argv[1])
    path = folder / "manual" / "a.h5"
    for old in ([], OLD):
        calls = run(path, old, Mode.COUNT, 0)
        for mode in Mode:
            if mode != Mode.COUNT and (old or mode in KILLING):
                for call in range(1 + mode % STEP, calls + 1, STEP):
                    run(path, old, mode, call)


def run(path: Path, old: list[Correction], mode: Mode, call: int) -> int:
    """One attempt, and the write after it; gives the number of calls."""
    shutil.rmtree(path.parent, ignore_errors=True)
    put_manual(path, "a", old)
    before = read_manual(path).digest
    code, calls, error = attempt(path, mode, call)
    found = read_manual(path).digest
    clear_partials(path.parent.parent)
    after = attempt(path, Mode.COUNT, 0)
    told = {
        "over": bool(old), "mode": mode.name, "call": call, "code": code, "error": error,
        "old": found == before, "found": found, "next": [after[0], after[2], read_manual(path).digest],
        "left": sorted(one.name for one in path.parent.iterdir()),
    }  # fmt: skip
    print(json.dumps(told), flush=True)
    return calls


if __name__ == "__main__":
    main()
