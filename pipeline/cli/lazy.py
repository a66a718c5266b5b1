"""Groups of commands that are imported when they are asked for: none waits for what another needs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from spotlabel.pipeline.errors import SpotlabelError


class LazyGroup(click.Group):
    """Finds commands on demand.

    Args:
        lazy: for each command that is imported when it is asked for, where it is (``module:name``) and its
            line in the list of commands.
        settings: as for :class:`click.Group`.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command; where it lacks a package, one that says so."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, name = self._lazy[cmd_name][0].partition(":")
        try:
            command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "spotlabel":
                raise
            return _unavailable(cmd_name, error.name or str(error))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing the lazy ones."""
        with formatter.section("Commands"):
            formatter.write_dl(self._lines())

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What may stand here, without importing the lazy commands at each press of a key."""
        names = [
            CompletionItem(name, help=text) for name, text in self._lines() if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def _lines(self) -> list[tuple[str, str]]:
        """Every command with its line."""
        lines = {name: command.get_short_help_str(limit=90) for name, command in self.commands.items()}
        return sorted({**lines, **{name: text for name, (_, text) in self._lazy.items()}}.items())


def _unavailable(name: str, package: str) -> click.Command:
    """A command that says what it lacks; the others, and the list of commands, go on working."""
    problem = f"`spotlabel {name}` needs {package}, which is not installed (pip install spotlabel[train])"

    def refuse(**_: Any) -> None:
        raise SpotlabelError(problem)

    anything = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    context = {"ignore_unknown_options": True, "help_option_names": []}
    return click.Command(name, context, refuse, [anything], short_help=f"Needs {package} (not installed).")
