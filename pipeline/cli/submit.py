"""``spotlabel submit``: one job per video."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click

from spotlabel.pipeline.atomic import clear_partials
from spotlabel.pipeline.cli.gather import check_wait, wait_option
from spotlabel.pipeline.cli.options import console, recipe_options, table
from spotlabel.pipeline.cluster.resources import (
    ResourceRequest,
    clock,
    parse_memory,
    parse_time,
    resource_request,
    seconds_for_others,
    seconds_once,
    size,
)
from spotlabel.pipeline.cluster.states import Standing, await_jobs, standings
from spotlabel.pipeline.cluster.submit import (
    Array,
    JobOptions,
    SubmitError,
    arrays,
    sbatch_options,
    submit_here,
    submit_to_slurm,
)
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.frames.glance import about_length, about_size
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.running.local import check_writable, usable_cores
from spotlabel.pipeline.terminal import echo, escape
from spotlabel.pipeline.upkeep.groups import looked_at_once
from spotlabel.pipeline.upkeep.plan import Plan, items, plan_items


def _scheduler_options(command: Any) -> Any:
    for option in (
        click.option("--dry-run", is_flag=True, help="Print what would be asked for; hand nothing in."),
        click.option("--slurm-set", "further_options", multiple=True, metavar="KEY[=VALUE]",
                     help="Any other sbatch option, e.g. --slurm-set qos=low; may be repeated."),
        click.option("--cpus", type=click.IntRange(min=1), default=1, show_default=True,
                     help="Processors per video, with --slurm; most labelers use one."),
        click.option("--max-parallel", type=click.IntRange(min=1),
                     help="Videos at a time; default: all with --slurm, one per processor with --local."),
        click.option("--account", help="Slurm account."),
        click.option("--partition", help="Slurm partition."),
        click.option("--time", "minutes", metavar="TIME",
                     callback=lambda _c, _o, text: text and parse_time(text),
                     help="Time per video: 90 (minutes), 2h, 1:30:00; default: by its size and labeler."),
        click.option("--memory", "megabytes", metavar="SIZE",
                     callback=lambda _c, _o, text: text and parse_memory(text),
                     help="Memory per video, e.g. 4GB; default: by its size and labeler."),
        click.option("--local", is_flag=True, help="Run the jobs here, to try them."),
        click.option("--slurm", is_flag=True, help="Hand the jobs to Slurm."),
    ):  # fmt: skip
        command = option(command)
    return recipe_options(wait_option("Stay until all these jobs have ended")(command))


@click.command()
@_scheduler_options
def submit(
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    *,
    local: bool,
    slurm: bool,
    dry_run: bool,
    wait: float | None,
    megabytes: int | None,
    minutes: int | None,
    **options: Any,
) -> None:
    """Hand in a job for every video that is not up to date: a Slurm job array through submitit.

    Each asks for memory and time by its video's size and labeler. A job that is preempted or runs out of
    time goes back into the queue. Videos with a job in the queue are not handed in again: the same command
    picks up whatever failed.

    Jobs of videos that share a student share the work of teaching it, and wait for each other: where they
    are many, `spotlabel teach` in one job before is cheaper.

    \b
    Examples:
      spotlabel submit ua-detrac --set data=/data/UA-DETRAC --dry-run
      spotlabel submit ua-detrac --set data=/data/UA-DETRAC --slurm --partition cpu --max-parallel 50
      spotlabel submit my-cameras.yaml --slurm --time 4h --memory 8GB --slurm-set qos=low --wait
      spotlabel submit my-cameras.yaml --local
      spotlabel jobs my-cameras.yaml
    """
    check_wait(wait, dry_run)
    _check_engine(local, slurm, dry_run)
    if local:
        _check_local({"wait": wait, "memory": megabytes, **options})
    loaded, job_options = load_recipe(recipe, overrides), _job_options(options)
    plans = plan_items(loaded, items(loaded, only))
    requests, refused = _requests(loaded, _without_jobs(loaded, plans), megabytes, minutes)
    chosen = arrays(requests, None if local else job_options.max_parallel)
    if dry_run:
        _show(plans, chosen)
    elif not requests:
        echo(f"nothing to hand in: {sum(plan.idle for plan in plans)} of {len(plans)} videos up to date")
    else:
        check_writable(loaded.out)
        clear_partials(loaded.out)
        refused |= _run(loaded, chosen, job_options, local, wait)
    sys.exit(1 if refused else 0)


def _check_engine(local: bool, slurm: bool, dry_run: bool) -> None:
    if local and slurm:
        raise click.UsageError("--slurm and --local do not go together: hand the jobs in, or run them here")
    if not (local or slurm or dry_run):
        raise SubmitError("say where: --slurm (hand the jobs to Slurm) or --local (run them on this machine)")


def _check_local(options: dict[str, Any]) -> None:
    """Refuse what a run on this machine would not heed."""
    if options["wait"] is not None:
        raise click.UsageError("--wait is for --slurm: --local stays until the end anyway")
    given = {
        "--memory": options["memory"],
        "--cpus": options["cpus"] != 1,
        "--partition": options["partition"],
        "--account": options["account"],
        "--slurm-set": options["further_options"],
    }
    for name, value in given.items():
        if value:
            raise click.UsageError(f"{name} is for --slurm: a run on this machine does not heed it")


def _job_options(options: dict[str, Any]) -> JobOptions:
    return JobOptions(further=sbatch_options(options.pop("further_options")), **options)


def _without_jobs(recipe: Recipe, plans: list[Plan]) -> list[Plan]:
    """The plans that want a job and have none that waits or runs."""
    wanted = [plan for plan in plans if not plan.idle]
    standing = {one.sequence: one for one in standings(recipe.out, (p.item.sequence.name for p in wanted))}
    for one in standing.values():
        if one.state == "unknown":
            raise SubmitError(
                f"{one.sequence}: may still have a job, and the scheduler cannot say: {one.detail}; to "
                f"forget its jobs, delete {recipe.out / 'jobs' / 'videos'}"
            )
    busy = [name for name, one in standing.items() if one.alive]
    if busy:
        echo(f"left alone, with a job that waits or runs: {_count(len(busy))}", err=True)
    return [plan for plan in wanted if plan.item.sequence.name not in busy]


@looked_at_once()
def _requests(
    recipe: Recipe, plans: list[Plan], megabytes: int | None, minutes: int | None
) -> tuple[dict[str, ResourceRequest], bool]:
    """The request of each video, and whether any cannot be handed in (which is told)."""
    requests, refused = {}, False
    for plan in plans:
        name = plan.item.sequence.name
        try:
            if plan.problem:
                raise SpotlabelError(plan.problem)
            request = resource_request(plan, seconds_for_others(recipe, plan), seconds_once(recipe, plan))
        except (SpotlabelError, OSError) as error:
            echo(f"{name}: FAILED, not handed in: {error}", err=True)
            refused = True
            continue
        requests[name] = replace(
            request, megabytes=megabytes or request.megabytes, minutes=minutes or request.minutes
        )
    return requests, refused


def _show(plans: list[Plan], chosen: list[Array]) -> None:
    numbers = ("array", "frames", "memory", "time")
    shown = table("array", "sequence", "labeler", "frames", "size", "memory", "time", numbers=numbers)
    items_by_name = {plan.item.sequence.name: plan.item for plan in plans}
    for number, array in enumerate(chosen, 1):
        for name in array.sequences:
            frames = items_by_name[name].sequence.frames
            height, width = about_size(frames)
            shown.add_row(
                str(number), escape(name), items_by_name[name].labeler.name, str(about_length(frames)),
                f"{width}x{height}", size(array.request.megabytes), clock(array.request.minutes),
            )  # fmt: skip
    console(sys.stdout).print(shown)
    jobs = sum(len(array.sequences) for array in chosen)
    arrays_told = f"{len(chosen)} job array{'s' * (len(chosen) != 1)}"
    echo(f"{jobs} of {len(plans)} videos in {arrays_told}; nothing was handed in")


def _run(recipe: Recipe, chosen: list[Array], options: JobOptions, local: bool, wait: float | None) -> bool:
    """Hand in, wait if asked to; true if a video has failed."""
    if local:
        parallel = options.max_parallel or usable_cores()
        records = submit_here(
            recipe, chosen, parallel, lambda r: echo(f"{r.sequence}: job {r.job}", err=True)
        )
    else:
        records = submit_to_slurm(recipe, chosen, options)
        for array in sorted({(r.job.partition("_")[0], r.minutes, r.megabytes) for r in records}):
            videos = sum(record.job.partition("_")[0] == array[0] for record in records)
            echo(f"job {array[0]}: {_count(videos)}, {ResourceRequest(*array[1:])} each")
    names = [record.sequence for record in records]
    if not local and wait is None:
        echo("how they stand: `spotlabel jobs`; what one printed: `spotlabel log`, with the same recipe")
        return False
    ended = await_jobs(recipe.out, names, 0.0 if local or wait is None else wait, _tell)
    return _told_end(recipe, ended, len(names))


def _count(videos: int) -> str:
    return f"{videos} video{'s' * (videos != 1)}"


def _tell(line: str) -> None:
    echo(line, err=True)


def _told_end(recipe: Recipe, ended: list[Standing], jobs: int) -> bool:
    """Tell how the jobs ended; true if a video has failed."""
    bad = [one for one in ended if one.state != "done"]
    for one in bad:
        echo(f"{one.sequence}: {one.state.upper()}: {one.detail}", err=True)
    if bad:
        echo(f"{len(bad)} of {jobs} videos are not done; `spotlabel log RECIPE VIDEO` shows more", err=True)
    else:
        echo(f"done: {_count(jobs)}, in {recipe.out / 'masks'}")
    return bool(bad)
