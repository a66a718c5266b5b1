"""``spotlabel export onnx``: a detector for programs that know ONNX."""

from __future__ import annotations

from pathlib import Path

import click

from spotlabel.detector.cli.sizes import height_and_width
from spotlabel.detector.errors import PredictionError
from spotlabel.detector.model import load_model
from spotlabel.detector.prediction.onnx_export import OPSETS, export_onnx
from spotlabel.pipeline.terminal import echo


@click.command("onnx")
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.onnx")
@click.option("--size", required=True, metavar="HxW", callback=height_and_width,
              help="Height and width of the images, like 540x960.")  # fmt: skip
@click.option("--opset", default=OPSETS[0], show_default=True, type=click.IntRange(*OPSETS),
              help="ONNX operator set.")  # fmt: skip
def onnx_command(model: Path, out: Path, size: tuple[int, int], opset: int) -> None:
    """Write a detector as an ONNX file: network, peaks and the 100 best boxes in one graph.

    Input: image, float32 [batch, 3, H, W], normalised BGR on the padded canvas. Outputs: boxes
    [batch, 100, 4] in canvas pixels, scores, classes and, where there are any, attention maps. The file's
    metadata say where the image lies on the canvas, mean and std, and what the classes are called.

    \b
    Example:
      spotlabel export onnx model.safetensors model.onnx --size 540x960
    """
    if not out.parent.is_dir():
        raise PredictionError(f"{out.parent}: no such folder")
    network, spec = load_model(model)
    height, width = export_onnx(out, network, spec, size, opset=opset)
    echo(f"{out}: {spec.preset} on {spec.backbone}, canvas {height}x{width}")
