"""The command group, its exit codes and how errors are told."""

from __future__ import annotations

import logging
import signal
from types import FrameType
from typing import Any

import click

from pipeline.cli.demo import demo
from pipeline.cli.label import label, relabel
from pipeline.cli.show import show
from pipeline.cli.status import status
from pipeline.cli.verify import verify
from pipeline.errors import SpotlabelError
from pipeline.running.schedule import Interrupted

EXIT_UNUSABLE = 2
"""Exit code when nothing could be started; 1 is for videos that failed, 128 + n for signal n."""


class _Group(click.Group):
    """Turns the project's errors and signals into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever read our output has gone
            ctx.exit(EXIT_UNUSABLE)
        except (SpotlabelError, OSError) as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(EXIT_UNUSABLE)
        except Interrupted as stop:
            name = signal.Signals(stop.args[0]).name
            click.echo(
                f"stopped by {name}: finished videos are kept; run the same command again to go on", err=True
            )
            ctx.exit(128 + stop.args[0])


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
      spotlabel relabel workflows/uavdt.yaml --set masks.motion_threshold=1.5
      spotlabel show workflows/ua-detrac.yaml --only MVI_40201
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)


for command in (label, relabel, status, show, verify, demo):
    main.add_command(command)
