"""The parts of a run, in order of value."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

_ARRAYS = ("numpy", "cv2", "pydantic", "h5py")
_FRAMES = (*_ARRAYS, "yaml", "av", "simplejpeg")
_NETWORK = ("torch", "safetensors")


@dataclass(frozen=True)
class Part:
    """One thing to find out.

    Attributes:
        name: for ``--only``; also the module of :mod:`benchmarks.gpu` that has its ``run``.
        title: what it tells.
        needs: modules that must be there.
        seconds: most that it may take.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    seconds: int

    def missing(self) -> list[str]:
        """Modules that are not installed here."""
        return [name for name in self.needs if find_spec(name) is None]


PARTS = (
    Part("pawcs", "PAWCS: masks beside the CPU's, frames/s", (*_FRAMES, "numba", "click"), 170),
    Part("steps", "Training step by switch, largest batch", (*_ARRAYS, *_NETWORK, "click"), 110),
    Part("loading", "Training from JPEG and stores: waiting for data", (*_FRAMES, *_NETWORK), 100),
    Part("inference", "Detection with and without overlap of decoding", (*_FRAMES, *_NETWORK), 60),
    Part(
        "demo",
        "The demo's training to its AP; stop and go on",
        (*_FRAMES, *_NETWORK, "numba", "click", "defusedxml", "joblib", "rich"),
        110,
    ),
    Part("memory", "A full card, told in words", (*_FRAMES, *_NETWORK), 30),
    Part("group", "Processes that train together: NCCL with one", (*_ARRAYS, *_NETWORK, "click"), 30),
    Part("compiled", "Training step compiled", (*_ARRAYS, *_NETWORK, "click"), 120),
)
"""The last is the one that a run cut short can best do without."""
