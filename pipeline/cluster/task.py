"""What a job runs: one video brought up to date in a child of its own, as on one machine."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.cluster.records import Told, tell
from spotlabel.pipeline.errors import SpotlabelError, one_sentence
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.isolate import Children
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import run_one
from spotlabel.pipeline.running.watcher import PlainWatcher, Watcher
from spotlabel.pipeline.terminal import SafeConsole


class VideoFailed(SpotlabelError):
    """A video's job has failed; the text is the outcome's."""


@dataclass
class LabelVideo:
    """The function of a job, as submitit takes it.

    It is called on the node, and asked for a checkpoint when the job is to be taken away or its time is
    nearly over. Running the same video again is safe at any moment, so the checkpoint is simply the same
    call; what was finished (evidence, say) is found fresh.

    Attributes:
        tree: the recipe as data, with absolute folders.
        sequence: the video.
        threads: threads of the image libraries.
        folder: the submission's folder, absolute.
    """

    tree: Mapping[str, Any]
    sequence: str
    threads: int
    folder: str

    def __call__(self) -> str:
        """Run; returns a line about the outcome and raises :class:`VideoFailed` if the video is not whole."""
        if os.environ.get("SUBMITIT_EXECUTOR") == "local":  # submitit would ignore it, waiting for USR2
            signal.signal(signal.SIGTERM, self._stop)
        self._tell("running")
        try:
            outcome = bring_up_to_date(self.tree, self.sequence, self.threads, _watcher())
        except SystemExit:  # submitit has put the job back into the queue
            self._tell("requeued")
            raise
        except BaseException as error:
            self._tell("failed", one_sentence(error))
            raise
        if outcome.failed:
            self._tell("failed", outcome.error)
            raise VideoFailed(f"{self.sequence}: {outcome.error}")
        self._tell("done")
        return f"{self.sequence}: evidence {outcome.evidence}, masks {outcome.masks}"

    def checkpoint(self) -> Any:
        """What submitit puts back into the queue: the same call, which finds what was finished."""
        return import_module("submitit").helpers.DelayedSubmission(self)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        raise VideoFailed(f"{self.sequence}: stopped by {signal.Signals(number).name}")

    def _tell(self, state: str, detail: str = "") -> None:
        tell(Path(self.folder), self.sequence, _job_id(), Told(state, detail))


def bring_up_to_date(tree: Mapping[str, Any], sequence: str, threads: int, watcher: Watcher) -> Outcome:
    """Evidence and masks of one video, in a child process that is tried once more if it dies.

    Unlike :func:`spotlabel.pipeline.running.local.run_all` it leaves signals to whoever calls it.

    Args:
        tree: the recipe as data; ``data`` and ``out`` absolute.
        sequence: the video.
        threads: threads of the image libraries.
        watcher: told of progress.

    Returns:
        The outcome, with ``error`` set if the video is not whole.
    """
    recipe: Recipe = build_recipe(tree)
    job = {"recipe": tree, "sequence": sequence, "masks_only": False, "threads": threads}
    children = Children()
    try:
        outcome = run_one(job, recipe.out / "logs" / f"{file_stem(sequence)}.log", children, watcher)
    except BaseException:  # a signal: the child is ended in the middle of its work
        children.stop()
        children.join()
        clear_partials(recipe.out, file_stem(sequence))
        raise
    watcher.finished(outcome)
    return outcome


def _watcher() -> PlainWatcher:
    return PlainWatcher(SafeConsole(file=sys.stdout, width=200, highlight=False))


def _job_id() -> str:
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    single = os.environ.get("SLURM_JOB_ID") or os.environ.get("SUBMITIT_LOCAL_JOB_ID", "")
    return f"{array}_{task}" if array else single
