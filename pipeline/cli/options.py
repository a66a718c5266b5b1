"""Options that several commands share, and the consoles they print to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.table import Table

from spotlabel.pipeline.terminal import SafeConsole, escape
from spotlabel.pipeline.upkeep.shards import Shard

_Command = TypeVar("_Command", bound=Callable[..., Any])
_WIDTH_WITHOUT_TERMINAL = 200


def recipe_options(command: _Command) -> _Command:
    """RECIPE, ``--set`` and ``--only``."""
    command = click.option(
        "--only", multiple=True, metavar="NAME", help="Only this sequence; may be repeated."
    )(command)
    return recipe_argument(command)


def recipe_argument(command: _Command) -> _Command:
    """RECIPE and ``--set``."""
    command = click.option(
        "--set", "overrides", multiple=True, metavar="KEY=VALUE",
        help="Change one recipe value, e.g. --set masks.min_fill=0.3; may be repeated.",
    )(command)  # fmt: skip
    return click.argument("recipe", metavar="RECIPE")(command)


def shard_option(command: _Command) -> _Command:
    """``--shard i/n``."""
    return click.option(
        "--shard", metavar="I/N", callback=lambda _context, _option, text: text and Shard.parse(text),
        help="Only the I-th of N shares of the videos, of about equal frames; the same on every host. N job "
        "array tasks with I = 1 to N do everything.",
    )(command)  # fmt: skip


def console(stream: Any = None) -> SafeConsole:
    """A console on standard error (or another stream); wide where there is no terminal to fit into."""
    stream = stream or sys.stderr
    width = None if stream.isatty() else _WIDTH_WITHOUT_TERMINAL
    return SafeConsole(file=stream, width=width, highlight=False)


def table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An unboxed table; the columns in ``numbers`` are right-aligned."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(escape(column), justify="right" if column in numbers else "left", overflow="fold")
    return made
