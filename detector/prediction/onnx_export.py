"""A detector as an ONNX file: network, peaks and the best boxes in one graph.

Needs the packages of ``pip install spotlabel[onnx]``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spotlabel.detector.centernet.decode import MAX_DETECTIONS, decode_outputs
from spotlabel.detector.centernet.network import CenterNet
from spotlabel.detector.centernet.tensors import at_least_single
from spotlabel.detector.data.colour import MEAN, STD
from spotlabel.detector.errors import PredictionError
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.prediction.placement import Placement
from spotlabel.pipeline.atomic import write_atomically

FORMAT = "spotlabel-onnx 1"
INPUT = "image"
OPSETS = (18, 23)
"""Oldest and newest operator set that the export is made for."""


class BoxesOfCanvas(nn.Module):
    """A detector from canvases to boxes in canvas pixels."""

    def __init__(self, network: CenterNet, count: int) -> None:
        super().__init__()
        self.network = network
        self.count = count

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Find boxes.

        Args:
            image: float32 [B, 3, H, W], normalised BGR.

        Returns:
            ``boxes`` [B, K, 4], x0, y0, x1, y1 in canvas pixels; ``scores`` [B, K], best first;
            ``classes`` int64 [B, K]; with a segmentation head ``attention`` [B, H, W], its logits.
        """
        (outputs,) = self.network(image, last_only=True)
        found = decode_outputs(outputs, self.count)  # [B, K, 6]
        boxes = found[:, :, :4] * self.network.backbone.stride
        answers = (boxes, found[:, :, 4], found[:, :, 5].long())
        if "seg" not in outputs:
            return answers
        return (*answers, at_least_single(outputs["seg"]).squeeze(1))


def export_onnx(
    path: Path,
    network: CenterNet,
    spec: ModelSpec,
    size: tuple[int, int],
    *,
    opset: int = 18,
    count: int = MAX_DETECTIONS,
) -> tuple[int, int]:
    """Write a detector for images of one size; the file appears whole or not at all.

    The batch size stays free. The file's metadata hold what a program needs around the graph: see
    :func:`metadata`.

    Args:
        path: file to write.
        network: the detector, on the CPU.
        spec: what it is.
        size: height and width of the images; the canvas is padded from it as in detection.
        opset: ONNX operator set.
        count: boxes per image.

    Returns:
        Height and width of the canvas, which is the graph's input.

    Raises:
        PredictionError: the ONNX packages are not installed, or the operator set is not supported.
    """
    _require("onnx", "onnxscript")
    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise PredictionError(f"opset {opset}: expected one from {OPSETS[0]} to {OPSETS[1]}")
    placement = Placement.padded(size, 1.0, network.multiple)
    height, width = placement.view.canvas
    wrapped = BoxesOfCanvas(network, count).eval()
    outputs = ["boxes", "scores", "classes", *(["attention"] if len(network.seg) else [])]
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            wrapped,
            (torch.zeros(2, 3, height, width),),  # a batch of 1 would be taken for a constant
            input_names=[INPUT],
            output_names=outputs,
            opset_version=opset,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
        )
    assert program is not None
    model = program.model_proto
    for key, value in metadata(spec, placement).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    write_atomically(path, model.SerializeToString())
    return height, width


def metadata(spec: ModelSpec, placement: Placement) -> dict[str, str]:
    """What a program has to know to prepare images and to read boxes, all values as text (JSON).

    Keys: ``format``, ``spec`` (preset, backbone, class names), ``class_names``, ``channels`` (BGR), ``mean``
    and ``std`` (of values in [0, 1]), ``image`` and ``canvas`` (height, width), ``offset`` (x, y): where the
    image's upper left corner lies on the black canvas, to be taken off the boxes.
    """
    offset = [int(placement.matrix[0, 2]), int(placement.matrix[1, 2])]
    facts: Mapping[str, Any] = {
        "class_names": spec.class_names,
        "mean": [float(str(value)) for value in MEAN],
        "std": [float(str(value)) for value in STD],
        "image": placement.size,
        "canvas": placement.view.canvas,
        "offset": offset,
    }
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in facts.items()}
    return {"format": FORMAT, "spec": spec.model_dump_json(), "channels": "BGR", **texts}


def _require(*packages: str) -> None:
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise PredictionError(
                f"export needs {package}, which cannot be imported: {error} (pip install spotlabel[onnx])"
            ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and its warnings about its own insides from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
