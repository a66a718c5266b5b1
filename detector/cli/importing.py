"""``spotlabel import checkpoint``: a detector that others trained, as a model of spotlabel."""

from __future__ import annotations

from pathlib import Path

import click

from spotlabel.detector.checkpoint import CheckpointError
from spotlabel.detector.import_checkpoint import Imported, import_checkpoint
from spotlabel.detector.model import save_model
from spotlabel.pipeline.terminal import echo

_SHOWN = 5
"""Most class names that are printed."""


def _comma_separated(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(","))


@click.command("checkpoint")
@click.argument("checkpoint", type=click.Path(path_type=Path), metavar="CHECKPOINT.pth")
@click.argument("model", type=click.Path(path_type=Path, dir_okay=False), metavar="MODEL.safetensors")
@click.option("--classes", "class_names", metavar="A,B,...", callback=_comma_separated,
              help="Names of its classes, in their order; default: COCO's if there are as many, object for a "
              "single one.")  # fmt: skip
@click.option("--preset", metavar="NAME",
              help="The detector; default: the one that names and shapes tell. spotnet-multitask looks like "
              "spotnet-released.")  # fmt: skip
@click.option("--backbone", metavar="NAME", help="What it stands on; default: what names and shapes tell.")
def checkpoint_command(
    checkpoint: Path,
    model: Path,
    class_names: tuple[str, ...],
    preset: str | None,
    backbone: str | None,
) -> None:
    """Make a model of a public checkpoint, for `spotlabel detect`, `export onnx` and `training.init`.

    CHECKPOINT is a file of PyTorch: CenterNet or SpotNet on an hourglass, or torchvision's Faster R-CNN on a
    ResNet with a pyramid. Tensors are read from it, and nothing in it is executed. A file that lacks weights
    of the detector, or holds others, is refused.

    \b
    Examples:
      spotlabel import checkpoint ctdet_coco_hg.pth centernet.safetensors
      spotlabel import checkpoint model_last.pth spotnet.safetensors --classes vehicle
      spotlabel import checkpoint fasterrcnn_resnet50_fpn_coco-258fb6c6.pth faster-rcnn.safetensors
    """
    if model.suffix != ".safetensors":
        raise CheckpointError(f"{model}: expected a name that ends in .safetensors for the model to write")
    if not model.parent.is_dir():
        raise CheckpointError(f"{model.parent}: no such folder")
    imported = import_checkpoint(checkpoint, class_names, preset, backbone)
    save_model(model, imported.network, imported.spec)
    _tell(model, imported, chosen=preset is not None)


def _tell(model: Path, imported: Imported, chosen: bool) -> None:
    spec, names = imported.spec, imported.spec.class_names
    more = f", ... ({len(names)} classes)" if len(names) > _SHOWN else ""
    echo(f"{model}: {spec.preset} on {spec.backbone}, {', '.join(names[:_SHOWN])}{more}")
    echo(f"{imported.report}")
    if spec.preset == "spotnet-released" and not chosen:
        echo(
            "weights trained without attention look alike: --preset spotnet-multitask if these are such ones"
        )
