"""The command group, its exit codes and how errors are told."""

from __future__ import annotations

import importlib
import logging
import signal
from types import FrameType
from typing import Any

import click
from click.shell_completion import CompletionItem

from spotlabel.pipeline.cli.compare import compare
from spotlabel.pipeline.cli.demo import demo
from spotlabel.pipeline.cli.jobs import jobs, log
from spotlabel.pipeline.cli.label import label, relabel
from spotlabel.pipeline.cli.plan import plan
from spotlabel.pipeline.cli.quality import quality
from spotlabel.pipeline.cli.recipes import recipes
from spotlabel.pipeline.cli.report import report
from spotlabel.pipeline.cli.show import show
from spotlabel.pipeline.cli.status import status
from spotlabel.pipeline.cli.submit import submit
from spotlabel.pipeline.cli.verify import verify
from spotlabel.pipeline.cli.why import why
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.running.local import Interrupted
from spotlabel.pipeline.terminal import LineFormatter, echo

EXIT_UNUSABLE = 2
"""Exit code when nothing could be started; 1 is for videos that failed, 128 + n for signal n."""


LAZY = {
    "detect": (
        "spotlabel.detector.cli.detect:detect",
        "Find objects in images, videos or a dataset's sequences.",
    ),
    "export": ("spotlabel.detector.cli.export:export", "Write a detector as an ONNX file."),
    "evaluate": (
        "spotlabel.detector.cli.evaluate:evaluate",
        "Measure detections by a benchmark's own rules.",
    ),
    "import": (
        "spotlabel.detector.cli.importing:import_group",
        "Make files of spotlabel from what others made.",
    ),
    "schema": ("spotlabel.detector.cli.schema:schema", "Print all settings of a recipe as a JSON schema."),
    "train": ("spotlabel.detector.cli.train:train", "Train a detector on labelled videos."),
}
"""Commands that are imported when they are asked for (most need torch, the others must not wait), and their
line in the list of commands."""


class _Group(click.Group):
    """Finds commands on demand; turns the project's errors and signals into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *LAZY})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LAZY:
            return super().get_command(ctx, cmd_name)
        module, _, name = LAZY[cmd_name][0].partition(":")
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
        return sorted({**lines, **{name: text for name, (_, text) in LAZY.items()}}.items())

    def invoke(self, ctx: click.Context) -> Any:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read our output has gone
            ctx.exit(EXIT_UNUSABLE)
        except (SpotlabelError, OSError) as error:
            echo(f"error: {error}", err=True)
            ctx.exit(EXIT_UNUSABLE)
        except Interrupted as stop:
            name = signal.Signals(stop.args[0]).name
            echo(
                f"stopped by {name}: finished videos are kept; run the same command again to go on", err=True
            )
            ctx.exit(128 + stop.args[0])


def _unavailable(name: str, package: str) -> click.Command:
    """A command that says what it lacks; the others, and the list of commands, go on working."""
    problem = f"`spotlabel {name}` needs {package}, which is not installed (pip install spotlabel[train])"

    def refuse(**_: Any) -> None:
        raise SpotlabelError(problem)

    anything = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    context = {"ignore_unknown_options": True, "help_option_names": []}
    return click.Command(name, context, refuse, [anything], short_help=f"Needs {package} (not installed).")


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spotlabel")
def main() -> None:
    """Pixel masks for box-annotated traffic video.

    Slow evidence is made once per video and cached; masks are made from it in seconds, again and again.

    \b
    Examples:
      spotlabel demo
      spotlabel label workflows/ua-detrac.yaml --set data=/data/UA-DETRAC --jobs 8
      spotlabel relabel workflows/uavdt.yaml --set masks.min_fill=0.3
      spotlabel show workflows/ua-detrac.yaml --only MVI_40201
      spotlabel report workflows/ua-detrac.yaml
      spotlabel compare old.yaml new.yaml
      spotlabel submit workflows/ua-detrac.yaml --set data=/data/UA-DETRAC --slurm
    """
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


for command in (
    label, relabel, status, plan, show, report, compare, why, verify, quality, demo, recipes, submit, jobs,
    log,
):  # fmt: skip
    main.add_command(command)
