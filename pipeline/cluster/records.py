"""What is written down about jobs, below ``<out>/jobs``: plain JSON; no pickle is read to learn a state.

``videos/<video>.json`` says which job a video was last handed in as; the job itself writes how it stands into
its submission's folder. Logs and submitit's own files are in that folder, too.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spotlabel.pipeline.atomic import locked_partial
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.regular import regular_bytes

_LOG = logging.getLogger("spotlabel")


@dataclass(frozen=True)
class Record:
    """The latest job of one video.

    Attributes:
        sequence: the video.
        engine: ``slurm`` or ``local``.
        job: the scheduler's id, ``12_3`` in an array; a process id if local.
        folder: name of the submission's folder below ``<out>/jobs``.
        minutes: wall time asked for.
        megabytes: memory asked for.
        host: mark of the machine, if local; empty otherwise.
    """

    sequence: str
    engine: str
    job: str
    folder: str
    minutes: int
    megabytes: int
    host: str = ""

    def log(self, out: Path, stream: str) -> Path:
        """What the job printed to ``out`` or ``err``."""
        return out / "jobs" / self.folder / f"{self.job}_0_log.{stream}"


@dataclass(frozen=True)
class Told:
    """How a job says it stands: ``running``, ``done``, ``failed`` or ``requeued``, and why."""

    state: str
    detail: str = ""


def save_record(out: Path, record: Record) -> None:
    """Write down the latest job of a video."""
    _write(_record_path(out, record.sequence), asdict(record))


def load_record(out: Path, sequence: str) -> Record | None:
    """The latest job of a video; None if it was never handed in."""
    data = _read(_record_path(out, sequence))
    try:
        return Record(**data) if data else None
    except TypeError:
        _LOG.warning("%s: not a job record; taken for none", _record_path(out, sequence))
        return None


def tell(folder: Path, sequence: str, job: str, told: Told) -> None:
    """Called by a job: how it stands."""
    _write(folder / f"{file_stem(sequence)}.json", {"job": job, **asdict(told)})


def told_by(out: Path, record: Record) -> Told | None:
    """What a video's job said last; None if it has not begun."""
    data = _read(out / "jobs" / record.folder / f"{file_stem(record.sequence)}.json")
    return Told(str(data.get("state", "")), str(data.get("detail", ""))) if data else None


def _record_path(out: Path, sequence: str) -> Path:
    return out / "jobs" / "videos" / f"{file_stem(sequence)}.json"


def _write(path: Path, data: dict[str, Any]) -> None:
    partial, lock = locked_partial(path)  # and not another kind of temporary file, which nobody would clear
    try:
        with os.fdopen(os.dup(lock), "w") as file:
            json.dump(data, file, indent=1)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
        os.close(lock)


def _read(path: Path) -> dict[str, Any]:
    """The object in a file; empty if there is none."""
    try:
        data = json.loads(regular_bytes(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _LOG.warning("%s: cannot be read: %s", path, error)
        return {}
    return data if isinstance(data, dict) else {}
