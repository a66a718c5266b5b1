"""Box segmenters: images and boxes in, probabilities out. Here those that onnxruntime runs on crops."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Content
from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned.checkpoint import NAMES
from spotlabel.labelers.learned.crops import UNKNOWN, Place, cropped, framed, pasted, places
from spotlabel.labelers.learned.facts import Facts, read_facts
from spotlabel.labelers.learned.prompted import PromptedSegmenter

Image = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Boxes = npt.NDArray[np.float32]
LIBRARIES = ("numpy", "onnxruntime", "onnxruntime-gpu", "opencv-contrib-python")
"""Distributions on whose version probabilities depend; one of the two onnxruntimes is there."""
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class BoxSegmenter(Protocol):
    """A network that tells the object in a box."""

    def readings(self, image: Image, boxes: Boxes, evidence: Bool | None = None) -> list[list[Image]]:
        """Probability of the object in each box, in one or several readings.

        Args:
            image: uint8 (H, W, 3), BGR.
            boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.
            evidence: bool (H, W), what another labeler says; None if nothing.

        Returns:
            Of each box uint8 (h, w), 0 to 255, on the pixels that it touches; none of a box without pixels.

        Raises:
            LabelerError: the network's output is not what it should be.
        """


def box_segmenter(content: Content, device: Literal["cpu", "cuda"], batch: int) -> BoxSegmenter:
    """The network that a setting names: an ONNX file's content, or the place of a folder.

    Raises:
        LabelerError: it cannot be used.
    """
    if isinstance(content, Path):
        return PromptedSegmenter(content, device, batch)
    segmenter = Segmenter(content, device, batch)
    if _untaught(segmenter.metadata):
        raise LabelerError(
            "network: a student that nobody taught, since its teacher was of no use or labelled by itself "
            "(docs/learned.md); name its teacher, or another student"
        )
    return segmenter


def _untaught(metadata: Mapping[str, str]) -> bool:
    """Whether a file is a student with the weights it began with: it stands for a judgement alone."""
    try:
        trust = json.loads(metadata.get("trust", "null"))
    except (ValueError, RecursionError):
        return False
    return isinstance(trust, dict) and (not trust.get("network", True) or bool(trust.get("direct")))


def content_digest(content: Content) -> str:
    """SHA-256 of a file's content, or of the names and contents of the files of a folder that count."""
    if not isinstance(content, Path):
        return hashlib.sha256(content).hexdigest()
    total = hashlib.sha256()
    for name in NAMES:
        with (content / name).open("rb") as file:
            total.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


class Segmenter:
    """A network that is shown the crop around a box, an ONNX file.

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
        self.metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.facts: Facts = read_facts(content, self.metadata)
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            found = ", ".join(f"{one.name} {one.shape}" for one in inputs)
            raise LabelerError(f"network: expected one input (batch, channels, height, width), got {found}")
        fixed = inputs[0].shape[0]
        self._fixed = isinstance(fixed, int)
        self._batch = fixed if self._fixed else batch
        self._input, self._output = inputs[0].name, self._session.get_outputs()[0].name

    def readings(self, image: Image, boxes: Boxes, evidence: Bool | None = None) -> list[list[Image]]:
        """Probability of the object in each box, read off each of its crops.

        Args:
            image: uint8 (H, W, 3), BGR.
            boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.
            evidence: bool (H, W), what another labeler says; None if nothing. Most networks do not ask.

        Returns:
            Of each box uint8 (h, w), 0 to 255, on the pixels that it touches: one of most, more of a box that
            the image's border cuts (:func:`spotlabel.labelers.learned.crops.places`), none of a box without
            pixels.

        Raises:
            LabelerError: the network's output is not what its description says.
        """
        shape = (image.shape[0], image.shape[1])
        if self.facts.evidence:
            where = framed(boxes, shape, self.facts.margin)
            image = with_evidence(image, evidence)
        else:
            where = places(boxes, shape, self.facts.margin)
        found = self._asked(image, [place for some in where for place in some])
        return [[pasted(next(found), place) for place in some] for some in where]

    def _asked(self, image: Image, where: Sequence[Place]) -> Iterator[Image]:
        """The network's output for each crop, uint8 (size, size), in order."""
        for start in range(0, len(where), self._batch):
            some = where[start : start + self._batch]
            filled = list(some) + [some[-1]] * (self._batch - len(some)) if self._fixed else some
            crops = np.stack([cropped(image, place, self.facts.size) for place in filled])
            inputs = prepared(crops[..., :3], self.facts)
            if self.facts.evidence:
                shape = (image.shape[0], image.shape[1])
                planes = np.stack([box_plane(place, shape, self.facts.size) for place in filled])
                inputs = np.concatenate([inputs, planes[:, None], evidence_plane(crops[..., 3:])], axis=1)
            yield from self._run(inputs)[: len(some)]

    def _run(self, crops: npt.NDArray[np.float32]) -> Image:
        """float32 (N, 3 or 5, size, size) in, uint8 (N, size, size) out."""
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


def with_evidence(image: Image, evidence: Bool | None) -> Image:
    """An image, uint8 (H, W, 3), with what another labeler says as a fourth channel."""
    fourth = np.full(image.shape[:2], UNKNOWN, np.uint8) if evidence is None else evidence * np.uint8(255)
    four: Image = cv2.merge([image, fourth])
    return four


def evidence_plane(fourth: Image) -> npt.NDArray[np.float32]:
    """The fourth channel of crops, uint8 (N, size, size, 1), as float32 (N, 1, size, size) from -1 to 1."""
    plane = (fourth.astype(np.float32) - np.float32(UNKNOWN)) / np.float32(UNKNOWN)
    clipped: npt.NDArray[np.float32] = np.minimum(plane, np.float32(1)).transpose(0, 3, 1, 2)
    return clipped


def box_plane(place: Place, shape: tuple[int, int], size: int) -> npt.NDArray[np.float32]:
    """Where the box of a crop is: 1 in it, 0 around it, -1 outside the image; float32 (size, size)."""
    within, around = [], []
    for index, part, length in zip((place.rows, place.columns), place.inside, shape, strict=True):
        centres = (np.arange(size) + 0.5) * (len(index) / size)
        within.append((centres >= part.start) & (centres < part.stop))
        around.append((centres >= -index[0]) & (centres < length - index[0]))
    outside = ~(around[0][:, None] & around[1])
    plane: npt.NDArray[np.float32] = (within[0][:, None] & within[1]).astype(np.float32) - outside
    return plane


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
