"""A box segmenter that is shown whole images: SAM, SAM 2 or EdgeTAM, with boxes as prompts.

The image is encoded once, then each of its boxes is a prompt. What a box shows is seen among all that is
around it, so one that the image's border cuts needs no mirror image. One mask is asked for, not three of
which one is chosen: those are for prompts that may mean a whole or a part of it, such as a point (Kirillov et
al., "Segment Anything", ICCV 2023, section 3), and a box says how far its object reaches. Where SAM 2 finds
its one mask unstable it takes the best of the three by itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.learned.checkpoint import opened
from spotlabel.labelers.learned.crops import Image, Pixels, box_pixels

Bool = npt.NDArray[np.bool_]
Boxes = npt.NDArray[np.float32]


class PromptedSegmenter:
    """A network that tells the object in a box, given the image and the box.

    On a CPU one thread runs it and boxes are prompts one after the other, which is no slower there: so
    probabilities depend neither on how many videos are made at a time nor on which boxes are asked about
    together.

    Args:
        folder: in Hugging Face's layout, see :mod:`spotlabel.labelers.learned.checkpoint`.
        device: ``cpu`` or ``cuda``.
        batch: boxes that are prompts at a time on ``cuda``.

    Raises:
        LabelerError: something is not installed, there is no such device, or the folder cannot be used.
    """

    def __init__(self, folder: Path, device: Literal["cpu", "cuda"] = "cpu", batch: int = 16) -> None:
        self._checkpoint = opened(folder, device)
        self._torch = importlib.import_module("torch")
        self._device, self._batch = device, 1 if device == "cpu" else batch

    def readings(self, image: Image, boxes: Boxes, evidence: Bool | None = None) -> list[list[Image]]:
        """Probability of the object in each box.

        Args:
            image: uint8 (H, W, 3), BGR.
            boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.
            evidence: what another labeler says; these networks do not ask.

        Returns:
            Of each box one uint8 (h, w), 0 to 255, on the pixels that it touches; none of a box without
            pixels.

        Raises:
            LabelerError: the network fails, or its output is not what it should be.
        """
        shape = (image.shape[0], image.shape[1])
        pixels = box_pixels(boxes, shape)
        shown = [row for row, part in enumerate(pixels) if all(side.stop > side.start for side in part)]
        found: list[list[Image]] = [[] for _ in pixels]
        if not shown:
            return found
        reach = self._reach(shape)
        prompts = placed(boxes[shown], shape, reach)
        with self._running():
            logits = self._logits(self._input(image, reach), prompts)
            for row, plane in zip(shown, logits, strict=True):
                found[row].append(self._read_off(plane, pixels[row], shape, reach))
        return found

    def _reach(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the image within the network's square input, px."""
        side = self._checkpoint.side
        if not self._checkpoint.family.pads:
            return side, side
        scale = side / max(shape)
        return max(int(shape[0] * scale + 0.5), 1), max(int(shape[1] * scale + 0.5), 1)

    def _input(self, image: Image, reach: tuple[int, int]) -> Any:
        """The image as the network takes it, float32 tensor [1, 3, side, side]."""
        torch, said, side = self._torch, self._checkpoint.preprocessor, self._checkpoint.side
        interpolate, pad = torch.nn.functional.interpolate, torch.nn.functional.pad
        colours = torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)))[None]
        scaled = interpolate(colours, reach, mode="bilinear", antialias=True).float() * said.rescale_factor
        mean, deviation = (torch.tensor(some)[:, None, None] for some in (said.image_mean, said.image_std))
        normal = (scaled - mean) / deviation
        return pad(normal, (0, side - reach[1], 0, side - reach[0])).to(self._device)

    def _logits(self, inputs: Any, prompts: Boxes) -> Any:
        """What the network says of each box, above 0 where it sees the object: float32 tensor [N, s, s]."""
        network, torch = self._checkpoint.network, self._torch
        try:
            embeddings = network.get_image_embeddings(inputs)
            parts = torch.from_numpy(prompts).to(self._device)[None].split(self._batch, dim=1)
            said = [
                network(image_embeddings=embeddings, input_boxes=some, multimask_output=False).pred_masks
                for some in parts
            ]
            planes = torch.cat(said, dim=1)[0]
        except Exception as error:  # of any class: memory, shapes that the configuration led to, ...
            raise LabelerError(f"network: {' '.join(str(error).split())}") from error
        if planes.shape[:2] != (len(prompts), 1) or planes.ndim != 4:
            raise LabelerError(
                f"network: expected one mask of each of {len(prompts)} boxes, got {planes.shape}"
            )
        if not torch.isfinite(planes).all():
            raise LabelerError("network: its output is not finite")
        return planes[:, 0]

    def _read_off(self, plane: Any, pixels: Pixels, shape: tuple[int, int], reach: tuple[int, int]) -> Image:
        """Probability at the centres of a box's pixels, bilinear between the network's: uint8 (h, w)."""
        torch, side = self._torch, self._checkpoint.side
        rows, columns = (
            (np.arange(part.start, part.stop) + 0.5) * (2 * reached / length / side) - 1
            for part, length, reached in zip(pixels, shape, reach, strict=True)
        )
        grid = np.stack(np.meshgrid(columns, rows), axis=-1).astype(np.float32)
        at = torch.from_numpy(grid)[None].to(self._device)
        sample = torch.nn.functional.grid_sample
        logits = sample(plane[None, None], at, mode="bilinear", padding_mode="border", align_corners=False)
        probability: Image = (torch.sigmoid(logits[0, 0]) * 255).round().byte().cpu().numpy()
        return probability

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Inside, torch takes one thread and no gradients, and cuDNN only kernels that repeat their sums."""
        torch = self._torch
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        flags = torch.backends.cudnn.flags
        try:
            with torch.inference_mode(), flags(benchmark=False, deterministic=True, allow_tf32=False):
                yield
        finally:
            torch.set_num_threads(threads)


def placed(boxes: Boxes, shape: tuple[int, int], reach: tuple[int, int]) -> Boxes:
    """Boxes, cut off at the image's border, in pixels of the network's input.

    Args:
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges of the image.
        shape: height and width of the image.
        reach: height and width of the image within the input.

    Returns:
        float32 (N, 4).
    """
    ends = np.array([shape[1], shape[0]] * 2, np.float64)
    inside = np.clip(boxes.astype(np.float64), 0, ends)
    scaled: Boxes = (inside * (np.array([reach[1], reach[0]] * 2) / ends)).astype(np.float32)
    return scaled
