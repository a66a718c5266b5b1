"""A box segmenter at work: images and boxes in, probabilities out, by onnxruntime."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned.crops import Place, cropped, pasted, places
from spotlabel.labelers.learned.facts import Facts, read_facts

Image = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
LIBRARIES = ("numpy", "onnxruntime", "onnxruntime-gpu", "opencv-contrib-python")
"""Distributions on whose version probabilities depend; one of the two onnxruntimes is there."""
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Segmenter:
    """A network that tells the object in a box.

    On a CPU one thread runs it, image by image through the same kernels, so probabilities depend neither on
    how many videos are made at a time nor on ``batch``.

    Args:
        content: an ONNX file.
        device: ``cpu`` or ``cuda``.
        batch: crops that are given to the network at a time, at most; a network that takes a fixed number is
            given that.

    Raises:
        LabelerError: onnxruntime is not installed or has no such device, or the file cannot be used.
    """

    def __init__(self, content: bytes, device: Literal["cpu", "cuda"] = "cpu", batch: int = 16) -> None:
        self._session = _session(content, device)
        self.facts: Facts = read_facts(content, self._session.get_modelmeta().custom_metadata_map)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            found = ", ".join(f"{one.name} {one.shape}" for one in inputs)
            raise LabelerError(f"network: expected one input (batch, 3, height, width), got {found}")
        fixed = inputs[0].shape[0]
        self._fixed = isinstance(fixed, int)
        self._batch = fixed if self._fixed else batch
        self._input, self._output = inputs[0].name, self._session.get_outputs()[0].name

    def readings(self, image: Image, boxes: Boxes) -> list[list[Image]]:
        """Probability of the object in each box, read off each of its crops.

        Args:
            image: uint8 (H, W, 3), BGR.
            boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.

        Returns:
            Of each box uint8 (h, w), 0 to 255, on the pixels that it touches: one of most, more of a box that
            the image's border cuts (:func:`spotlabel.labelers.learned.crops.places`), none of a box without
            pixels.

        Raises:
            LabelerError: the network's output is not what its description says.
        """
        where = places(boxes, (image.shape[0], image.shape[1]), self.facts.margin)
        found = self._asked(image, [place for some in where for place in some])
        return [[pasted(next(found), place) for place in some] for some in where]

    def _asked(self, image: Image, where: Sequence[Place]) -> Iterator[Image]:
        """The network's output for each crop, uint8 (size, size), in order."""
        for start in range(0, len(where), self._batch):
            some = [cropped(image, place, self.facts.size) for place in where[start : start + self._batch]]
            filled = some + some[-1:] * (self._batch - len(some)) if self._fixed else some
            yield from self._run(prepared(np.stack(filled), self.facts))[: len(some)]

    def _run(self, crops: npt.NDArray[np.float32]) -> Image:
        """float32 (N, 3, size, size) in, uint8 (N, size, size) out."""
        try:
            output = np.asarray(self._session.run([self._output], {self._input: crops})[0])
        except Exception as error:  # onnxruntime's errors have no class of their own
            raise LabelerError(f"network: {' '.join(str(error).split())}") from error
        expected = (len(crops), self.facts.size, self.facts.size)
        if output.shape not in (expected, (expected[0], 1, *expected[1:])):
            raise LabelerError(f"network: expected an output {expected}, got {output.shape}")
        return as_probability(output.reshape(expected), self.facts)


def prepared(crops: Image, facts: Facts) -> npt.NDArray[np.float32]:
    """Crops as the network's input.

    Args:
        crops: uint8 (N, size, size, 3), BGR.
        facts: of the network.

    Returns:
        float32 (N, 3, size, size).
    """
    colours = crops[..., ::-1] if facts.channels == "RGB" else crops
    most = 255 if facts.scaling == "255" else np.maximum(crops.max(axis=(1, 2, 3), keepdims=True), 1)
    scaled = colours.astype(np.float32) / np.asarray(most, np.float32)
    normal = (scaled - np.asarray(facts.mean, np.float32)) / np.asarray(facts.deviation, np.float32)
    return np.ascontiguousarray(normal.transpose(0, 3, 1, 2), np.float32)


def as_probability(output: npt.NDArray[Any], facts: Facts) -> Image:
    """A network's output, float (N, size, size), as uint8 0 to 255.

    Raises:
        LabelerError: it is not finite, or no probability though the facts say so.
    """
    low, high = output.min(axis=(1, 2), keepdims=True), output.max(axis=(1, 2), keepdims=True)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise LabelerError("network: its output is not finite")
    if facts.output == "min-max":
        output = (output - low) / np.maximum(high - low, np.finfo(np.float32).tiny)
    elif low.min() < -1e-3 or high.max() > 1 + 1e-3:
        raise LabelerError(
            f"network: expected probabilities from 0 to 1, got {float(low.min()):g} to {float(high.max()):g}"
        )
    probability: Image = np.rint(np.clip(output, 0, 1) * 255).astype(np.uint8)
    return probability


def _session(content: bytes, device: Literal["cpu", "cuda"]) -> Any:
    """A session of onnxruntime on one thread."""
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise LabelerError(
            f"onnxruntime cannot be imported: {error} (pip install 'spotlabel[learned]')"
        ) from error
    provider = _PROVIDERS[device]
    if provider not in runtime.get_available_providers():
        raise LabelerError("device: cuda needs onnxruntime-gpu (pip install onnxruntime-gpu), or write cpu")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # what matters is raised
    try:
        session = runtime.InferenceSession(content, options, providers=[provider])
    except Exception as error:  # likewise
        raise LabelerError(f"network: cannot be loaded: {' '.join(str(error).split())}") from error
    if session.get_providers()[0] != provider:
        raise LabelerError("device: cuda cannot be used here (driver, CUDA or cuDNN missing); write cpu")
    return session
