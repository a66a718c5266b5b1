"""``spotlabel export``: labels and detectors for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from spotlabel.pipeline.cli.export_masks import masks_command
from spotlabel.pipeline.cli.lazy import LazyGroup

LAZY = {"onnx": ("spotlabel.detector.cli.export:onnx_command", "Write a detector as an ONNX file.")}


class _ExportGroup(LazyGroup):
    """Also tells of the spelling that once wrote a detector."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command; a model in its place is told what is written now."""
        if args and Path(args[0]).suffix == ".safetensors":
            raise click.UsageError(f"a detector is written with: spotlabel export onnx {' '.join(args)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_ExportGroup, lazy=LAZY)
def export() -> None:
    """Write masks or a detector in formats that other programs read."""


export.add_command(masks_command)
