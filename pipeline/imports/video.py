"""A video as an export shows it now: what imported shapes are paired with and compared to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks import MaskSettings
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.labelers.masks.corrected import Decision
from spotlabel.labelers.masks.values import Plane, Rects
from spotlabel.pipeline.boxes import Float32
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.exports.frame import ExportFrame
from spotlabel.pipeline.exports.images import Images
from spotlabel.pipeline.exports.instances import Frames
from spotlabel.pipeline.imports.shapes import Box, Picture, Shape
from spotlabel.pipeline.manual import Correction, Fitted, fit, read_manual
from spotlabel.pipeline.store import FrameState, MaskReader
from spotlabel.pipeline.upkeep.plan import Item

SAME_BOX = 0.9
"""Least IoU of a shape's box with the dataset's, where no track tells which it is."""


@dataclass(frozen=True)
class Frame:
    """One frame as it is exported now, corrections that are not in its masks yet included.

    Attributes:
        index: its position.
        rects: int64 (N, 4), pixels of its boxes.
        own: uint8 (H, W) by row of the box in the frame, 1 at its pixels; of boxes that have a mask.
        unknown: bool (H, W), pixels of which nothing is known.
        unsure: rows of boxes without a mask of which pixels are unknown.
        by_hand: likewise of boxes whose pixels a person drew.
    """

    index: int
    rects: Rects
    own: dict[int, Plane]
    unknown: npt.NDArray[np.bool_]
    unsure: frozenset[int]
    by_hand: dict[int, Plane]


class Video:
    """The masks of a video and what people said of it.

    Args:
        item: the video; its masks are there, and up to date but for corrections.
        min_believability: as in the export that was edited.
    """

    def __init__(self, item: Item, min_believability: float) -> None:
        self.item = item
        self.masks = MaskReader(item.mask_path, sealed=True)
        settings = MaskSettings(**self.masks.structure("settings"))
        self._frames = Frames(self.masks, settings, min_believability)
        self._rects = pixel_rects(
            self.masks.boxes.xyxy, self.masks.size, settings, self.masks.number("native_origin")
        )
        self.fitted = self._fitted()

    def _fitted(self) -> Fitted:
        boxes = self.masks.boxes
        usable = np.array([self.masks.has_pixels(index) for index in range(len(self.masks))], np.bool_)
        every = np.ones(len(boxes.xyxy), np.bool_)
        return fit(read_manual(self.item.manual_path), self.masks.numbers, boxes, usable, every)

    @cached_property
    def _by_name(self) -> dict[str, int]:
        """Positions of frames by the names of their images in an export, without suffix."""
        images = Images(self.item.sequence)
        return {images.name(index).rpartition(".")[0]: index for index in range(len(self.masks))}

    def index_of(self, picture: Picture) -> int | None:
        """Position of the frame that a picture is of; None if there is none."""
        if picture.number is None:
            return self._by_name.get(picture.name)
        place = int(np.searchsorted(self.masks.numbers, picture.number))
        return place if place < len(self.masks) and self.masks.numbers[place] == picture.number else None

    def known(self, index: int) -> bool:
        """Whether an export holds objects of a frame."""
        return bool(self.masks.state[index] == FrameState.OK)

    def frame(self, index: int) -> Frame:
        """A frame as it is exported now.

        Raises:
            StoreError: its masks hold a correction that has been dropped since, or are damaged.
        """
        rows = self.masks.boxes.rows(index)
        exported = self._frames.read(index)
        said = {row: self.fitted.applied.get(rows.start + row) for row in range(rows.stop - rows.start)}
        for row, correction in said.items():
            if correction is None and self.masks.manual[rows.start + row]:
                raise StoreError(
                    f"{self.masks.path}: holds corrections that were dropped since; run `spotlabel relabel` "
                    "first"
                )
        return self._corrected(exported, {row: one for row, one in said.items() if one is not None})

    def _corrected(self, exported: ExportFrame, said: dict[int, Correction]) -> Frame:
        first, size = self.masks.boxes.rows(exported.index).start, self.masks.size
        rects = self._rects[self.masks.boxes.rows(exported.index)]
        own = {one.row - first: one.piece.full(size) for one in exported.instances if one.piece is not None}
        unsure = {one.row - first for one in exported.unknown if one.piece is not None}
        by_hand = {}
        for row, correction in said.items():
            own.pop(row, None)
            unsure.discard(row)
            if correction.decision == Decision.UNKNOWN:
                unsure.add(row)
            elif correction.decision == Decision.MASK:
                part, x, y = correction.vouched.within(rects[row].tolist())
                plane = np.zeros(size, np.uint8)
                plane[y : y + part.shape[0], x : x + part.shape[1]] = part
                own[row] = by_hand[row] = plane
        unknown = exported.unknown_plane(size).view(np.bool_)
        return Frame(exported.index, rects, own, unknown, frozenset(unsure), by_hand)

    def row_of(self, index: int, shape: Shape) -> int | None:
        """Row in its frame of the box that a shape is of; None if that cannot be told."""
        table, rows = self.masks.boxes, self.masks.boxes.rows(index)
        boxes, tracks = table.xyxy[rows], table.track_id[rows]
        if shape.track >= 0:
            found = np.flatnonzero(tracks == shape.track).tolist()
            return _nearest(shape.box, boxes, found) if len(found) > 1 else next(iter(found), None)
        if shape.untracked is not None:
            found = np.flatnonzero(tracks < 0).tolist()
            return found[shape.untracked] if shape.untracked < len(found) else None
        if shape.row is not None and 0 <= shape.row < len(boxes) and shape.pixels is None:
            return shape.row
        return _nearest(shape.outline(), boxes, list(range(len(boxes))), shape.row)

    def is_region(self, shape: Shape) -> bool:
        """Whether a shape is one of the regions of unknown pixels that exports add."""
        called_so = shape.label.rstrip("_") == "unknown" and shape.label not in self.masks.class_names
        return shape.track < 0 and called_so

    def key_box(self, index: int, row: int) -> tuple[int, int, Float32]:
        """Frame number, track and box of a row, as corrections have them."""
        table, at = self.masks.boxes, self.masks.boxes.rows(index).start + row
        return int(self.masks.numbers[index]), int(table.track_id[at]), table.xyxy[at].copy()


def _nearest(box: Box | None, boxes: Float32, rows: list[int], first: int | None = None) -> int | None:
    """The row whose box is nearly the one given; of several the likest, of these the one named first."""
    if box is None or not rows:
        return None
    given = np.asarray(box, np.float64)
    low, high = np.maximum(boxes[rows, :2], given[:2]), np.minimum(boxes[rows, 2:], given[2:])
    common = np.maximum(high - low, 0).prod(axis=1)
    areas = (boxes[rows, 2:].astype(np.float64) - boxes[rows, :2]).prod(axis=1)
    iou = common / (areas + (given[2:] - given[:2]).prod() - common)
    best = max(range(len(rows)), key=lambda place: (iou[place], rows[place] == first, -place))
    return rows[best] if iou[best] >= SAME_BOX else None
