"""Tiny box segmenters: for them, red is an object."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from spotlabel.labelers.learned.facts import FORMAT

FACTS: dict[str, Any] = {
    "size": 32,
    "margin": 0.3,
    "channels": "RGB",
    "scaling": "255",
    "mean": [0.0, 0.0, 0.0],
    "deviation": [1.0, 1.0, 1.0],
    "output": "probability",
}


def segmenter(
    *, described: bool = True, steepness: float = 40.0, batch: int | str = "batch", sigmoid: bool = True,
    metadata: dict[str, str] | None = None, **facts: Any,
) -> bytes:  # fmt: skip
    """An ONNX file: red less green and blue, averaged over 3 x 3 px, through a sigmoid.

    With ``evidence`` among the facts it looks at the other two planes in place of the colours: half the box
    plus the other labeler.

    Args:
        described: whether it says what it is.
        steepness: of the sigmoid.
        batch: number of crops it takes, or a name if any.
        sigmoid: false leaves the last step out.
        metadata: entries in place of those made of ``facts``.
        facts: in place of those of ``FACTS``.
    """
    onnx = pytest.importorskip("onnx", reason="needs spotlabel[onnx]")
    said = {**FACTS, **facts}
    side, helper = said["size"], onnx.helper
    planes = 5 if said.get("evidence") else 3
    weights, bias = np.zeros((1, planes, 3, 3), np.float32), np.zeros(1, np.float32)
    if planes == 3:
        weights[0] = np.array([1, -0.5, -0.5], np.float32)[:, None, None] / 9 * steepness
        bias[0] = -0.25 * steepness
    else:
        weights[0, 3:, 1, 1] = 0.5 * steepness, steepness
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["crop", "weights", "bias"], ["score"], pads=[1, 1, 1, 1]),
            helper.make_node("Sigmoid", ["score"], ["probability"]),
        ],
        "red",
        [helper.make_tensor_value_info("crop", onnx.TensorProto.FLOAT, [batch, planes, side, side])],
        [
            helper.make_tensor_value_info(
                "probability" if sigmoid else "score", onnx.TensorProto.FLOAT, [batch, 1, side, side]
            )
        ],
        [onnx.numpy_helper.from_array(weights, "weights"), onnx.numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    entries = {"format": FORMAT, **{key: json.dumps(value) for key, value in said.items()}}
    if described:
        helper.set_model_props(model, entries if metadata is None else metadata)
    content: bytes = model.SerializeToString()
    return content
