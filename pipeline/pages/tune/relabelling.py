"""``relabel`` run from a page: one at a time, watched, and broken off on request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spotlabel.pipeline.errors import SpotlabelError, one_sentence
from spotlabel.pipeline.pages.serving.answer import RequestError
from spotlabel.pipeline.pages.serving.server import SECONDS_TO_END
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.labelling import LabellingError, relabel
from spotlabel.pipeline.text import one_line

_LOG = logging.getLogger("spotlabel")


class _BrokenOff(BaseException):
    """Raised where a run tells its progress, which ends it."""


@dataclass
class _Run:
    total: int
    stop: threading.Event = field(default_factory=threading.Event)
    shares: dict[str, float] = field(default_factory=dict)
    made: int = 0
    failed: list[str] = field(default_factory=list)
    end: str = ""
    """``done``, ``broken off`` or ``failed``; empty while it runs."""


class Relabelling:
    """The runs of a page: :func:`spotlabel.pipeline.running.labelling.relabel` in a thread.

    Args:
        names: of the page's videos; no other is made anew.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._thread: threading.Thread | None = None

    def start(self, recipe: Recipe) -> None:
        """Make all masks by a recipe.

        Raises:
            RequestError: a run is under way, perhaps of another page.
        """
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise RequestError("masks are being made already; wait for that run or break it off")
            self._run = run = _Run(len(self._names))
            self._thread = threading.Thread(target=self._work, args=(recipe, run), daemon=True)
            self._thread.start()

    def _work(self, recipe: Recipe, run: _Run) -> None:
        try:
            outcomes = relabel(recipe, only=self._names, watcher=_Watcher(run))
            run.made = sum(one.masks == "made" for one in outcomes)
            run.end = "done"
        except LabellingError as error:
            run.made = sum(one.masks == "made" for one in error.outcomes)
            run.failed = [f"{one.sequence}: {one.error}" for one in error.outcomes if one.failed]
            run.end = "failed"
        except _BrokenOff:
            run.end = "broken off"
        except Exception as error:  # whatever it is, the page must not wait for ever
            if not isinstance(error, (SpotlabelError, OSError, MemoryError)):
                _LOG.exception("making masks failed")
            run.failed, run.end = [one_sentence(error)], "failed"

    def progress(self) -> dict[str, Any]:
        """How far the run has come: ``running``, ``share`` of the work, ``made``, ``end``, ``failed``."""
        run = self._run
        if run is None:
            return {"running": False, "share": 0.0, "made": 0, "end": "", "failed": []}
        share = 1.0 if run.end == "done" else min(1.0, sum([*run.shares.values()]) / max(1, run.total))
        failed = [one_line(line) for line in run.failed]
        return {"running": not run.end, "share": share, "made": run.made, "end": run.end, "failed": failed}

    def stop(self) -> None:
        """Break the run off; finished videos are kept."""
        run = self._run
        if run is not None:
            run.stop.set()

    def close(self) -> None:
        """Break off and wait until no child is left."""
        self.stop()
        if self._thread is not None:
            self._thread.join(SECONDS_TO_END)


class _Watcher:
    def __init__(self, run: _Run) -> None:
        self._run = run

    def progress(self, sequence: str, stage: str, done: int, total: int) -> None:
        self._go_on()
        self._run.shares[sequence] = done / max(1, total)

    def note(self, text: str) -> None:
        self._go_on()

    def finished(self, outcome: Outcome) -> None:
        self._run.shares[outcome.sequence] = 1.0
        self._go_on()

    def _go_on(self) -> None:
        if self._run.stop.is_set():
            raise _BrokenOff
