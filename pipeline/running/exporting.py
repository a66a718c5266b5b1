"""Export of many videos: each in a child process of its own; one that fails stops no other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from joblib import Parallel, delayed

from spotlabel.pipeline.atomic import clear_folder
from spotlabel.pipeline.errors import SpotlabelError, one_sentence
from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.record import MADE, read_record, record_path
from spotlabel.pipeline.exports.stage import why_export
from spotlabel.pipeline.exports.staging import clear_staging
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.isolate import Children
from spotlabel.pipeline.running.job import Outcome
from spotlabel.pipeline.running.local import absolute_tree, run_one, stopping_on_signals, usable_cores
from spotlabel.pipeline.running.watcher import Watcher
from spotlabel.pipeline.upkeep.plan import Item


@dataclass(frozen=True)
class Todo:
    """What there is to do for one video.

    Attributes:
        name: of the sequence.
        reason: why it has to be exported; empty if it is up to date.
        problem: why it cannot be; empty if it can.
    """

    name: str
    reason: str = ""
    problem: str = ""


def plan_export(recipe: Recipe, item: Item, options: ExportOptions, to: Path) -> Todo:
    """See whether a video has to be exported."""
    name = item.sequence.name
    try:
        return Todo(name, why_export(recipe, item, options, to))
    except (SpotlabelError, OSError) as error:
        return Todo(name, problem=one_sentence(error))


def export_all(  # noqa: PLR0917 - what is made, of what, where, how, and who is told
    recipe: Recipe, todo: list[Todo], options: ExportOptions, to: Path, jobs: int, watcher: Watcher
) -> list[Outcome]:
    """Export videos.

    Args:
        recipe: the recipe.
        todo: what there is to do, see :func:`plan_export`.
        options: what is asked for.
        to: the export's folder.
        jobs: videos at a time, >= 1.
        watcher: told of everything as it happens.

    Returns:
        One outcome for each, in their order; ``masks`` is ``made`` or ``fresh``, ``boxes`` counts the masks.

    Raises:
        Interrupted: SIGINT or SIGTERM came; the children are dead, finished videos are kept.
    """
    clear_leftovers(to)
    children, logs = Children(), to / MADE / "logs"
    names = [each.name for each in todo if each.reason]
    job = {
        "recipe": absolute_tree(recipe),
        "to": os.path.abspath(to),
        "export": options.model_dump(mode="json"),
    }
    threads = max(1, usable_cores() // max(1, min(jobs, len(names))))

    def run(name: str) -> Outcome:
        mine = {**job, "sequence": name, "threads": threads}
        return run_one(mine, logs / f"{file_stem(name)}.log", children, watcher)

    done = {}
    try:
        with stopping_on_signals(children):
            pool = Parallel(n_jobs=jobs, backend="threading", return_as="generator_unordered")
            for outcome in pool(delayed(run)(name) for name in names):
                done[outcome.sequence] = outcome
                watcher.finished(outcome)
    finally:
        children.stop()
        children.join()
        clear_leftovers(to)
    for each in todo:
        if each.name not in done:
            done[each.name] = _untouched(each, options, to)
            if each.problem:
                watcher.finished(done[each.name])
    return [done[each.name] for each in todo]


def clear_leftovers(to: Path) -> None:
    """Delete what killed exports have left."""
    clear_staging(to)
    for folder in sorted((to / MADE).glob("*")):
        if folder.is_dir():
            clear_folder(folder)


def _untouched(todo: Todo, options: ExportOptions, to: Path) -> Outcome:
    if todo.problem:
        return Outcome(todo.name, masks="failed", error=todo.problem)
    record = read_record(record_path(to, options.format, file_stem(todo.name)))
    outcome = Outcome(todo.name, masks="fresh")
    if record is not None:
        outcome.frames, outcome.boxes, outcome.remarks = record.frames, record.objects, list(record.remarks)
    return outcome
