"""The C shim that makes single system calls fail: compiled where there is a compiler."""

from __future__ import annotations

import shutil
import subprocess
import sys
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")


class Mode(IntEnum):
    """What happens at the nth call; numbers as in ``shim.c``."""

    COUNT = 0
    """Nothing; calls are counted."""
    KILL = 1
    """kill -9 before the call."""
    TORN = 2
    """kill -9 after half of the bytes were written, or right after the call where it writes none."""
    FULL = 3
    """ENOSPC at this call and at all that follow."""
    BROKEN = 4
    """EIO at this call."""
    SHORT = 5
    """Half of the bytes are written, without an error."""


KILLING = (Mode.KILL, Mode.TORN)


class NoShimError(Exception):
    """Why the shim cannot be used here."""


def build(folder: Path) -> Path:
    """Compile the shim into a folder.

    Raises:
        NoShimError: not Linux, no C compiler, or it failed.
    """
    if not sys.platform.startswith("linux"):
        raise NoShimError("LD_PRELOAD needs Linux")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoShimError("there is no C compiler (cc, gcc or clang)")
    target = folder / "shim.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(target), str(SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoShimError(f"{compiler} failed: {done.stderr.strip().splitlines()[-1]}")
    return target
