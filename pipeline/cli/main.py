"""The command group, its exit codes and how errors are told."""

from __future__ import annotations

import logging
import signal
from types import FrameType
from typing import Any

import click

from spotlabel.pipeline.cli.audit import audit_command
from spotlabel.pipeline.cli.compare import compare
from spotlabel.pipeline.cli.demo import demo
from spotlabel.pipeline.cli.export import export
from spotlabel.pipeline.cli.importing import import_group
from spotlabel.pipeline.cli.jobs import jobs, log
from spotlabel.pipeline.cli.label import label, relabel
from spotlabel.pipeline.cli.lazy import LazyGroup
from spotlabel.pipeline.cli.manual import manual
from spotlabel.pipeline.cli.plan import plan
from spotlabel.pipeline.cli.quality import quality
from spotlabel.pipeline.cli.recipes import recipes
from spotlabel.pipeline.cli.report import report
from spotlabel.pipeline.cli.review import review
from spotlabel.pipeline.cli.show import show
from spotlabel.pipeline.cli.status import status
from spotlabel.pipeline.cli.submit import submit
from spotlabel.pipeline.cli.teach import teach
from spotlabel.pipeline.cli.tune import tune
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
    "evaluate": (
        "spotlabel.detector.cli.evaluate:evaluate",
        "Measure detections by a benchmark's own rules.",
    ),
    "schema": ("spotlabel.detector.cli.schema:schema", "Print all settings of a recipe as a JSON schema."),
    "train": ("spotlabel.detector.cli.train:train", "Train a detector on labelled videos."),
}
"""Commands that are imported when they are asked for (most need torch, the others must not wait), and their
line in the list of commands."""


class _Group(LazyGroup):
    """Turns the project's errors and signals into one line and an exit code."""

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


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)


@click.group(cls=_Group, lazy=LAZY, context_settings={"help_option_names": ["-h", "--help"]})
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
      spotlabel tune workflows/ua-detrac.yaml
      spotlabel compare old.yaml new.yaml
      spotlabel submit workflows/ua-detrac.yaml --set data=/data/UA-DETRAC --slurm
    """
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


for command in (
    label, relabel, status, plan, show, report, compare, why, verify, quality, demo, recipes, submit, jobs,
    log, export, tune, review, import_group, manual, audit_command, teach,
):  # fmt: skip
    main.add_command(command)
