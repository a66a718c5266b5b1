"""Images in, boxes out: batches, flip test and several scales (CenterNet, Zhou et al., 2019, section 4)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spotlabel.detector.contract import MAX_DETECTIONS, Attention, Detector
from spotlabel.detector.errors import PredictionError
from spotlabel.detector.geometry import inverse, transform_boxes
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.prediction.engine import Engine, OnCanvases, Switches
from spotlabel.detector.prediction.placement import Placement
from spotlabel.detector.prediction.soft_nms import soft_nms

Image = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PredictOptions:
    """What is looked for, and how.

    Attributes:
        batch: images of equal size that go through the network together.
        flip: average with the mirrored image.
        scales: test scales; the boxes of several are joined by soft-NMS.
        nms: soft-NMS with a single scale, too.
        canvas: height and width of a fixed canvas that images are shrunk or enlarged to, as in training;
            None keeps their resolution, or scales them as in training on still pictures, and pads them.
        attention: return attention maps, unless a call says otherwise.
        count: most boxes per image.
    """

    batch: int = 1
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    nms: bool = False
    canvas: tuple[int, int] | None = None
    attention: bool = False
    count: int = MAX_DETECTIONS


@dataclass(frozen=True)
class Prediction:
    """What was found in one image of H x W; best first.

    Attributes:
        boxes: float64 (K, 4), x0, y0, x1, y1 in pixel edges, 0-based; not clipped to the image.
        score: float64 (K,), in [0, 1]; 0 for rows that only fill up the count and are no peak.
        class_id: int64 (K,), index into the model's class names.
        attention: maps by name, float32 (H, W); empty if not asked for.
    """

    boxes: Float64
    score: Float64
    class_id: npt.NDArray[np.int64]
    attention: dict[str, Float32] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.score)

    def at_least(self, score: float) -> Prediction:
        """Rows with this score or more, fillers left out."""
        rows = (self.score >= score) & (self.score > 0)
        return Prediction(self.boxes[rows], self.score[rows], self.class_id[rows], self.attention)


@dataclass(frozen=True)
class Laid:
    """Images of one size on canvases.

    Attributes:
        indices: which images they are.
        placements: how they lie on a canvas, one per scale.
        canvases: uint8 (B, H, W, 3) BGR, one per scale.
    """

    indices: list[int]
    placements: list[Placement]
    canvases: list[Image]


Looked = tuple[Laid, list[OnCanvases]]
"""Images on canvases, and what the network finds there, per scale."""


class Predictor:
    """A detector ready to look at images.

    Attributes:
        spec: which detector it is.
        options: what is looked for, and how.
        attentions: attention maps to be had, by name; empty if there are none.
    """

    def __init__(
        self,
        network: Detector,
        spec: ModelSpec,
        options: PredictOptions | None = None,
        switches: Switches | None = None,
    ) -> None:
        """Put the network on its device.

        Args:
            network: the detector; is moved and switched to evaluation mode.
            spec: what it is.
            options: what to look for; a single scale without flip if not given.
            switches: how to run; see :class:`Switches`.

        Raises:
            PredictionError: options that cannot be used, or not with this network, or no such device.
        """
        self.spec = spec
        self.options = options or PredictOptions()
        _check(self.options, network)
        self.attentions: Mapping[str, Attention] = network.attentions
        self._multiple = network.multiple
        self._engine = Engine(network, switches or Switches())

    @property
    def device(self) -> str:
        """Where the network runs: ``cpu``, or the name of the GPU."""
        return self._engine.device_name

    def predict(self, images: Sequence[Image], attention: bool | None = None) -> list[Prediction]:
        """Find objects.

        Args:
            images: uint8 (H, W, 3) BGR, of any sizes; those of equal size share batches.
            attention: return attention maps, too; None leaves it to the options.

        Returns:
            One prediction per image, in their order.

        Raises:
            PredictionError: the device has not enough memory, or there are no attention maps to be had.
            ValueError: an image is not uint8 (H, W, 3).
        """
        return self.found(self.look(self.lay(images), attention))

    def lay(self, images: Sequence[Image]) -> list[Laid]:
        """Put images on canvases: the part of :meth:`predict` that comes before the network.

        Raises:
            ValueError: an image is not uint8 (H, W, 3).
        """
        by_size: dict[tuple[int, int], list[int]] = {}
        for index, image in enumerate(images):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ValueError(f"expected uint8 (H, W, 3), found {image.dtype} {image.shape}")
            by_size.setdefault((image.shape[0], image.shape[1]), []).append(index)
        laid = []
        for size, indices in by_size.items():
            placements = self.placements(size)
            for start in range(0, len(indices), self.options.batch):
                chosen = indices[start : start + self.options.batch]
                canvases = [np.stack([place.put(images[i]) for i in chosen]) for place in placements]
                laid.append(Laid(chosen, placements, canvases))
        return laid

    def look(self, laid: Sequence[Laid], attention: bool | None = None) -> list[Looked]:
        """Run the network; arguments and errors as of :meth:`predict`."""
        wanted = self.options.attention if attention is None else attention
        if wanted and not self.attentions:
            raise PredictionError(f"{self.spec.preset} has no attention maps")
        options = self.options
        return [
            (
                part,
                [
                    self._engine.run(
                        canvases,
                        extent=placement.extent,
                        flip=options.flip,
                        attention=wanted,
                        count=options.count,
                    )
                    for placement, canvases in zip(part.placements, part.canvases, strict=True)
                ],
            )
            for part in laid
        ]

    def found(self, looked: Sequence[Looked]) -> list[Prediction]:
        """What the network says, on the images: the part of :meth:`predict` that comes after it."""
        found: dict[int, Prediction] = {}
        for part, passes in looked:
            joining = len(part.placements) > 1 or self.options.nms
            for place, index in enumerate(part.indices):
                found[index] = self._join(part.placements, passes, place, joining)
        return [found[index] for index in range(len(found))]

    def placements(self, size: tuple[int, int]) -> list[Placement]:
        """How an image of ``size`` (H, W) is put on canvases, one per scale."""
        if self.options.canvas is not None:
            return [Placement.letterboxed(size, self.options.canvas)]
        scales, sides = self.options.scales, self.spec.sides
        if sides is not None:
            return [Placement.scaled(size, sides, scale, self._multiple) for scale in scales]
        return [Placement.padded(size, scale, self._multiple) for scale in scales]

    def _join(
        self, placements: list[Placement], passes: list[OnCanvases], index: int, joining: bool
    ) -> Prediction:
        """What all scales say of one image."""
        pairs = list(zip(placements, passes, strict=True))
        rows = np.concatenate([_on_image(found.boxes[index], placement) for placement, found in pairs])
        if joining:
            rows = soft_nms(rows, keep=self.options.count)
        attention = {
            name: np.stack([p.take(found.attention[name][index]) for p, found in pairs]).mean(axis=0)
            for name in passes[0].attention
        }
        return Prediction(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64), attention)


def _on_image(rows: Float64, placement: Placement) -> Float64:
    """Rows (K, 6) with their boxes brought from the canvas to the image."""
    boxes = transform_boxes(rows[:, :4], inverse(placement.matrix))
    return np.concatenate([boxes, rows[:, 4:]], axis=1)


def _check(options: PredictOptions, network: Detector) -> None:
    if options.batch < 1 or options.count < 1:
        raise PredictionError(f"batch {options.batch}, count {options.count}: expected 1 or more")
    if not options.scales or not all(math.isfinite(s) and s > 0 for s in options.scales):
        raise PredictionError(f"scales {options.scales}: expected one or more numbers above 0")
    if options.canvas is None:
        return
    if options.scales != (1.0,):
        raise PredictionError("a fixed canvas has one scale: leave out scales, or the canvas")
    if any(side < 1 or side % network.multiple for side in options.canvas):
        height, width = options.canvas
        raise PredictionError(
            f"canvas {height}x{width}: both sides must be multiples of {network.multiple} for this detector"
        )
