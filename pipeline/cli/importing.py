"""``spotlabel import``: what others made, as files of spotlabel."""

from __future__ import annotations

import click

from spotlabel.pipeline.cli.import_masks import masks_command
from spotlabel.pipeline.cli.lazy import LazyGroup

LAZY = {
    "checkpoint": (
        "spotlabel.detector.cli.importing:checkpoint_command",
        "Make a model of a public checkpoint.",
    )
}


@click.group("import", cls=LazyGroup, lazy=LAZY)
def import_group() -> None:
    """Make files of spotlabel from what others made."""


import_group.add_command(masks_command)
