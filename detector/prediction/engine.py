"""Canvases to what was found on them, on whichever device there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spotlabel.detector.contract import MAX_DETECTIONS, Detector, Found
from spotlabel.detector.data.device import normalise
from spotlabel.detector.errors import PredictionError

_NO_MEMORY = "can't allocate memory"
"""What torch says on the CPU, where it has no exception for it."""
_FIRST_WITH_BF16 = (8, 0)
"""Compute capability of the first GPUs with bfloat16 in their tensor cores."""


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
class OnCanvases:
    """What the network finds on B canvases of H x W.

    Attributes:
        boxes: float64 (B, K, 6), x0, y0, x1, y1 in canvas pixels, score, class; best first.
        attention: maps by name, float32 (B, H, W); empty if not asked for.
    """

    boxes: npt.NDArray[np.float64]
    attention: dict[str, npt.NDArray[np.float32]]


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


def computes_bf16(device: torch.device) -> bool:
    """Whether bfloat16 pays without being asked for: on GPUs whose tensor cores know it (from Ampere on).

    A CPU stays with single precision, so that its results are the same on every processor.
    """
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= _FIRST_WITH_BF16


class Engine:
    """A network on its device."""

    def __init__(self, network: Detector, switches: Switches) -> None:
        """Move the network to its device and switch it to evaluation mode.

        Raises:
            PredictionError: no such device here.
        """
        self.device = choose_device(switches.device)
        self._switches = switches
        memory = torch.channels_last if switches.channels_last else torch.contiguous_format
        placed: Detector = network.eval().to(self.device).to(memory_format=memory)  # type: ignore[call-overload]
        self._find = torch.compile(placed.find) if switches.compile else placed.find
        self._colours = network.colours

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
        extent: tuple[int, int] | None = None,
        flip: bool = False,
        attention: bool = False,
        count: int = MAX_DETECTIONS,
    ) -> OnCanvases:
        """Find the ``count`` best boxes of every canvas.

        Args:
            canvases: uint8 (B, H, W, 3) BGR; H and W are multiples of what the network needs.
            extent: height and width, from the left top, that hold picture; the rest is padding, which is 0 in
                the normalised canvas. None takes all for picture.
            flip: look at the mirrored canvases, too.
            attention: return attention maps, too.
            count: boxes per canvas.

        Raises:
            PredictionError: the device has not enough memory, or the network's outputs are not finite.
        """
        with self._enough_memory(canvases.shape), torch.inference_mode():
            image = self._normalised(canvases)  # [B, 3, H, W]
            inside = None
            if extent is not None:
                image[:, :, extent[0] :], image[:, :, :, extent[1] :] = 0, 0
                inside = torch.tensor([extent] * len(image), device=self.device)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self._switches.bf16):
                found = self._find(image, count, extent=inside, flip=flip, attention=attention)
            result = OnCanvases(_rows(found), {name: m.cpu().numpy() for name, m in found.attention.items()})
        finite = [np.isfinite(result.boxes).all(), *(np.isfinite(m).all() for m in result.attention.values())]
        if not all(finite):
            raise PredictionError("the network's outputs hold NaN or infinity (are its weights sound?)")
        return result

    def _normalised(self, canvases: npt.NDArray[np.uint8]) -> Tensor:
        pixels = torch.from_numpy(canvases).to(self.device, non_blocking=True).permute(0, 3, 1, 2)
        if not self._switches.channels_last:
            pixels = pixels.contiguous()
        return normalise(pixels.float() / 255, self._colours)

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


def _rows(found: Found) -> npt.NDArray[np.float64]:
    """Boxes, scores and classes (B, K, 6)."""
    columns = (found.boxes, found.scores.unsqueeze(2), found.classes.unsqueeze(2))
    rows: npt.NDArray[np.float64] = torch.cat([column.double() for column in columns], dim=2).cpu().numpy()
    return rows
