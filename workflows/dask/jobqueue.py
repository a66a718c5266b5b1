"""``python -m spotlabel.workflows.dask.jobqueue``: Dask workers that are jobs of PBS, SGE or LSF."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import FrameType
from typing import Any

import click
import dask_jobqueue
from distributed import LocalCluster

from spotlabel.pipeline.terminal import echo_lines
from spotlabel.pipeline.text import acts, one_line

_MINUTES_BEFORE_THE_END = 5
_QUEUES = {"pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster"}


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]})
@click.argument("system", type=click.Choice([*_QUEUES, "local"]))
@click.argument("label", nargs=-1, required=True, type=click.UNPROCESSED, metavar="RECIPE [OPTIONS OF label]")
@click.option("--workers", type=click.IntRange(min=1), required=True, help="Jobs, one core and video each.")
@click.option("--memory", default="2GB", show_default=True, help="Of a job; PAWCS takes 0.5 GB at 960x540.")
@click.option("--hours", type=click.IntRange(min=1), default=12, show_default=True, help="Limit of a job.")
@click.option("--queue", help="Queue to submit to; default: the system's own.")
@click.option("--account", help="Account or project that pays.")
@click.option("--setup", multiple=True, metavar="LINE", help="Shell line a job begins with; repeatable.")
@click.option("--show", is_flag=True, help="Print the job script and submit nothing.")
def main(system: str, label: tuple[str, ...], workers: int, show: bool, **job: Any) -> None:
    """Run `spotlabel label RECIPE ...` on WORKERS jobs of a batch system.

    Start it where jobs can be submitted and reached from (a login node, in tmux; or a small job of its own).
    When it ends or is stopped, so do the jobs. The same command again goes on with what is missing.

    \b
    Examples:
      python -m spotlabel.workflows.dask.jobqueue pbs ua-detrac --set data=/data/UA-DETRAC --workers 60
      --queue long python -m spotlabel.workflows.dask.jobqueue sge my-cameras.yaml --workers 20 --show
      python -m spotlabel.workflows.dask.jobqueue lsf uavdt --workers 40 --setup '. /shared/env.sh'
      python -m spotlabel.workflows.dask.jobqueue local demo --workers 2
    """
    for name in ("memory", "queue", "account"):
        if acts(job[name] or ""):
            problem = "line breaks and control characters cannot stand in a job"
            raise click.BadParameter(f"{one_line(job[name])}: {problem}", param_hint=f"--{name}")
    with _cluster(system, workers, job) as cluster:
        if show:
            echo_lines(cluster.job_script() if system in _QUEUES else "local: no job script")
            return
        cluster.scale(workers)
        code = _label([*label, "--backend", "dask", "--scheduler", cluster.scheduler_address])
    sys.exit(code)


def _cluster(system: str, workers: int, job: dict[str, Any]) -> Any:
    """A scheduler in this process whose workers are jobs, or processes of this machine."""
    if system == "local":
        return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0")
    # A worker that leaves before its time is up hands its video on; one that is killed costs it a try.
    lifetime = ["--lifetime", f"{60 * job['hours'] - _MINUTES_BEFORE_THE_END}m", "--lifetime-stagger", "4m"]
    options = {"queue": job["queue"], _account_option(system): job["account"]}
    walltime = f"{job['hours']}:00" if system == "lsf" else f"{job['hours']:02}:00:00"
    return getattr(dask_jobqueue, _QUEUES[system])(
        cores=1,
        processes=1,
        memory=job["memory"],
        walltime=walltime,
        worker_extra_args=lifetime,
        scheduler_options={"dashboard_address": ":0"},
        job_script_prologue=["export OMP_NUM_THREADS=1", *job["setup"]],
        **{name: value for name, value in options.items() if value},
    )


def _account_option(system: str) -> str:
    return "account" if system == "pbs" else "project"


def _label(arguments: list[str]) -> int:
    """Run ``spotlabel label``, hand signals on to it, and return its exit code."""
    command = [sys.executable, "-c", "from spotlabel.pipeline.cli import main; main()", "label", *arguments]
    process = subprocess.Popen(command, start_new_session=True)  # Ctrl-C reaches it once, through us

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    code = process.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    main()
