"""Handing videos in as jobs through submitit: one array for all with the same resource request."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from spotlabel.pipeline.atomic import host_mark
from spotlabel.pipeline.cluster.records import Record, save_record
from spotlabel.pipeline.cluster.resources import ResourceRequest
from spotlabel.pipeline.cluster.task import LabelVideo
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.local import absolute_tree
from spotlabel.pipeline.text import acts, one_line

MOST_JOBS_OF_AN_ARRAY = 1000
"""Slurm refuses more unless its MaxArraySize was raised."""
_SECONDS_BEFORE_THE_END = 90
_TIMEOUTS_FORGIVEN = 2
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_CLEAN_UP = 5.0


class SubmitError(SpotlabelError):
    """Jobs that could not be handed in."""


@dataclass(frozen=True)
class JobOptions:
    """Options of the scheduler that all jobs of a submission share.

    Attributes:
        partition: where to run; None for the scheduler's own choice.
        account: who pays; None for the user's own.
        cpus: processors of each job.
        max_parallel: videos at a time; None for no limit.
        further: other sbatch options, ``True`` for those without a value.
    """

    partition: str | None = None
    account: str | None = None
    cpus: int = 1
    max_parallel: int | None = None
    further: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Array:
    """Videos with one resource request, and how many of them may run at a time (None: no limit)."""

    request: ResourceRequest
    sequences: tuple[str, ...]
    parallel: int | None = None


def submitit() -> Any:
    """The package submitit.

    Raises:
        SubmitError: it is not installed.
    """
    try:
        return import_module("submitit")
    except ModuleNotFoundError as error:
        raise SubmitError(
            "`spotlabel submit` needs submitit, which is not installed: pip install 'spotlabel[cluster]'"
        ) from error


def arrays(requests: dict[str, ResourceRequest], max_parallel: int | None) -> list[Array]:
    """Sort videos into job arrays, whose jobs all have the same resource request.

    A limit on videos at a time is one on all arrays together: it is dealt out to them, and where it is
    smaller than their number, the small ones join the next larger.

    Args:
        requests: what the job of each video requests.
        max_parallel: videos at a time; None for no limit.

    Raises:
        SubmitError: so small a limit that not every array can run a job.
    """
    groups: dict[ResourceRequest, list[str]] = {}
    for sequence, request in requests.items():
        groups.setdefault(request, []).append(sequence)
    ordered = sorted(groups.items())
    while max_parallel and len(ordered) > max(1, max_parallel):
        (small, fewer), (large, more), *rest = ordered
        joined = ResourceRequest(large.minutes, max(small.megabytes, large.megabytes))
        ordered = sorted([(joined, fewer + more), *rest])
    parts = [
        (request, tuple(sequences[first : first + MOST_JOBS_OF_AN_ARRAY]))
        for request, sequences in ordered
        for first in range(0, len(sequences), MOST_JOBS_OF_AN_ARRAY)
    ]
    if max_parallel is None:
        return [Array(request, part) for request, part in parts]
    if len(parts) > max_parallel:
        raise SubmitError(
            f"--max-parallel {max_parallel}: {len(requests)} videos take {len(parts)} job arrays (of at most "
            f"{MOST_JOBS_OF_AN_ARRAY} jobs), each of which runs one at least; say --max-parallel {len(parts)}"
        )
    limits = _dealt([len(part) for _, part in parts], max_parallel)
    return [Array(request, part, limit) for (request, part), limit in zip(parts, limits, strict=True)]


def _dealt(sizes: list[int], limit: int) -> list[int]:
    """Deal ``limit`` places out to arrays: one each, then one by one to the most crowded."""
    places = [1] * len(sizes)
    for _ in range(min(limit, sum(sizes)) - len(sizes)):
        crowded = max(range(len(sizes)), key=lambda i: (sizes[i] / places[i], -i))
        places[crowded] += 1
    return places


def submit_to_slurm(recipe: Recipe, chosen: list[Array], options: JobOptions) -> list[Record]:
    """Hand in job arrays; returns at once.

    Raises:
        SubmitError: no Slurm here, or it refuses; arrays handed in before are named by ``spotlabel jobs``.
    """
    folder = _new_folder(recipe)
    records = []
    for array in chosen:
        executor = _slurm_executor(folder, array, options)
        tasks = [_task(recipe, name, options.cpus, folder) for name in array.sequences]
        try:
            jobs = executor.submit_array(tasks)
        except (RuntimeError, OSError) as error:
            raise SubmitError(f"Slurm refuses the jobs: {_last_line(error)}") from error
        made = [
            _record("slurm", job.job_id, folder, name, array)
            for job, name in zip(jobs, array.sequences, strict=True)
        ]
        for record in made:
            save_record(recipe.out, record)
        records += made
    return records


def _slurm_executor(folder: Path, array: Array, options: JobOptions) -> Any:
    for name, value in {"--partition": options.partition, "--account": options.account}.items():
        _check_line(name, value or "")
    try:
        executor = submitit().SlurmExecutor(folder, max_num_timeout=_TIMEOUTS_FORGIVEN)
    except RuntimeError as error:
        raise SubmitError(
            "there is no Slurm here (srun was not found); use --local, or run this on a login node"
        ) from error
    executor.update_parameters(
        job_name="spotlabel",
        time=array.request.minutes,
        mem=f"{array.request.megabytes}M",
        nodes=1,
        ntasks_per_node=1,
        cpus_per_task=options.cpus,
        partition=options.partition,
        account=options.account,
        array_parallelism=array.parallel or len(array.sequences),
        signal_delay_s=_SECONDS_BEFORE_THE_END,
        srun_args=[f"--cpus-per-task={options.cpus}"],  # srun no longer takes it from sbatch (Slurm 22.05)
        wckey=None,
        additional_parameters={"requeue": True, **options.further},
    )
    return executor


def submit_here(
    recipe: Recipe, chosen: list[Array], parallel: int, started: Callable[[Record], None]
) -> list[Record]:
    """Run the jobs on this machine through submitit's local executor, some at a time; returns at their end.

    Args:
        recipe: the recipe.
        chosen: the videos; of their requests only the time counts.
        parallel: videos at a time, >= 1.
        started: told of each job as it starts.
    """
    folder = _new_folder(recipe)
    waiting = [(array, name) for array in chosen for name in array.sequences]
    running: list[Any] = []
    records = []
    try:
        while waiting or running:
            running = [job for job in running if not job.done()]
            while waiting and len(running) < parallel:
                array, name = waiting.pop(0)
                job = _start_here(recipe, array, name, folder)
                running.append(job)
                records.append(_record("local", job.job_id, folder, name, array))
                save_record(recipe.out, records[-1])
                started(records[-1])
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        _stop_here(running)
    return records


def _stop_here(running: list[Any]) -> None:
    """If we are leaving early: end the jobs, which clean up behind them."""
    for job in running:
        with suppress(ProcessLookupError):
            os.kill(int(job.job_id), signal.SIGTERM)  # submitit's controller passes it on
    end = time.monotonic() + _SECONDS_TO_CLEAN_UP
    while any(not job.done() for job in running) and time.monotonic() < end:
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _start_here(recipe: Recipe, array: Array, name: str, folder: Path) -> Any:
    executor = submitit().LocalExecutor(folder, max_num_timeout=_TIMEOUTS_FORGIVEN)
    executor.update_parameters(
        timeout_min=array.request.minutes,
        signal_delay_s=min(_SECONDS_BEFORE_THE_END, array.request.minutes * 30),
    )
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C reaches us alone
    try:
        return executor.submit(_task(recipe, name, 1, folder))
    finally:
        signal.signal(signal.SIGINT, before)


def _new_folder(recipe: Recipe) -> Path:
    """A folder of its own for each submission: process numbers come again, and so do job ids."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    folder = Path(os.path.abspath(recipe.out)) / "jobs" / f"{stamp}-{uuid.uuid4().hex[:6]}"
    _check_line("out", str(folder.parent))
    folder.mkdir(parents=True)
    return folder


def _task(recipe: Recipe, name: str, threads: int, folder: Path) -> LabelVideo:
    return LabelVideo(absolute_tree(recipe), name, threads, str(folder))


def _record(engine: str, job: str, folder: Path, name: str, array: Array) -> Record:
    host = host_mark() if engine == "local" else ""
    return Record(name, engine, job, folder.name, array.request.minutes, array.request.megabytes, host)


def _check_line(name: str, value: str) -> None:
    """Refuse what would end its line in the batch script, and begin another."""
    if acts(value):
        raise SubmitError(
            f"{name} {one_line(value)}: line breaks and control characters cannot stand in a job"
        )


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def sbatch_options(words: Iterable[str]) -> dict[str, Any]:
    """Options of sbatch from ``key=value`` and bare ``key`` words.

    Raises:
        SubmitError: not of that form.
    """
    options: dict[str, Any] = {}
    for word in words:
        _check_line("--slurm-set", word)
        key, given, value = word.strip().lstrip("-").partition("=")
        if not key.replace("-", "").replace("_", "").isalnum() or (given and not value):
            raise SubmitError(
                f"--slurm-set {word}: expected an sbatch option as KEY=VALUE or KEY, such as qos=low"
            )
        options[key.replace("_", "-")] = value if given else True
    return options
