"""What the scheduler says of jobs: ``squeue`` while it knows them, then ``sacct`` where accounting is on.

submitit asks ``sacct`` alone, which many small clusters do not have.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spotlabel.pipeline.atomic import host_mark
from spotlabel.pipeline.cluster.records import Record

ALIVE = {
    "PENDING": "waiting", "CONFIGURING": "waiting", "REQUEUED": "waiting", "REQUEUE_HOLD": "waiting",
    "REQUEUE_FED": "waiting", "SPECIAL_EXIT": "waiting", "RESV_DEL_HOLD": "waiting", "RUNNING": "running",
    "COMPLETING": "running", "SUSPENDED": "running", "STOPPED": "running", "SIGNALING": "running",
    "STAGE_OUT": "running", "RESIZING": "running",
}  # fmt: skip
"""Slurm's states of jobs that may still do something."""
_SECONDS = 60.0


@dataclass(frozen=True)
class Seen:
    """What the scheduler says of one job.

    Attributes:
        state: Slurm's word, ``RUNNING`` say.
        reason: why it waits; empty if it does not.
    """

    state: str
    reason: str = ""

    @property
    def alive(self) -> bool:
        """True if the job may still do something."""
        return self.state in ALIVE


class Queue:
    """A look at the scheduler.

    Attributes:
        problem: why it could not be asked; empty if it could.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        known = list(records)
        self.problem = ""
        self._seen = self._slurm({record.job for record in known if record.engine == "slurm"})
        self._seen |= {
            record.job: Seen("RUNNING") for record in known if record.engine == "local" and _runs_here(record)
        }

    def of(self, record: Record) -> Seen | None:
        """What the scheduler says of a video's job; None if it knows nothing of it any more."""
        return self._seen.get(record.job)

    def _slurm(self, jobs: set[str]) -> dict[str, Seen]:
        if not jobs:
            return {}
        arrays = ",".join(sorted({job.partition("_")[0] for job in jobs}))
        command = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%r", f"--jobs={arrays}"]
        answer, self.problem = _ask(command)
        seen = _parsed(answer)
        if jobs - seen.keys():
            accounts, _ = _ask(["sacct", "-X", "-n", "-P", "-o", "JobID,State", "-j", arrays])
            seen = _parsed(accounts) | seen
        return seen


def _ask(command: list[str]) -> tuple[str, str]:
    """Standard output of a command, and in one line why there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        return "", f"there is no {command[0]} here"
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"{command[0]} does not answer: {error}"
    if done.returncode and "Invalid job id" not in done.stderr:  # it has forgotten them: an answer, too
        return "", " ".join(done.stderr.split()) or f"{command[0]} ended with code {done.returncode}"
    return done.stdout, ""


def _parsed(text: str) -> dict[str, Seen]:
    """``id|STATE by 0|reason`` lines by job id; later lines of an id are those of a later start."""
    seen = {}
    for line in text.splitlines():
        job, state, *rest = [*line.strip().split("|"), ""]
        if job and state:
            reason = rest[0] if state == "PENDING" and rest[0] != "None" else ""
            seen[job] = Seen(state.split(maxsplit=1)[0].rstrip("+"), reason)
    return seen


def _runs_here(record: Record) -> bool:
    """Whether a local job's process lives; one of another machine counts as ended."""
    if record.host != host_mark() or not record.job.isdecimal():
        return False
    try:
        os.kill(int(record.job), 0)
        words = Path(f"/proc/{record.job}/cmdline").read_bytes()
    except PermissionError:
        return True
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # no /proc to look closer
    except OSError:
        return False
    return record.folder.encode() in words  # the number may have gone to another process since
