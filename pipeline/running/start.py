"""Start of the child process that labels one video: ``python -m spotlabel.pipeline.running.start``.

The job comes as one JSON line on standard input, which then stays open: when it closes, the parent is gone
and the child ends itself at once. That watch begins before anything heavy is imported, which takes seconds on
a busy machine.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from typing import Any


def first_line(descriptor: int) -> bytes:
    """Bytes up to a line break, which is read too, or to the end; nothing after them is taken."""
    line = b""
    while (byte := os.read(descriptor, 1)) not in (b"", b"\n"):
        line += byte
    return line


def die_with_parent(descriptor: int) -> None:
    """Wait for the end of standard input; a child without its parent would write a store nobody asked for."""
    while os.read(descriptor, 4096):
        pass
    os._exit(1)


def main() -> int:
    """Run the job on standard input; 0 if the video is whole, 1 if not."""
    line = first_line(0)
    if not line:  # the parent went before it could say what to do
        return 1
    threading.Thread(target=die_with_parent, args=(0,), daemon=True).start()
    job: dict[str, Any] = json.loads(line)
    return int(importlib.import_module("spotlabel.pipeline.running.child").run(job))


if __name__ == "__main__":
    # Leave without running destructors: a native library that dies on its way out must not turn a
    # finished video into a failed one.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
