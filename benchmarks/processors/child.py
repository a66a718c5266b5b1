"""Child of ``benchmarks.processors``: label frames that lie in a folder, as this process's libraries do.

Called with the folder, the file to write, and ``scene:labeler`` as often as wanted. The file holds the
evidence of each, its masks, and the masks of the evidence that the host made (``SCENE:LABELER.npy`` in the
folder, if there): what the mask stage alone makes different. With ``SPOTLABEL_TRACE`` it also notes, for each
function of OpenCV, digests of what went in and what came out.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.processors.emulation import OPENCV_LEVELS
from spotlabel.labelers.base import ClipFrame, Labeler
from spotlabel.labelers.masks import make_mask
from spotlabel.labelers.masks.presets import DEFAULT
from spotlabel.labelers.registry import load

TRACE = "SPOTLABEL_TRACE"
Traced = dict[str, dict[str, str]]
"""Of each function: digest of its arguments to digest of its results."""


@dataclass(frozen=True)
class SavedScene:
    """Frames of a scene with their boxes, of a file; a :class:`spotlabel.labelers.base.Clip`."""

    images: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    ends: npt.NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> SavedScene:
        """As :meth:`save` wrote it."""
        with np.load(path) as file:
            return cls(file["images"], file["boxes"], file["ends"])

    def save(self, path: Path) -> None:
        """Write ``images`` (T, H, W, 3), ``boxes`` (N, 4) and, for each frame, where its boxes end."""
        np.savez(path, images=self.images, boxes=self.boxes, ends=self.ends)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def step(self) -> int:
        """Always 1."""
        return 1

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[ClipFrame]:
        return self.sampled(1)

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        """Every n-th frame."""
        for index in range(0, len(self), every):
            yield ClipFrame(index, self.images[index], self.boxes_at(index))

    def boxes_at(self, index: int) -> npt.NDArray[np.float32]:
        """Boxes of a frame, (n, 4)."""
        return self.boxes[self.ends[index - 1] if index else 0 : self.ends[index]]


def main(folder: Path, out: Path, wanted: list[str]) -> None:
    """Label, and write what came out."""
    traced: Traced = {}
    if os.environ.get(TRACE):
        _trace(traced)
    level = [name for name, number in OPENCV_LEVELS.items() if cv2.checkHardwareSupport(number)][-1]
    made: dict[str, Any] = {"opencv": level}
    for pair in wanted:
        scene_name, name = pair.split(":")
        scene, labeler = SavedScene.read(folder / f"{scene_name}.npz"), load(name)
        made_by = labeler(labeler.settings_type())
        evidence = np.stack([said.values for said in made_by.label(scene)]).astype(np.uint8)
        made[f"{pair}.evidence"] = evidence
        made[f"{pair}.masks"] = _masks(scene, labeler, evidence)
        host = folder / f"{pair}.npy"
        if host.exists():
            made[f"{pair}.masks of host's evidence"] = _masks(scene, labeler, np.load(host))
    with out.open("wb") as file:
        np.savez(file, traced=json.dumps(traced), **made)


def _masks(scene: SavedScene, labeler: type[Labeler], evidence: npt.NDArray[np.uint8]) -> Any:
    """Masks by the default rules, uint8 (T, H, W)."""
    masks = np.empty(evidence.shape, np.uint8)
    for index, values in enumerate(evidence):
        boxes = scene.boxes_at(index)
        typed = values > 0 if labeler.kind == "binary" else values
        all_boxes, none = np.ones(len(boxes), np.bool_), np.zeros((0, 4), np.float32)
        masks[index] = make_mask(
            typed, labeler.kind, boxes, all_boxes, none, DEFAULT, neutral=labeler.neutral
        ).mask
    return masks


def _trace(traced: Traced) -> None:
    """Wrap every function of OpenCV that takes or gives arrays."""
    for module, name in [*((cv2, name) for name in dir(cv2)), (cv2.ximgproc, "guidedFilter")]:
        function = getattr(module, name)
        told = name == "checkHardwareSupport"  # differs as it should
        if callable(function) and not isinstance(function, type) and name[0].islower() and not told:
            setattr(module, name, _noting(function, traced.setdefault(name, {})))


def _noting(function: Callable[..., Any], seen: dict[str, str]) -> Callable[..., Any]:
    def noting(*args: Any, **kwargs: Any) -> Any:
        given = _digest([args, sorted(kwargs.items())])
        result = function(*args, **kwargs)
        seen[given] = _digest([result, args, sorted(kwargs.items())])  # some write into what they are given
        return result

    return noting


def _digest(value: Any) -> str:
    digest = hashlib.blake2b(digest_size=8)

    def feed(part: Any) -> None:
        if isinstance(part, (list, tuple)):
            digest.update(b"(%d" % len(part))
            for inner in part:
                feed(inner)
        elif isinstance(part, np.ndarray):
            digest.update(f"{part.dtype} {part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        elif isinstance(part, (int, float, str, bool, np.generic)) or part is None:
            digest.update(repr(part).encode())

    feed(value)
    return digest.hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
