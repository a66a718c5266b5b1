"""Parent side of one child process: start it in an empty folder, follow it, report its death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from spotlabel.pipeline.atomic import locked_partial
from spotlabel.pipeline.progress import VideoProgress
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.scratch import scratch_folder

_LOG_LINES_SHOWN = 3
_SECONDS_TO_CLEAN_UP = 4.0


class Stopped(Exception):
    """The run was asked to stop while this child was working."""


class Lost(Exception):
    """The child died without an outcome: killed, or crashed in native code."""


class Children:
    """The living children of a run and the threads that follow them, so that all can be ended at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._living: set[subprocess.Popen[str]] = set()
        self._followers = 0
        self._stopping = False

    @contextmanager
    def following(self) -> Iterator[None]:
        """Inside, a thread starts and follows children; raises :class:`Stopped` once the run is stopped."""
        with self._changed:
            if self._stopping:
                raise Stopped
            self._followers += 1
        try:
            yield
        finally:
            with self._changed:
                self._followers -= 1
                self._changed.notify_all()

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[str]:
        """Start a child; raises :class:`Stopped` once the run is being stopped."""
        with self._changed:
            if self._stopping:
                raise Stopped
            child = subprocess.Popen(command, **options)
            self._living.add(child)
            return child

    def ended(self, child: subprocess.Popen[str]) -> None:
        """Forget a child that has been waited for; raises :class:`Stopped` if it was ended by a stop."""
        with self._changed:
            self._living.discard(child)
            if self._stopping:
                raise Stopped

    def stop(self) -> None:
        """Kill every child, and start no more. Stores are sealed, so a kill loses only unfinished ones."""
        with self._changed:
            self._stopping = True
            for child in self._living:
                child.kill()

    def join(self) -> None:
        """After a stop: wait until the children are dead and their followers have cleaned up behind them."""
        with self._changed:
            self._changed.wait_for(lambda: self._followers == 0, timeout=_SECONDS_TO_CLEAN_UP)


def run_isolated(job: Mapping[str, Any], log: Path, children: Children, progress: VideoProgress) -> Outcome:
    """Run one job in a fresh process.

    The child's working directory is empty, since pybgs reads ``./config/*.xml``; whatever it prints goes to a
    log file, which is kept only if something was printed.

    Args:
        job: recipe tree, sequence, masks_only, threads; JSON-able.
        log: where the child's output goes.
        children: registry of living children.
        progress: called for every progress line.

    Returns:
        The child's outcome.

    Raises:
        Lost: the child died without telling an outcome.
        Stopped: the run is being stopped.
    """
    with (
        children.following(),
        _log_file(log) as output,
        scratch_folder() as scratch,
    ):
        read_end, write_end = os.pipe()
        try:
            child = children.start(
                [sys.executable, "-m", "spotlabel.pipeline.running.start"],
                stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=scratch, text=True,
                pass_fds=[write_end], env=child_environment(), start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        with os.fdopen(read_end) as channel:
            outcome = _converse(child, {**job, "channel": write_end}, channel, progress)
        children.ended(child)
        printed = os.fstat(output).st_size > 0
    if outcome is None:
        raise Lost(_death(child.returncode) + (_tail(log) if printed else ""))
    outcome.log = str(log) if printed else ""
    return outcome


@contextmanager
def _log_file(log: Path) -> Iterator[int]:
    """Descriptor for a child's output; the file gets its name at the end, if anything was printed.

    Until then it is a locked partial file, like a store's: two runs do not share it, and one whose run was
    killed is cleared by the next.
    """
    partial, descriptor = locked_partial(log)
    try:
        yield descriptor
    finally:
        if os.fstat(descriptor).st_size:
            with suppress(FileNotFoundError):  # silent for a week, and taken for another host's leftover
                os.replace(partial, log)
        else:
            partial.unlink(missing_ok=True)
            log.unlink(missing_ok=True)  # an older run's words would pass for this one's
        os.close(descriptor)


def child_environment() -> dict[str, str]:
    """The parent's environment with absolute import paths: the child starts in another folder."""
    roots = [str(Path(__file__).parents[3]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(root) for root in roots if root)}


def _converse(
    child: subprocess.Popen[str], job: Mapping[str, Any], channel: IO[str], progress: VideoProgress
) -> Outcome | None:
    """Send the job, follow progress until the child closes its channel, wait for its end."""
    assert child.stdin is not None
    outcome = None
    try:
        child.stdin.write(json.dumps(job) + "\n")
        child.stdin.flush()
        for line in channel:
            message = json.loads(line)
            if "outcome" in message:
                outcome = Outcome(**message["outcome"])
            else:
                progress(job["sequence"], message["stage"], message["done"], message["total"])
    except (BrokenPipeError, json.JSONDecodeError):
        outcome = None  # the child died before it read its job, or in the middle of a line
    except BaseException:  # whoever shows progress failed: leave no child behind
        child.kill()
        raise
    finally:
        child.wait()
        with suppress(BrokenPipeError):  # unsent words to a dead child
            child.stdin.close()
    return outcome


def _death(code: int) -> str:
    if code >= 0:
        return f"its process ended with code {code} and no result"
    name = signal.Signals(-code).name
    hint = {"SIGKILL": ", out of memory?", "SIGSEGV": ", a crash in native code"}.get(name, "")
    return f"its process was killed by {name}{hint}"


def _tail(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"; last output: {' | '.join(lines[-_LOG_LINES_SHOWN:])} (all of it: {log})"
