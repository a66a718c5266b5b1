"""A detector as an ONNX file: from canvas to the best boxes in one graph.

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

from spotlabel.detector.contract import MAX_DETECTIONS, Detector
from spotlabel.detector.data.colour import Colours
from spotlabel.detector.errors import PredictionError
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.prediction.placement import Placement
from spotlabel.pipeline.atomic import write_atomically

FORMAT = "spotlabel-onnx 2"
INPUT = "image"
STEPS = (
    "put the image on a black canvas at offset",
    "divide by 255",
    "subtract mean",
    "divide by std",
    "order axes as batch, channel, height, width",
)
"""From an image, uint8 (height, width, 3) BGR, to the graph's input."""
OPSETS = (18, 23)
"""Oldest and newest operator set that the export is made for."""


def export_onnx(
    path: Path,
    network: Detector,
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
        PredictionError: the ONNX packages are not installed, the operator set is not supported, or the
            detector cannot be made into a graph.
    """
    _require("onnx", "onnxscript")
    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise PredictionError(f"opset {opset}: expected one from {OPSETS[0]} to {OPSETS[1]}")
    placement = Placement.padded(size, 1.0, network.multiple)
    height, width = placement.view.canvas
    graph = network.graph(count)
    if graph is None:
        raise PredictionError(f"{spec.preset} cannot be written as ONNX")
    outputs = ["boxes", "scores", "classes", *_map_names(network)]
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
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
    for key, value in metadata(spec, network.colours, placement).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    write_atomically(path, model.SerializeToString())
    return height, width


def metadata(spec: ModelSpec, colours: Colours, placement: Placement) -> dict[str, str]:
    """What a program has to know to prepare images and to read boxes, all values as text (JSON).

    Keys: ``format``, ``spec`` (preset, backbone, class names), ``class_names``, ``channels`` (BGR), ``mean``
    and ``std`` (of values in [0, 1]), ``image`` and ``canvas`` (height, width), ``offset`` (y, x, as in
    the sizes): where the image's upper left corner lies on the canvas; boxes have x before y, as
    ``boxes_order`` says, and the offset has to be taken off them. ``steps`` names what is done to an image in
    order: the canvas is black before it is normalised, so that its padding is not 0 afterwards.
    """
    offset = [int(placement.matrix[1, 2]), int(placement.matrix[0, 2])]
    facts: Mapping[str, Any] = {
        "class_names": spec.class_names,
        "mean": colours.mean,
        "std": colours.std,
        "image": placement.size,
        "canvas": placement.view.canvas,
        "offset": offset,
        "boxes_order": ["x0", "y0", "x1", "y1"],
        "steps": STEPS,
    }
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in facts.items()}
    return {"format": FORMAT, "spec": spec.model_dump_json(), "channels": "BGR", **texts}


def _map_names(network: Detector) -> list[str]:
    """Names of the graph's maps: a lone one is simply ``attention``."""
    if len(network.attentions) == 1:
        return ["attention"]
    return [f"attention_{name}" for name in network.attentions]


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
