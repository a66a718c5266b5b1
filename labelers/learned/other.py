"""What the other labeler says of a video, and what a network says of its boxes, both kept while needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import Answers, Clip, ClipFrame, EvidenceKind, Labeler
from spotlabel.labelers.learned.agreement import best, open_sides
from spotlabel.labelers.learned.crops import Image, box_pixels
from spotlabel.labelers.learned.fusion import BoxPair
from spotlabel.labelers.learned.memory import NotedClip, PackedMask
from spotlabel.labelers.learned.segmenter import Boxes, BoxSegmenter
from spotlabel.labelers.masks import PRESETS
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.labelers.masks.figures import Figures
from spotlabel.labelers.masks.frame import foreground_in_boxes

Bool = npt.NDArray[np.bool_]
_RULES = PRESETS["default"]


class Found:
    """What a labeler finds in a whole clip.

    Args:
        labeler: it runs at once.
        clip: the video.
    """

    def __init__(self, labeler: Labeler, clip: Clip) -> None:
        noted, self._masks = NotedClip(clip), dict[int, PackedMask | None]()
        self._figures: dict[int, Figures] = {}
        self._boxes: dict[int, Boxes] = {}
        for index, evidence in enumerate(labeler.label(noted)):
            mask = evidence.values.view(np.uint8) > labeler.neutral
            number, self._boxes[number] = noted.frames[index]
            self._masks[number] = None if evidence.warm_up else PackedMask.of(mask)
            self._figures[number] = evidence.figures

    def raw(self, number: int) -> Bool | None:
        """Its mask of a frame, bool (H, W); None during its warm-up."""
        return None if (packed := self._masks[number]) is None else packed.mask()

    def masks(self) -> Iterator[tuple[Boxes, Bool | None]]:
        """Boxes and mask of every frame, in order."""
        for number, boxes in self._boxes.items():
            yield boxes, self.raw(number)

    def figures(self, number: int) -> Figures:
        """What it says of the boxes of a frame beside its mask."""
        return self._figures[number]


def cleaned(raw: Bool | None, boxes: Boxes) -> Bool | None:
    """A mask, bool (H, W), as the default rules make it, all boxes kept; None stays None."""
    if raw is None:
        return None
    rects = pixel_rects(boxes, (raw.shape[0], raw.shape[1]), _RULES)
    return foreground_in_boxes(raw.view(np.uint8), EvidenceKind.BINARY, rects, _RULES, 0) > 0


class Asked:
    """A network that is asked about each box once, as long as its answers are kept.

    Args:
        segmenter: the network.
        answers: what it has said; is added to.
    """

    def __init__(self, segmenter: BoxSegmenter, answers: Answers) -> None:
        self._segmenter, self._answers = segmenter, answers

    def pairs(self, frame: ClipFrame, mask: Bool | None, rows: Iterable[int]) -> list[BoxPair | None]:
        """What is known of boxes of a frame, None for a box without pixels.

        Args:
            frame: the frame.
            mask: the other labeler's cleaned one, or None.
            rows: which boxes.
        """
        wanted = list(rows)
        new = [row for row in wanted if (frame.number, row) not in self._answers]
        found = self._segmenter.readings(frame.image, frame.boxes[new], mask) if new else []
        for row, readings in zip(new, found, strict=True):
            self._answers[frame.number, row] = readings
        shape = (frame.image.shape[0], frame.image.shape[1])
        pixels = box_pixels(frame.boxes, shape)
        return [_pair(pixels[row], self._answers[frame.number, row], mask, shape) for row in wanted]

    def last_pairs(self, frame: ClipFrame, mask: Bool | None) -> list[BoxPair | None]:
        """The same of all boxes of a frame about which nobody will ask again."""
        rows = range(len(frame.boxes))
        pairs = self.pairs(frame, mask, rows)
        for row in rows:
            del self._answers[frame.number, row]
        return pairs


def _pair(
    pixels: tuple[slice, slice], readings: list[Image], mask: Bool | None, shape: tuple[int, int]
) -> BoxPair | None:
    if not readings:
        return None
    evidence, sides = None if mask is None else mask[pixels], open_sides(pixels, shape)
    return BoxPair(evidence, best(readings, evidence, sides), sides)
