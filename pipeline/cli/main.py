"""The command group, its exit codes and how errors are told."""

from __future__ import annotations

import logging
import signal
from types import FrameType
from typing import Any

import click

from spotlabel.pipeline.cli.lazy import LazyGroup
from spotlabel.pipeline.errors import Interrupted, SpotlabelError
from spotlabel.pipeline.terminal import LineFormatter, echo

EXIT_UNUSABLE = 2
"""Exit code when nothing could be started; 1 is for videos that failed, 128 + n for signal n."""


LAZY = {
    "audit": (
        "spotlabel.pipeline.cli.audit:audit_command",
        "Say how good the made masks are: their mean IoU with what people drew, with a 95 % interval.",
    ),
    "compare": (
        "spotlabel.pipeline.cli.compare:compare",
        "Show what changed between two label versions of the same videos.",
    ),
    "demo": (
        "spotlabel.pipeline.cli.demo:demo",
        "Label two rendered scenes (fixed and moving camera) and compare with their exact masks.",
    ),
    "detect": (
        "spotlabel.detector.cli.detect:detect",
        "Find objects in images, videos or the sequences of a dataset.",
    ),
    "evaluate": (
        "spotlabel.detector.cli.evaluate:evaluate",
        "Measure detections or attention maps by a benchmark's own rules.",
    ),
    "export": (
        "spotlabel.pipeline.cli.export:export",
        "Write masks or a detector in formats that other programs read.",
    ),
    "import": (
        "spotlabel.pipeline.cli.importing:import_group",
        "Make files of spotlabel from what others made.",
    ),
    "jobs": (
        "spotlabel.pipeline.cli.jobs:jobs",
        "Say how submitted jobs stand, beside what is made already.",
    ),
    "label": ("spotlabel.pipeline.cli.label:label", "Make evidence and masks for every video of a dataset."),
    "log": (
        "spotlabel.pipeline.cli.jobs:log",
        "Print the end of what a video's job, and the libraries in it, printed.",
    ),
    "manual": (
        "spotlabel.pipeline.cli.manual:manual",
        "Corrections by hand, which come before made masks (docs/corrections.md).",
    ),
    "plan": (
        "spotlabel.pipeline.cli.plan:plan",
        "Forecast a `spotlabel label` run: hours, memory, bytes, files.",
    ),
    "quality": (
        "spotlabel.pipeline.cli.quality:quality",
        "F, IoU and boundary F of the masks of recipes whose dataset has pixel ground truth.",
    ),
    "recipes": (
        "spotlabel.pipeline.cli.recipes:recipes",
        "List the recipes that come with spotlabel, or print the one called NAME.",
    ),
    "relabel": (
        "spotlabel.pipeline.cli.label:relabel",
        "Make the masks again from cached evidence, e.g. with another threshold.",
    ),
    "report": (
        "spotlabel.pipeline.cli.report:report",
        "Write a page that shows what was made, how good it is, and where to look closer.",
    ),
    "review": ("spotlabel.pipeline.cli.review:review", "Go through doubtful boxes on a page, a key each."),
    "schema": (
        "spotlabel.detector.cli.schema:schema",
        "Print all settings of a recipe as a JSON schema (draft 2020-12).",
    ),
    "show": (
        "spotlabel.pipeline.cli.show:show",
        "Draw masks over frames: one PNG per frame and a contact sheet per video.",
    ),
    "status": (
        "spotlabel.pipeline.cli.status:status",
        "Say how every video stands: fresh, missing, stale (and why), damaged.",
    ),
    "submit": (
        "spotlabel.pipeline.cli.submit:submit",
        "Hand in a job for every video that is not up to date: a Slurm job array through submitit.",
    ),
    "teach": (
        "spotlabel.pipeline.cli.teach:teach",
        "Teach the small networks that preset `learned` labels with: one a video, or one for several.",
    ),
    "train": (
        "spotlabel.detector.cli.train:train",
        "Train a detector on the videos of RECIPE, whose masks must have been made.",
    ),
    "tune": ("spotlabel.pipeline.cli.tune:tune", "Move mask settings on a page, and watch the masks follow."),
    "verify": (
        "spotlabel.pipeline.cli.verify:verify",
        "Check that stores are whole, or that a labeler reaches its published accuracy.",
    ),
    "why": ("spotlabel.pipeline.cli.why:why", "Say where a mask comes from, and why it is as it is."),
}
"""Every command: where it is, and its line in the list. Each is imported when it is asked for, so that none
waits for what another needs."""


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
