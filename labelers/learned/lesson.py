"""What a student is taught: crops of some boxes of a video, and what a trusted teacher says of them.

A teacher is trusted in a box where its mask fills the box from side to side in one piece and agrees with the
other labeler's; where it is not, in the pixels alone in which both say the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.learned.agreement import overlap
from spotlabel.labelers.learned.crops import Image, Pixels, Place, box_pixels, cropped, framed
from spotlabel.labelers.learned.fusion import BoxPair, Trust, fused
from spotlabel.labelers.learned.segmenter import Boxes, with_evidence

Float32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
MARGIN = 0.5
"""Of the crops: so much is known around a box that a student can be shown it with more and less around it."""
AGREE = 0.5
"""Least IoU with the other labeler's mask of a teacher's mask that is trusted."""
UNSURE = (0.2, 0.8)
"""Probabilities between these are trusted less."""
RELIABLE = Trust(network=True, evidence=True)
SURE, LESS, SOME = 255, 76, 128
"""Weights of pixels, of 255: of a trusted box, of an unsure pixel in it, of a pixel in which both agree."""


@dataclass(frozen=True)
class Shown:
    """Boxes of one video, N of them, each in a crop of W x W px.

    Attributes:
        crops: uint8 (N, W, W, 4), BGR and what the other labeler says (0 background, 255 foreground, 128 not
            known).
        targets: uint8 (N, W, W), probability of the object, 0 to 255: the teacher's.
        mixed: uint8 (N, W, W), the same where the other labeler knows better than the teacher: of both, put
            together.
        weights: uint8 (N, W, W), how far that is trusted, 0 to 255; 0 outside the box.
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` of the box in pixel edges of the crop.
        images: float32 (N, 4), likewise the image, which ends at 0 or W where it goes on beyond the crop.
        whole: bool (N,), boxes in which the teacher is trusted.
    """

    crops: Image
    targets: Image
    mixed: Image
    weights: Image
    boxes: Float32
    images: Float32
    whole: Bool

    def __len__(self) -> int:
        return len(self.crops)

    @classmethod
    def joined(cls, lessons: list[Shown]) -> Shown:
        """Several with crops of one size as one."""
        parts = {part.name: [getattr(one, part.name) for one in lessons] for part in fields(cls)}
        return cls(**{name: np.concatenate(some) for name, some in parts.items()})


def nothing_shown(side: int) -> Shown:
    """No boxes."""
    plane, row = np.zeros((0, side, side), np.uint8), np.zeros((0, 4), np.float32)
    return Shown(np.zeros((0, side, side, 4), np.uint8), plane, plane, plane, row, row, np.zeros(0, np.bool_))


def taught(image: Image, boxes: Boxes, mask: Bool | None, pairs: list[BoxPair | None], side: int) -> Shown:
    """The lesson of boxes of one frame.

    Args:
        image: uint8 (H, W, 3), BGR.
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges.
        mask: the other labeler's, bool (H, W), or None.
        pairs: what both say of each box; None for a box without pixels, which is left out.
        side: of the crops, px.
    """
    shape, four = (image.shape[0], image.shape[1]), with_evidence(image, mask)
    places = framed(boxes, shape, MARGIN)
    some = [
        _one(four, place[0], pixels, pair, side)
        for place, pixels, pair in zip(places, box_pixels(boxes, shape), pairs, strict=True)
        if pair is not None
    ]
    return Shown.joined([nothing_shown(side), *some])


def _one(four: Image, place: Place, pixels: Pixels, pair: BoxPair, side: int) -> Shown:
    crop = cropped(four, place, side)
    whole, *told = judged_pixels(pair)
    planes = np.zeros((len(place.rows), len(place.columns), len(told)), np.uint8)
    planes[place.inside] = np.dstack(told)
    shown = cropped(planes, Place(np.arange(len(planes)), np.arange(planes.shape[1]), place.inside), side)
    scale = [side / len(index) for index in (place.columns, place.rows)] * 2
    ends = [(part.start, part.stop) for part in place.inside]
    box = np.array([ends[1][0], ends[0][0], ends[1][1], ends[0][1]]) * scale
    picture = (
        np.array([0, 0, four.shape[1], four.shape[0]])
        - [place.columns[0], place.rows[0], place.columns[0], place.rows[0]]
    ) * scale
    return Shown(
        crop[None], shown[None, ..., 0], shown[None, ..., 1], shown[None, ..., 2],
        box.astype(np.float32)[None], np.clip(picture, 0, side).astype(np.float32)[None], np.array([whole]),
    )  # fmt: skip


def judged_pixels(pair: BoxPair) -> tuple[bool, Image, Image, Image]:
    """Whether the teacher is trusted in a box; what a student is to say of its pixels, and with what weight.

    Args:
        pair: what both say of the box.

    Returns:
        The first, what the teacher says, what both say when put together, and the weight: uint8 (h, w) each.
    """
    spoken = pair.spoken
    agrees = spoken is None or overlap(spoken, pair.taught) >= AGREE
    if pair.is_whole and agrees:
        low, high = (255 * share for share in UNSURE)
        unsure = (pair.probability > low) & (pair.probability < high)
        weight = np.where(unsure, np.uint8(LESS), np.uint8(SURE))
        return True, pair.probability, fused(pair, RELIABLE), weight
    both = np.zeros(pair.taught.shape, np.bool_) if spoken is None else spoken == pair.taught
    target = np.where(pair.taught, np.uint8(255), np.uint8(0))
    return False, target, target, np.where(both, np.uint8(SOME), np.uint8(0))
