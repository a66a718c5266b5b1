"""A still picture scaled, mirrored and coloured; and several of them as one batch on a common canvas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from spotlabel.detector.contract import Batch
from spotlabel.detector.data.colour import Colours, jitter
from spotlabel.detector.data.samples import UNKNOWN, WEAK, tell_unknown_apart
from spotlabel.detector.data.stills.picture import FOREGROUND, Float32, Int64, Still, UInt8
from spotlabel.detector.data.views import FLIP, Rng


@dataclass(frozen=True)
class StillRules:
    """How samples are made.

    Attributes:
        short: pixels that the shorter side is scaled to (600 in Faster R-CNN's VOC training)...
        long: ... unless the longer one would have more than this (1000).
        multiple: height and width of a canvas are multiples of this.
        colours: how a picture becomes the network's input.
        mirror: mirror half of the pictures left to right.
        jitter: jitter brightness, contrast, saturation and lighting.
        seed: of all that is random.
    """

    short: int
    long: int
    multiple: int
    colours: Colours
    mirror: bool = True
    jitter: bool = False
    seed: int = 0


@dataclass(frozen=True)
class StillSample:
    """One picture at the size that the network sees, h x w.

    Attributes:
        image: float32 (h, w, 3) BGR, normalised.
        boxes: float32 (N, 4), x0, y0, x1, y1 in its pixels.
        class_id: int64 (N,).
        mask: float32 (h, w) in [0, 1], foreground, soft at its edges; 0 if nobody made a mask.
        known: float32 (h, w), 0 where the mask is unknown, else 1; 0 all over if nobody made one.
        labelled: float32 (h, w), 0 in ignore regions and on unknown pixels outside all boxes, else 1.
        masked: whether somebody made a mask.
    """

    image: Float32
    boxes: Float32
    class_id: Int64
    mask: Float32
    known: Float32
    labelled: Float32
    masked: bool


def scaled_size(size: tuple[int, int], short: float, long: float) -> tuple[int, int]:
    """Height and width after scaling: the shorter side ``short``, the longer one at most ``long`` pixels."""
    scale = min(short / min(size), long / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def make_still_sample(still: Still, rules: StillRules, rng: Rng) -> StillSample:
    """Scale a picture with all that is known of it, bilinearly, pixel edges onto pixel edges.

    Args:
        still: the picture.
        rules: how.
        rng: draws whether to mirror, then the colours.

    Raises:
        ValueError: picture and mask do not have the same size.
    """
    height, width = still.image.shape[:2]
    if still.mask is not None and still.mask.shape != (height, width):
        raise ValueError(f"mask of shape {still.mask.shape} for an image of shape {still.image.shape}")
    size = scaled_size((height, width), rules.short, rules.long)
    flip = rules.mirror and bool(rng.random_sample() < FLIP)
    factor = np.array([size[1] / width, size[0] / height] * 2, np.float64)
    image = _unit(_scaled(still.image, size, flip))
    coloured = jitter(image, rng) if rules.jitter else image
    mean, std = np.array(rules.colours.mean, np.float32), np.array(rules.colours.std, np.float32)
    mask, known, labelled = _planes(still, size, flip)
    # Only now: regions are cut from the mirrored plane.
    _blot(labelled, _mirrored(still.ignore * factor, size[1], flip))
    return StillSample(
        image=(coloured - mean) / std,
        boxes=_mirrored(still.boxes * factor, size[1], flip).astype(np.float32),
        class_id=still.class_id,
        mask=mask,
        known=known,
        labelled=labelled,
        masked=still.mask is not None,
    )


def stack_stills(samples: Sequence[StillSample], multiple: int) -> Batch:
    """A batch: pictures at the left top of a canvas that holds them all, as small as ``multiple`` allows.

    Padding is 0 in the normalised image. It is background and known as such, except beside a picture
    without a mask, where nothing is known.

    Args:
        samples: B of them, at least one.
        multiple: of the canvas's height and width.
    """
    sizes = [sample.image.shape[:2] for sample in samples]
    height, width = (-(-max(sides) // multiple) * multiple for sides in zip(*sizes, strict=True))
    slots = max(1, *(len(sample.boxes) for sample in samples))
    count = len(samples)
    image = np.zeros((count, 3, height, width), np.float32)
    mask = np.zeros((count, 1, height, width), np.float32)
    known, labelled = np.ones_like(mask), np.ones_like(mask)
    boxes = np.zeros((count, slots, 4), np.float32)
    classes = np.zeros((count, slots), np.int64)
    present = np.zeros((count, slots), np.bool_)
    for k, (sample, (h, w)) in enumerate(zip(samples, sizes, strict=True)):
        image[k, :, :h, :w] = sample.image.transpose(2, 0, 1)
        known[k] = sample.masked
        for plane, values in ((mask, sample.mask), (known, sample.known), (labelled, sample.labelled)):
            plane[k, 0, :h, :w] = values
        n = len(sample.boxes)
        boxes[k, :n], classes[k, :n], present[k, :n] = sample.boxes, sample.class_id, True
    return Batch(
        image=torch.from_numpy(image),
        extent=torch.tensor(sizes, dtype=torch.int64),
        boxes=torch.from_numpy(boxes),
        classes=torch.from_numpy(classes),
        present=torch.from_numpy(present),
        mask=torch.from_numpy(mask),
        known=torch.from_numpy(known),
        labelled=torch.from_numpy(labelled),
    )


def _planes(still: Still, size: tuple[int, int], flip: bool) -> tuple[Float32, Float32, Float32]:
    """Mask, known and labelled (h, w) but for the ignore regions."""
    if still.mask is None:
        return np.zeros(size, np.float32), np.zeros(size, np.float32), np.ones(size, np.float32)
    told = tell_unknown_apart(still.mask, still.boxes)
    foreground = _unit(_scaled(_full(told == FOREGROUND), size, flip))
    return foreground, _untouched(told >= WEAK, size, flip), _untouched(told == UNKNOWN, size, flip)


def _untouched(unknown: npt.NDArray[np.bool_], size: tuple[int, int], flip: bool) -> Float32:
    """1 where no unknown pixel has a part: a mixture with something unknown is unknown, too."""
    return np.asarray(_scaled(_full(unknown), size, flip) == 0, np.float32)


def _scaled(image: UInt8, size: tuple[int, int], flip: bool) -> UInt8:
    source = np.ascontiguousarray(image[:, ::-1]) if flip else image
    scaled: UInt8 = cv2.resize(source, size[::-1], interpolation=cv2.INTER_LINEAR)
    return scaled


def _mirrored(boxes: npt.NDArray[np.float64], width: int, flip: bool) -> npt.NDArray[np.float64]:
    if not flip:
        return boxes
    turned = boxes.copy()
    turned[:, [0, 2]] = width - boxes[:, [2, 0]]
    return turned


def _blot(plane: Float32, boxes: npt.NDArray[np.float64]) -> None:
    """Set every pixel that a box has a part of to 0."""
    low, high = np.floor(boxes[:, :2]).astype(int), np.ceil(boxes[:, 2:]).astype(int)
    for (x0, y0), (x1, y1) in zip(low.tolist(), high.tolist(), strict=True):
        plane[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 0


def _full(where: npt.NDArray[np.bool_]) -> UInt8:
    return where.astype(np.uint8) * np.uint8(255)


def _unit(values: UInt8) -> Float32:
    """Grey levels 0..255 as float32 in [0, 1]."""
    return values.astype(np.float32) / np.float32(255)
