"""A student as an ONNX file, written node by node: equal weights give equal bytes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from spotlabel.detector.errors import TeachingError
from spotlabel.detector.teaching.network import FINE, PLANES, Layer, Student

_OPSET = 17
_IR = 8


def as_onnx(student: Student, size: int, metadata: Mapping[str, str]) -> bytes:
    """The student as a graph from crops, float32 (batch, 5, size, size), to probabilities of the same size.

    Normalisation, that of training, is put into the weights.

    Args:
        student: on the CPU.
        size: side of the crops, px.
        metadata: entries of the file.

    Raises:
        TeachingError: the package onnx is not installed.
    """
    try:
        onnx = importlib.import_module("onnx")
    except ImportError as error:
        raise TeachingError(f"onnx cannot be imported: {error} (pip install 'spotlabel[teach]')") from error
    nodes = _Nodes(onnx)
    fine = nodes.layer(student.fine, "crop")
    value, kept = nodes.add("SpaceToDepth", ["crop"], blocksize=2), []
    order = _unshuffled(PLANES)
    for depth, layers in enumerate(student.down):
        if depth:
            value = nodes.add("MaxPool", [value], kernel_shape=[2, 2], strides=[2, 2])
        for number, layer in enumerate(layers.children()):
            value = nodes.layer(layer, value, order if depth == number == 0 else None)
        kept.append(value)
    scales = nodes.constant(np.array([1, 1, 2, 2], np.float32))
    for depth in reversed(range(len(student.up))):
        value = nodes.convolution(student.across[depth], value)
        value = nodes.add(
            "Resize", [value, "", scales], mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )  # fmt: skip
        value = nodes.layer(student.up[depth], nodes.add("Add", [kept[depth], value]))
    value = nodes.add("DepthToSpace", [nodes.convolution(student.spread, value)], blocksize=2, mode="CRD")
    value = nodes.layer(student.last, nodes.add("Concat", [fine, value], axis=1))
    assert student.logit.in_channels == FINE
    nodes.add("Sigmoid", [nodes.convolution(student.logit, value)], name="probability")
    shape = ["batch", 1, size, size]
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes.nodes,
        "student",
        [onnx.helper.make_tensor_value_info("crop", kind, ["batch", PLANES, size, size])],
        [onnx.helper.make_tensor_value_info("probability", kind, shape)],
        nodes.weights,
    )
    opset = onnx.helper.make_opsetid("", _OPSET)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=_IR, producer_name="spotlabel")
    for key, text in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class _Nodes:
    """The nodes of a graph in the making; values are named by number."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, kind: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        name = name or f"value{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, values: npt.NDArray[np.float32]) -> str:
        name = f"weight{len(self.weights)}"
        self.weights.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convolution(self, convolution: nn.Module, value: str) -> str:
        assert isinstance(convolution, nn.Conv2d)
        assert convolution.bias is not None
        parts = [_array(convolution.weight), _array(convolution.bias)]
        return self.add("Conv", [value, *map(self.constant, parts)])

    def layer(self, layer: nn.Module, value: str, order: npt.NDArray[np.intp] | None = None) -> str:
        """A :class:`Layer`, its normalisation put into its weights.

        Args:
            layer: the layer.
            value: its input.
            order: of the input's channels, where it is not that of training.
        """
        assert isinstance(layer, Layer)
        norm = layer.normalised
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weights = _array(layer.convolution.weight * scale[:, None, None, None])
        bias = _array(norm.bias - norm.running_mean * scale)
        if order is not None:
            weights = weights[:, order]
        value = self.add("Conv", [value, self.constant(weights), self.constant(bias)], pads=[1, 1, 1, 1])
        return self.add("Relu", [value])


def _array(values: torch.Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = values.detach().cpu().numpy().astype(np.float32)
    return array


def _unshuffled(planes: int) -> npt.NDArray[np.intp]:
    """Channel of torch's ``pixel_unshuffle`` behind each channel of ONNX's ``SpaceToDepth``.

    Torch puts the four pixels of a plane side by side, ONNX the planes of a pixel.
    """
    return np.arange(4 * planes).reshape(planes, 4).T.reshape(-1)
