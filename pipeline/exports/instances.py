"""From a mask store to the objects of its frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks import MaskSettings
from spotlabel.labelers.masks.boxes import inside_rects, pixel_rects, touched_rects
from spotlabel.pipeline.boxes import RegionTable
from spotlabel.pipeline.exports.frame import ExportFrame, Instance, Piece, Plane, piece_of
from spotlabel.pipeline.store import FrameState, MaskReader
from spotlabel.pipeline.store.schema import UNKNOWN_PLANE, unpack_rows

_Rect = tuple[int, int, int, int]


class Frames:
    """Frames of a mask store as they are exported.

    An object is known if its box was believed, or none had to be (``masks.weak_boxes: keep``), and it has a
    pixel of its own. A box that is not believed, or not believable enough here, is an object of which nothing
    is known: its pixels are unknown, but for those of known objects. A box without a pixel of either kind is
    left out.

    Args:
        masks: the store.
        settings: the rules its masks were made by.
        min_believability: what a mask has to reach; one that nothing is said of passes.
        regions: ignore regions of the video; None leaves them to the boxes without a mask that overlap them.
    """

    def __init__(
        self,
        masks: MaskReader,
        settings: MaskSettings,
        min_believability: float = 0.0,
        regions: RegionTable | None = None,
    ) -> None:
        self._masks = masks
        self._regions = regions if settings.ignore_regions == "unknown" else None
        self._boxes = masks.boxes
        self._rects = pixel_rects(
            masks.boxes.xyxy, masks.size, settings, native_origin=masks.number("native_origin")
        )
        nothing_said = np.full(len(masks.boxes.xyxy), np.nan, np.float32)
        self._score = masks.quality.get("believability", nothing_said)
        weak = masks.believed if settings.weak_boxes == "unknown" else np.ones(len(nothing_said), np.bool_)
        self._manual = masks.manual
        self._trusted = weak & ~(self._score < min_believability)

    def read(self, index: int) -> ExportFrame:
        """The frame at a position.

        Raises:
            StoreError: the store is damaged.
        """
        number = int(self._masks.numbers[index])
        if self._masks.state[index] != FrameState.OK:
            return ExportFrame(index, number, known=False)
        rows, own = self._boxes.rows(index), dict(self._owned(index))
        known = {row: piece for row, piece in own.items() if self._trusted[row]}
        packed = self._masks.packed(UNKNOWN_PLANE, index)
        unknown = unpack_rows(packed, self._masks.size[1])
        demoted = [row for row in own if not self._trusted[row]]
        self._make_unknown(unknown, demoted, known)
        others = [row for row in range(rows.start, rows.stop) if row not in known]
        found = tuple(self._unknown(unknown, others)) if unknown.any() else ()
        rest = self._rest(index, unknown, found) if found else unknown
        instances = tuple(self._instance(row, piece, known=True) for row, piece in sorted(known.items()))
        return ExportFrame(index, number, True, instances, found, piece_of(rest))

    def _owned(self, index: int) -> Iterator[tuple[int, Piece]]:
        """Row in the table and foreground of every box that has a pixel of its own."""
        owners, rows = self._masks.owners(index), self._boxes.rows(index)
        for place, row in enumerate(range(rows.start, rows.stop)):
            x0, y0, x1, y1 = self._rect(row)
            piece = piece_of((owners[y0:y1, x0:x1] == place).view(np.uint8), x0, y0)
            if piece is not None:
                yield row, piece

    def _rect(self, row: int) -> _Rect:
        x0, y0, x1, y1 = self._rects[row].tolist()
        return x0, y0, max(x0, x1), max(y0, y1)

    def _make_unknown(self, unknown: Plane, demoted: list[int], known: dict[int, Piece]) -> None:
        """Rule 3 of the masks for boxes that are not believable enough here; in place."""
        if not demoted:
            return
        for row in demoted:
            x0, y0, x1, y1 = self._rect(row)
            unknown[y0:y1, x0:x1] = 1
        for piece in known.values():
            piece.paint(unknown, 0)

    def _rest(self, index: int, unknown: Plane, found: tuple[Instance, ...]) -> Plane:
        """Unknown pixels outside boxes without a mask, and those in ignore regions, whoever else has them."""
        rest = unknown.copy()
        for instance in found:
            x0, y0, x1, y1 = self._rect(instance.row)
            rest[y0:y1, x0:x1] = 0
        if self._regions is not None:
            regions = touched_rects(self._regions.at(index), self._masks.size)
            rest |= unknown & inside_rects(self._masks.size, regions)
        return rest

    def _unknown(self, unknown: Plane, rows: list[int]) -> Iterator[Instance]:
        for row in rows:
            x0, y0, x1, y1 = self._rect(row)
            piece = piece_of(np.ascontiguousarray(unknown[y0:y1, x0:x1]), x0, y0)
            if piece is not None:
                yield self._instance(row, piece, known=False)

    def _instance(self, row: int, piece: Piece, *, known: bool) -> Instance:
        boxes = self._boxes
        x0, y0, x1, y1 = (shortest(value) for value in boxes.xyxy[row])
        return Instance(
            row=row,
            box=(x0, y0, x1, y1),
            class_id=int(boxes.class_id[row]),
            track_id=int(boxes.track_id[row]),
            flags=int(boxes.flags[row]),
            score=shortest(self._score[row]),
            piece=piece,
            known=known,
            manual=bool(self._manual[row]),
        )


def shortest(value: np.float32 | npt.NDArray[np.float32]) -> float:
    """A number of single precision with no more digits than it has."""
    return float(str(np.float32(value)))
