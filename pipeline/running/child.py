"""What the child process of one video does; :mod:`spotlabel.pipeline.running.start` starts it with its job.

Progress and the outcome go as JSON lines to the file descriptor named in the job; descriptors 1 and 2 belong
to whatever libraries print there.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import cv2

from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence

_SECONDS_BETWEEN_REPORTS = 0.2


def run(job: Mapping[str, Any]) -> int:
    """Run a job; 0 if the video is whole, 1 if it failed with an outcome.

    Args:
        job: as for :func:`spotlabel.pipeline.running.isolate.run_isolated`, with the channel's descriptor.
    """
    logger = logging.getLogger("spotlabel")
    logger.addHandler(logging.NullHandler())  # warnings travel in the outcome; descriptor 2 is for libraries
    logger.propagate = False
    cv2.setNumThreads(int(job["threads"]))
    channel = os.fdopen(int(job["channel"]), "w", buffering=1)
    reporter = _Reporter(channel)
    recipe = build_recipe(job["recipe"])
    if "export" in job:  # imported here, for labelling must not wait for it
        from spotlabel.pipeline.running.export_job import run_export  # noqa: PLC0415

        outcome = run_export(recipe, job, reporter.progress)
    elif "teach" in job:
        from spotlabel.pipeline.running.teach_job import run_teaching  # noqa: PLC0415

        outcome = run_teaching(recipe, job["sequence"], reporter.progress)
    else:
        outcome = run_sequence(recipe, job["sequence"], bool(job["masks_only"]), reporter.progress)
    reporter.send({"outcome": dataclasses.asdict(outcome)})
    channel.close()
    return int(outcome.failed)


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
