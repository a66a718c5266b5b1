"""Labels one video again and again in forked processes, each with another system call made to fail.

``LD_PRELOAD=shim.so python -m benchmarks.campaign.crash_child JOB``: JOB is JSON with ``tree`` (a recipe with
one video), ``out`` (folder for the attempts), ``old`` (a finished output folder to start from, or null), and
``attempts``, pairs of mode and call number. One JSON line is printed per attempt. Everything is imported
once: a fork costs milliseconds, a fresh process a second.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from tests.helpers.recipes import leftovers, stores


def main() -> None:
    """Make every attempt that was asked for."""
    job = json.loads(sys.argv[1])
    out = Path(job["out"])
    for mode, call in job["attempts"]:
        shutil.rmtree(out, ignore_errors=True)
        if job["old"]:
            shutil.copytree(job["old"], out)
        found = {"mode": mode, "call": call, **_attempt(job["tree"], out, mode, call)}
        found["stores"] = _digests(out)
        found["leftovers"] = len(leftovers(out))
        clear_partials(out)
        found["next"] = {**_attempt(job["tree"], out, 0, 0), "stores": _digests(out)}
        found["next"]["leftovers"] = len(leftovers(out))
        print(json.dumps(found), flush=True)


def _digests(out: Path) -> dict[str, str]:
    """Bytes of every store, as a digest: they are compared elsewhere."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in stores(out).items()}


def _attempt(tree: dict[str, Any], out: Path, mode: int, call: int) -> dict[str, Any]:
    """One labelling in a forked process: its error, exit code, and the calls it made."""
    read_end, write_end = os.pipe()
    process = os.fork()
    if not process:
        os.close(read_end)
        _label(tree, out, mode, call, write_end)
    os.close(write_end)
    with os.fdopen(read_end) as channel:
        text = channel.read()
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return {"code": code, **(json.loads(text) if text else {"error": "", "calls": 0, "struck": 0})}


def _label(tree: dict[str, Any], out: Path, mode: int, call: int, channel: int) -> None:
    """In the forked process: arm the shim, label, tell, leave."""
    code = 70
    try:
        shim = ctypes.CDLL(None)
        recipe = build_recipe({**tree, "out": str(out)})
        (name,) = (sequence.name for sequence in recipe.sequences(()))
        shim.fault_arm(str(out).encode(), ctypes.c_long(call), mode)
        outcome = run_sequence(recipe, name, False, lambda stage, done, total: None)
        calls, struck = int(shim.fault_seen()), int(shim.fault_struck())
        shim.fault_arm(b"", ctypes.c_long(0), 0)
        told = {"error": outcome.error, "calls": calls, "struck": struck}
        os.write(channel, json.dumps(told).encode())
        code = int(outcome.failed)
    except BaseException as error:
        os.write(channel, json.dumps({"error": f"TRACEBACK {error!r}", "calls": 0, "struck": 1}).encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
