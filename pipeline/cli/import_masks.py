"""``spotlabel import masks``: masks that people corrected in other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import click

from spotlabel.pipeline.audit.proposal import proposal_path, read_proposal
from spotlabel.pipeline.cli.options import console, recipe_options, table
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.imports.changes import Absent, Changes, Rules
from spotlabel.pipeline.imports.read import ImportFormat, Source, read_changes
from spotlabel.pipeline.manual import Decision, put_manual
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.terminal import echo, escape
from spotlabel.pipeline.upkeep.plan import Item, items


@click.command("masks")
@recipe_options
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--format", "form", required=True, type=click.Choice(get_args(ImportFormat)), help="Of the file."
)
@click.option("--absent", default="keep", show_default=True, type=click.Choice(get_args(Absent)),
              help="What becomes of boxes that have pixels here and no object in FILE.")  # fmt: skip
@click.option("--min-believability", default=0.0, show_default=True, type=click.FloatRange(0, 1),
              help="As in the export that was edited.")  # fmt: skip
@click.option("--confirm", is_flag=True,
              help="Boxes of the audit's sample that FILE leaves as they are were looked at.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
def masks_command(
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    *,
    file: Path,
    form: ImportFormat,
    absent: Absent,
    min_believability: float,
    confirm: bool,
    dry_run: bool,
) -> None:
    """Take over masks that people corrected in another tool; they come before made ones from then on.

    FILE is what `spotlabel export masks` or `review --export` wrote and a tool changed: a JSON file of COCO,
    an XML file of CVAT for images 1.1 or a folder of such, or the folder of an export as indexed pictures.
    Objects are found by their track and frame, or by their box. Only those whose pixels differ become
    corrections, all of a video in one step;
    `spotlabel relabel` then puts them into the masks. docs/corrections.md tells more.

    \b
    Examples:
      spotlabel import masks my-cameras.yaml annotations.xml --format cvat --only gate-3 --dry-run
      spotlabel import masks my-cameras.yaml export/instances.json --format coco
      spotlabel import masks my-cameras.yaml davis --format png
    """
    loaded = load_recipe(recipe, overrides)
    known = items(loaded)
    chosen = items(loaded, only) if only else known
    proposal = read_proposal(proposal_path(loaded.out)) if confirm else None
    if confirm and proposal is None:
        raise SpotlabelError(
            "--confirm: no sample was drawn; draw one first: `spotlabel audit RECIPE --propose 200`"
        )

    def rules(item: Item) -> Rules:
        return Rules(absent, proposal.of(item.sequence.name) if proposal else {})

    found = read_changes(loaded, known, chosen, Source(file, form, min_believability), rules)
    if not dry_run:
        for item in chosen:
            if item.sequence.name in found:
                put_manual(item.manual_path, item.sequence.name, found[item.sequence.name].corrections)
    _tell(found, dry_run)


def _tell(found: dict[str, Changes], dry_run: bool) -> None:
    columns = ("sequence", "frames", "unchanged", "masks", "unknown", "background")
    shown = table(*columns, numbers=columns[1:])
    for name, changes in found.items():
        decisions = (changes.count(decision) for decision in Decision)
        shown.add_row(escape(name), *map(str, (changes.frames, changes.same, *decisions)))
    if found:
        console(sys.stdout).print(shown)
    for name, changes in found.items():
        for line in changes.remarks():
            echo(f"{name}: {line}")
    total = sum(len(changes.corrections) for changes in found.values())
    if not total:
        echo("nothing differs: no corrections")
    elif dry_run:
        echo(f"{total} corrections would be kept")
    else:
        echo(f"{total} corrections kept; run `spotlabel relabel` to put them into the masks")
