"""``spotlabel manual``: what people corrected, and taking it back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from spotlabel.pipeline.cli.options import console, recipe_options, table
from spotlabel.pipeline.cli.standing import all_standing, standing_lines
from spotlabel.pipeline.manual import Correction, Fitted, drop_manual, read_manual
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
from spotlabel.pipeline.stages.standing import standing
from spotlabel.pipeline.terminal import echo, echo_lines, escape
from spotlabel.pipeline.upkeep.plan import Item, items


@click.group()
def manual() -> None:
    """Corrections by hand, which come before made masks (docs/corrections.md)."""


@dataclass(frozen=True)
class _Row:
    """A correction, and why it does not apply; empty if it does."""

    video: str
    correction: Correction
    why: str

    def as_data(self) -> dict[str, Any]:
        one = self.correction
        return {
            "video": self.video,
            "frame": one.frame,
            "track": one.track,
            "xyxy": [float(str(edge)) for edge in one.box],
            "decision": one.decision.name.lower(),
            "pixels": int(one.mask.sum()),
            "applies": not self.why,
            "why": self.why,
        }


@manual.command("list")
@recipe_options
@click.option("--left", is_flag=True, help="Only those that do not apply.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON on standard output.")
def list_command(
    recipe: str, overrides: tuple[str, ...], only: tuple[str, ...], *, left: bool, as_json: bool
) -> None:
    """Name every correction by hand, and which do not apply because their box moved or went.

    Exit code 1 if a video's corrections cannot be read.

    \b
    Examples:
      spotlabel manual list my-cameras.yaml
      spotlabel manual list my-cameras.yaml --only gate-3 --left
    """
    loaded = load_recipe(recipe, overrides)
    chosen = items(loaded, only)
    found, failed = all_standing(loaded, chosen)
    rows = [row for name, fitted in found.items() for row in _rows(name, fitted) if row.why or not left]
    if as_json:
        echo_lines(json.dumps([row.as_data() for row in rows], indent=1))
    else:
        _tell(rows, found)
        if not found and not failed:
            echo("no corrections")
    if not only:
        for name in _strangers(loaded, chosen):
            echo(f"{name}: corrections of no video of this recipe", err=True)
    if failed:
        sys.exit(1)


@manual.command("drop")
@recipe_options
@click.option("--frame", type=int, metavar="N", help="Only those of this frame number.")
@click.option("--track", type=int, metavar="N", help="Only those of this track; -1: of boxes without one.")
@click.option("--left", is_flag=True, help="Only those that do not apply.")
@click.option("--all", "everything", is_flag=True, help="All corrections of all videos of the recipe.")
def drop_command(
    recipe: str,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    *,
    frame: int | None,
    track: int | None,
    left: bool,
    everything: bool,
) -> None:
    """Take corrections back; the next `relabel` makes these masks by the rules again.

    A person's work goes with this, and nothing brings it back.

    \b
    Examples:
      spotlabel manual drop my-cameras.yaml --only gate-3 --frame 120 --track 7
      spotlabel manual drop my-cameras.yaml --left
    """
    narrowed = bool(only) or left or frame is not None or track is not None
    if narrowed == everything:
        raise click.UsageError(
            "say which: --only, --frame, --track, --left, or --all" if everything is False
            else "--all drops everything: leave out --only, --frame, --track and --left"
        )  # fmt: skip
    loaded = load_recipe(recipe, overrides)
    total = 0
    for item in items(loaded, only):
        known = standing(loaded, item).left if left else [(one, "") for one in _read(item)]
        keys = [one.key for one, _ in known if frame in (None, one.frame) and track in (None, one.track)]
        dropped = drop_manual(item.manual_path, item.sequence.name, keys)
        if dropped:
            echo(f"{item.sequence.name}: dropped {dropped}")
        total += dropped
    echo(
        f"{total} corrections dropped"
        + ("; run `spotlabel relabel` to make the masks again" if total else "")
    )


def _read(item: Item) -> Iterator[Correction]:
    yield from read_manual(item.manual_path).values()


def _rows(name: str, fitted: Fitted) -> list[_Row]:
    left = {one.key: str(why) for one, why in fitted.left}
    every = [*fitted.applied.values(), *(one for one, _ in fitted.left)]
    return [_Row(name, one, left.get(one.key, "")) for one in sorted(every, key=lambda one: one.key)]


def _tell(rows: list[_Row], found: dict[str, Fitted]) -> None:
    columns = ("sequence", "frame", "track", "box", "decision", "pixels", "")
    shown = table(*columns, numbers=("frame", "track", "pixels"))
    for row in rows:
        data = row.as_data()
        box = " ".join(f"{edge:g}" for edge in data["xyxy"])
        pixels = str(data["pixels"] or "")
        track = str(data["track"]) if data["track"] >= 0 else ""
        why = f"does not apply: {row.why}" if row.why else ""
        shown.add_row(escape(row.video), str(data["frame"]), track, box, data["decision"], pixels, why)
    if rows:
        console(sys.stdout).print(shown)
    for line in standing_lines(found):
        echo(line)


def _strangers(recipe: Recipe, known: list[Item]) -> list[str]:
    """Stores of corrections that belong to no video any more."""
    stems = {file_stem(item.sequence.name) for item in known}
    return sorted(str(path) for path in recipe.out.glob("manual/*.h5") if path.stem not in stems)
