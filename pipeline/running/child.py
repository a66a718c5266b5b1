"""Entry point of the child process that labels one video: ``python -m spotlabel.pipeline.running.child``.

The job comes as one JSON line on standard input, which then stays open: when it closes, the parent is gone
and the child ends itself at once. Progress and the outcome go as JSON lines to the file descriptor named in
the job; descriptors 1 and 2 belong to whatever libraries print there.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
import threading
import time
from typing import Any

import cv2

from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.export_job import run_export
from spotlabel.pipeline.running.job import run_sequence

_SECONDS_BETWEEN_REPORTS = 0.2


def main() -> int:
    """Run the job on standard input; 0 if the video is whole, 1 if it failed with an outcome."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    logger = logging.getLogger("spotlabel")
    logger.addHandler(logging.NullHandler())  # warnings travel in the outcome; descriptor 2 is for libraries
    logger.propagate = False
    cv2.setNumThreads(int(job["threads"]))
    channel = os.fdopen(int(job["channel"]), "w", buffering=1)
    reporter = _Reporter(channel)
    recipe = build_recipe(job["recipe"])
    if "export" in job:
        outcome = run_export(recipe, job, reporter.progress)
    else:
        outcome = run_sequence(recipe, job["sequence"], bool(job["masks_only"]), reporter.progress)
    reporter.send({"outcome": dataclasses.asdict(outcome)})
    channel.close()
    return int(outcome.failed)


def _die_with_parent() -> None:
    """Wait for the end of standard input; a child without its parent would write a store nobody asked for."""
    while os.read(0, 4096):
        pass
    os._exit(1)


class _Reporter:
    """Writes JSON lines, progress at most a few times a second."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._last = 0.0

    def send(self, message: dict[str, Any]) -> None:
        self._channel.write(json.dumps(message) + "\n")

    def progress(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._last >= _SECONDS_BETWEEN_REPORTS:
            self._last = now
            self.send({"stage": stage, "done": done, "total": total})


if __name__ == "__main__":
    # Leave without running destructors: a native library that dies on its way out must not turn a
    # finished video into a failed one.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
