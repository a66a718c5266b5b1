"""Whether evidence lies where the boxes are, or boxes would be better elsewhere.

Elsewhere is a frame earlier or later, mirrored, turned, or at another scale.

All of it goes by *fill*, the share of a box's pixels that the evidence calls foreground, on a few frames of a
video. Boxes that stand right lose fill when they are moved; boxes that stand wrong gain it by the move that
puts them right. Labelers whose evidence ends at the boxes can tell nothing, and then nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.boxes import Float32, clip_boxes
from spotlabel.pipeline.measures.movers import Movers

Float64 = npt.NDArray[np.float64]

MIN_GAIN, MIN_LOSS = 0.18, 0.3
"""A shift is told if boxes gain by it, and lose by the opposite one, these shares of what tight boxes would.
On MVI_40201 right boxes lose .23 to .28 both ways; wrong ones gain .26 to .32, and lose .5 to .7."""
TELLING_FILL = (0.2, 0.9)
"""Mean fill of boxes that tell of a shift: evidence in hardly any of them, or all over, tells nothing."""
MIN_MOVERS = 8
MIN_FILL = 0.25
MIN_RATIO = 3.0
"""Another place is told if boxes have ``MIN_FILL`` there, and ``MIN_RATIO`` times what they have here."""
MIN_BOXES = 6

Move = Callable[[Float64, tuple[int, int]], Float64]


def _scaled(fx: float, fy: float) -> Move:
    def move(boxes: Float64, _: tuple[int, int]) -> Float64:
        moved: Float64 = boxes * np.array([fx, fy, fx, fy])
        return moved

    return move


def _percent(boxes: Float64, size: tuple[int, int]) -> Float64:
    moved: Float64 = boxes * np.array([size[1], size[0], size[1], size[0]]) / 100
    return moved


def _mirrored(boxes: Float64, size: tuple[int, int]) -> Float64:
    return np.stack([size[1] - boxes[:, 2], boxes[:, 1], size[1] - boxes[:, 0], boxes[:, 3]], axis=1)


def _flipped(boxes: Float64, size: tuple[int, int]) -> Float64:
    return np.stack([boxes[:, 0], size[0] - boxes[:, 3], boxes[:, 2], size[0] - boxes[:, 1]], axis=1)


def _transposed(boxes: Float64, _: tuple[int, int]) -> Float64:
    return boxes[:, [1, 0, 3, 2]]


PLACES: Mapping[str, Move] = {
    "mirrored left to right": _mirrored,
    "upside down": _flipped,
    "turned by 180 degrees": lambda boxes, size: _flipped(_mirrored(boxes, size), size),
    "turned by 90 degrees clockwise": lambda boxes, size: _mirrored(_transposed(boxes, size), size),
    "turned by 90 degrees counterclockwise": lambda boxes, size: _flipped(_transposed(boxes, size), size),
    "with x and y exchanged": _transposed,
    "multiplied by 2": _scaled(2, 2),
    "multiplied by 3": _scaled(3, 3),
    "multiplied by 1.5": _scaled(1.5, 1.5),
    "divided by 2": _scaled(1 / 2, 1 / 2),
    "divided by 3": _scaled(1 / 3, 1 / 3),
    "divided by 1.5": _scaled(2 / 3, 2 / 3),
    "taken for per cent of the image": _percent,
}
"""What may have become of boxes, as what would put them right."""


def fills(sums: npt.NDArray[np.int32], boxes: Float64) -> tuple[Float64, Float64]:
    """Foreground and area of boxes inside an image.

    Args:
        sums: int32 (H + 1, W + 1), integral image of the foreground (0 or 1).
        boxes: (N, 4), pixel edges; parts outside the image do not count.

    Returns:
        Pixels of foreground and pixels in all, float64 (N,) each.
    """
    size = (sums.shape[0] - 1, sums.shape[1] - 1)
    x0, y0, x1, y1 = np.rint(clip_boxes(np.asarray(boxes, np.float64), size)).astype(np.int64).T
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return inside.astype(np.float64), ((x1 - x0) * (y1 - y0)).astype(np.float64)


@dataclass
class Fit:
    """Sums over the frames that were looked at.

    Attributes:
        gain: by how much fill grows with the boxes of the frame before and after, in sum.
        possible: how much it would grow if the boxes were tight and wrong by just that.
        here: fill of these boxes, in sum.
        movers: boxes behind these.
        foreground: pixels of foreground in the boxes, by place; the first is where the boxes are.
        area: pixels of the boxes there.
        boxes: boxes behind these.
        pixels: pixels of foreground, and pixels in all, outside the boxes.
    """

    gain: Float64 = field(default_factory=lambda: np.zeros(2))
    possible: Float64 = field(default_factory=lambda: np.zeros(2))
    here: float = 0.0
    movers: int = 0
    foreground: Float64 = field(default_factory=lambda: np.zeros(len(PLACES) + 1))
    area: Float64 = field(default_factory=lambda: np.zeros(len(PLACES) + 1))
    boxes: int = 0
    pixels: Float64 = field(default_factory=lambda: np.zeros(2))

    def look(self, foreground: npt.NDArray[np.uint8], boxes: Float32, moving: Movers) -> None:
        """Take in one frame.

        Args:
            foreground: uint8 (H, W), 0 or 1: the evidence above its threshold.
            boxes: float32 (N, 4), boxes of the frame.
            moving: those of them that move.
        """
        sums = cv2.integral(foreground)
        self._places(np.asarray(sums, np.int32), boxes.astype(np.float64), foreground.shape)
        self._shifts(np.asarray(sums, np.int32), moving)
        inside, area = fills(np.asarray(sums, np.int32), boxes.astype(np.float64))
        self.pixels += sums[-1, -1] - inside.sum(), foreground.size - area.sum()

    def _places(self, sums: npt.NDArray[np.int32], boxes: Float64, shape: tuple[int, ...]) -> None:
        size = (shape[0], shape[1])
        moved = np.concatenate([boxes, *(move(boxes, size) for move in PLACES.values())])
        foreground, area = fills(sums, moved)
        self.foreground += foreground.reshape(-1, len(boxes)).sum(axis=1)
        self.area += area.reshape(-1, len(boxes)).sum(axis=1)
        self.boxes += len(boxes)

    def _shifts(self, sums: npt.NDArray[np.int32], moving: Movers) -> None:
        if not len(moving.here):
            return
        fill = []
        for boxes in (moving.here, moving.before, moving.after):
            foreground, area = fills(sums, boxes.astype(np.float64))
            fill.append(foreground / np.maximum(area, 1))
        here, others = fill[0], np.stack(fill[1:])
        left = np.stack([_left_out(moving.here, moving.before), _left_out(moving.here, moving.after)])
        self.gain += (others - here).sum(axis=1)
        self.possible += (left * np.maximum(others, here)).sum(axis=1)
        self.here += float(here.sum())
        self.movers += len(here)

    def outside(self) -> float:
        """Share of the pixels outside all boxes that is foreground; 0 where boxes cover nearly everything.

        Boxes that overlap count twice, as if there were less outside.
        """
        foreground, area = self.pixels.tolist()
        return max(foreground, 0.0) / area if area > 0 and area > self.area[0] / 4 else 0.0

    def shift(self) -> int:
        """-1 or 1 if the evidence fits the boxes of the frame before or after clearly better; else 0."""
        if self.movers < MIN_MOVERS or (self.possible <= 0).any():
            return 0
        if not TELLING_FILL[0] <= self.here / self.movers <= TELLING_FILL[1]:
            return 0
        earlier, later = (self.gain / self.possible).tolist()
        if max(earlier, later) < MIN_GAIN or min(earlier, later) > -MIN_LOSS:
            return 0
        return -1 if earlier > later else 1

    def place(self) -> str:
        """The one of :data:`PLACES` where boxes would lie on the foreground; empty if they do, or none."""
        fill = self.foreground / np.maximum(self.area, 1)
        seen = self.area >= self.area[0] / 16  # boxes moved out of the image tell nothing
        best = int(np.where(seen, fill, 0).argmax())
        if not best or self.boxes < MIN_BOXES or fill[best] < max(MIN_FILL, MIN_RATIO * fill[0]):
            return ""
        return list(PLACES)[best - 1]


def _left_out(here: Float32, there: Float32) -> Float64:
    """Share of each box ``there`` that lies outside its box ``here``, float64 (M,)."""
    sides = np.minimum(here[:, 2:], there[:, 2:]) - np.maximum(here[:, :2], there[:, :2])
    area = (there[:, 2:] - there[:, :2]).prod(axis=1)
    share: Float64 = 1 - np.clip(sides, 0, None).prod(axis=1) / area
    return share.astype(np.float64)
