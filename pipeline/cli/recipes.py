"""``spotlabel recipes``: what comes with spotlabel in the folder ``workflows``."""

from __future__ import annotations

import itertools
import sys
from importlib import resources

import click

from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.recipes.tree import bundled_recipes, bundled_text
from spotlabel.pipeline.terminal import echo, echo_lines, escape

_EDITOR_LINE = "# yaml-language-server:"


@click.command()
@click.argument("name", required=False)
@click.option("--path", is_flag=True, help="Print the folder that recipes and Slurm scripts lie in.")
def recipes(name: str | None, path: bool) -> None:
    """List the recipes that come with spotlabel, or print the one called NAME.

    \b
    Examples:
      spotlabel recipes
      spotlabel recipes template > my-cameras.yaml
      sbatch --array=1-8 "$(spotlabel recipes --path)/slurm/label.sbatch" my-cameras.yaml
    """
    if path and name:
        raise click.UsageError("--path prints the folder of all recipes: leave out NAME")
    if path:
        echo(resources.files("spotlabel.workflows"))
    elif name:
        echo_lines(_text(name), nl=False)
    else:
        shown = table("recipe", "what for")
        for recipe in bundled_recipes():
            shown.add_row(recipe, escape(_title(_text(recipe))))
        console(sys.stdout).print(shown)


def _text(name: str) -> str:
    """A recipe without the line that is for editors: the schema lies beside the original alone."""
    lines = bundled_text(name).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(_EDITOR_LINE))


def _title(text: str) -> str:
    """The first sentence of the comment that a recipe begins with."""
    lines = itertools.takewhile(lambda line: line.startswith("# "), text.splitlines())
    return " ".join(line.removeprefix("#").strip() for line in lines).partition(". ")[0].rstrip(".")
