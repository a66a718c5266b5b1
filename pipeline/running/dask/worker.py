"""What a Dask worker does with one video: as on one machine, a child process of its own, tried once more."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import get_worker

from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.running.isolate import Children
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import run_one
from spotlabel.pipeline.upkeep.freshness import library_versions

_SECONDS_TO_SEE = 5.0
"""How long a new file of another machine may stay unseen: network file systems remember absence."""
_SECONDS_BETWEEN_REPORTS = 1.0

_LOCK = threading.Lock()
_CHILDREN: dict[str, Children] = {}
_VIDEOS: Counter[str] = Counter()
"""How many videos of each run are in work here; with the last one the run is forgotten."""
_STOPPED: deque[str] = deque(maxlen=100)
"""Runs that were stopped lately: a video of theirs that comes late is not begun."""


def run_video(name: str, common: Mapping[str, Any]) -> dict[str, Any]:
    """Bring one video up to date; runs in a thread of a worker.

    Args:
        name: the sequence.
        common: what all videos of a run share; see
            :func:`spotlabel.pipeline.running.dask.backend.run_on_dask`.

    Returns:
        The fields of its :class:`Outcome`.
    """
    problem = unfit(common)
    if problem:
        return dataclasses.asdict(Outcome(name, error=problem))
    job = {"recipe": common["recipe"], "sequence": name, "masks_only": common["masks_only"], "threads": 1}
    log = Path(common["recipe"]["out"]) / "logs" / f"{file_stem(name)}.log"
    worker = get_worker()
    messenger = _Messenger(lambda message: worker.log_event(common["run"], message))
    with _children_of(common["run"]) as children:
        return dataclasses.asdict(run_one(job, log, children, messenger))


def unfit(common: Mapping[str, Any]) -> str:
    """Why this worker cannot take part, in one line; empty if it can.

    It must see the data and the very output folder (which holds a file that only this run has), and have the
    same libraries: evidence made by others would count as stale.
    """
    here = f"Dask worker on {socket.gethostname()}"
    data, out = common["recipe"]["data"], common["recipe"]["out"]
    if not _seen(Path(common["marker"])):
        return f"{here} does not see out: {out}; every worker needs that folder on a shared file system"
    if not Path(data).exists():
        return f"{here} does not see data: {data}; every worker needs that folder under the same path"
    wanted = common["libraries"]
    installed = library_versions(tuple(wanted))
    others = [
        f"{name} {installed[name]}, not {wanted[name]}" for name in wanted if installed[name] != wanted[name]
    ]
    return f"{here} has {', '.join(others)}; install the same versions everywhere" if others else ""


def _seen(path: Path) -> bool:
    deadline = time.monotonic() + _SECONDS_TO_SEE
    while not path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


async def stop_run(run: str) -> None:
    """Kill the children that work for a run on this worker, and start no more of them."""
    with _LOCK:
        _STOPPED.append(run)
        children = _CHILDREN.get(run)
    if children is not None:
        children.stop()
        await asyncio.to_thread(children.join)


@contextmanager
def _children_of(run: str) -> Iterator[Children]:
    """The children of a run, for one video; stopped ones if the run has been stopped."""
    with _LOCK:
        children = _CHILDREN.setdefault(run, Children())
        _VIDEOS[run] += 1
        stopped = run in _STOPPED
    try:
        if stopped:
            children.stop()
        yield children
    finally:
        with _LOCK:
            _VIDEOS[run] -= 1
            if not _VIDEOS[run]:
                del _VIDEOS[run], _CHILDREN[run]


class _Messenger:
    """Sends what a watcher is told to the process that started the run."""

    def __init__(self, send: Callable[[list[Any]], None]) -> None:
        self._send = send
        self._last = 0.0

    def progress(self, sequence: str, stage: str, done: int, total: int) -> None:
        """Frames done, at most once a second: all workers share one scheduler."""
        now = time.monotonic()
        if done == total or now - self._last >= _SECONDS_BETWEEN_REPORTS:
            self._last = now
            self._send(["progress", sequence, stage, done, total])

    def note(self, text: str) -> None:
        """Something worth a line happened."""
        self._send(["note", text])

    def finished(self, outcome: Outcome) -> None:
        """Nothing to send: the outcome travels as the task's result."""
