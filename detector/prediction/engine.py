"""Canvases to decoded outputs on whichever device there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spotlabel.detector.centernet.decode import MAX_DETECTIONS, decode, decode_outputs, flip_average
from spotlabel.detector.centernet.network import CenterNet, Outputs
from spotlabel.detector.centernet.tensors import at_least_single
from spotlabel.detector.data.colour import MEAN, STD
from spotlabel.detector.errors import PredictionError

_NO_MEMORY = "can't allocate memory"
"""What torch says on the CPU, where it has no exception for it."""


@dataclass(frozen=True)
class Switches:
    """How the network runs; all of them give the same boxes, up to rounding.

    Attributes:
        device: ``auto`` (a GPU if there is one), ``cpu`` or ``cuda`` (also ``cuda:1``...).
        bf16: compute in bfloat16 where that is safe.
        channels_last: keep the channels of a pixel together in memory.
        compile: compile the network with TorchInductor; the first batch of every size takes long.
    """

    device: str = "auto"
    bf16: bool = False
    channels_last: bool = True
    compile: bool = False


@dataclass(frozen=True)
class Decoded:
    """What the network says of B canvases of H x W.

    Attributes:
        boxes: float64 (B, K, 6), x0, y0, x1, y1 in cells of the output grid, score, class; best first.
        attention: float32 (B, H, W), segmentation logits; None if not asked for.
    """

    boxes: npt.NDArray[np.float64]
    attention: npt.NDArray[np.float32] | None


def choose_device(name: str) -> torch.device:
    """The device of a name; ``auto`` is a GPU if there is one.

    Raises:
        PredictionError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise PredictionError(f"device {name!r}: expected auto, cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise PredictionError(f"device {name!r}: torch finds no GPU here (use cpu, or a CUDA build of torch)")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise PredictionError(f"device {name!r}: there are {torch.cuda.device_count()} GPUs, from cuda:0 on")
    return device


class Engine:
    """A network on its device."""

    def __init__(self, network: CenterNet, switches: Switches) -> None:
        """Move the network to its device and switch it to evaluation mode.

        Raises:
            PredictionError: no such device here.
        """
        self.device = choose_device(switches.device)
        self._switches = switches
        memory = torch.channels_last if switches.channels_last else torch.contiguous_format
        placed = network.eval().to(self.device).to(memory_format=memory)  # type: ignore[call-overload]
        self._network = torch.compile(placed) if switches.compile else placed
        self._mean = torch.from_numpy(MEAN).to(self.device).view(1, 3, 1, 1)
        self._std = torch.from_numpy(STD).to(self.device).view(1, 3, 1, 1)

    @property
    def device_name(self) -> str:
        """``cpu``, or what the GPU is called."""
        if self.device.type != "cuda":
            return self.device.type
        return f"{self.device} ({torch.cuda.get_device_name(self.device)})"

    def run(
        self,
        canvases: npt.NDArray[np.uint8],
        *,
        flip: bool = False,
        attention: bool = False,
        count: int = MAX_DETECTIONS,
    ) -> Decoded:
        """Find the ``count`` best peaks of every canvas.

        Args:
            canvases: uint8 (B, H, W, 3) BGR; H and W are multiples of what the network needs.
            flip: average heatmap, sizes and attention with those of the mirrored canvases.
            attention: return the segmentation logits of the last stack, too.
            count: boxes per canvas.

        Raises:
            PredictionError: the device has not enough memory, or the network's outputs are not finite.
        """
        with self._enough_memory(canvases.shape), torch.inference_mode():
            image = self._normalised(canvases)  # [B, 3, H, W]
            plain = self._forward(image)
            mirrored = self._forward(image.flip(3)) if flip else None
            if mirrored is None:
                found = decode_outputs(plain, count)
            else:
                found = decode(*flip_average(plain, mirrored), count)
            seg = _attention(plain, mirrored) if attention else None
            decoded = Decoded(found.double().cpu().numpy(), None if seg is None else seg.cpu().numpy())
        finite = bool(np.isfinite(decoded.boxes).all())
        if decoded.attention is not None:
            finite = finite and bool(np.isfinite(decoded.attention).all())
        if not finite:
            raise PredictionError("the network's outputs hold NaN or infinity (are its weights sound?)")
        return decoded

    def _normalised(self, canvases: npt.NDArray[np.uint8]) -> Tensor:
        pixels = torch.from_numpy(canvases).to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        if not self._switches.channels_last:
            pixels = pixels.contiguous()
        return (pixels.float() / 255 - self._mean) / self._std

    def _forward(self, image: Tensor) -> Outputs:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._switches.bf16):
            outputs: list[Outputs] = self._network(image, last_only=True)
        return outputs[-1]

    @contextmanager
    def _enough_memory(self, shape: tuple[int, ...]) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if not isinstance(error, torch.cuda.OutOfMemoryError) and _NO_MEMORY not in str(error):
                raise
            what = "GPU" if self.device.type == "cuda" else "machine"
            advice = "use a smaller batch" if shape[0] > 1 else "use smaller images or scales"
            advice += "" if self._switches.bf16 else ", or bf16"
            advice += ", or device cpu" if self.device.type == "cuda" else ""
            raise PredictionError(
                f"the {what} has not enough memory for {shape[0]} canvases of {shape[1]}x{shape[2]} "
                f"at a time ({advice})"
            ) from error


def _attention(plain: Outputs, mirrored: Outputs | None) -> Tensor:
    """Segmentation logits [B, H, W]."""
    seg = at_least_single(plain["seg"]).squeeze(1)
    if mirrored is None:
        return seg
    return (seg + at_least_single(mirrored["seg"]).squeeze(1).flip(2)) / 2
