"""Unknown pixels of a video, frame by frame, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.boxes import inside_rects
from spotlabel.pipeline.pages.report.columns import BoxColumns
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.store.schema import UNKNOWN_PLANE, unpack_rows

NOT_BELIEVED = "boxes not believed"
OTHER_CLASS = "boxes of other classes"
REGIONS = "ignore regions"
COLOURS = {
    NOT_BELIEVED: 0,
    REGIONS: 1,
    OTHER_CLASS: 2,
    **{f"{state} frames": 3 + place for place, state in enumerate(("warm-up", "unreadable", "missing"))},
    "unannotated frames": 5,
}
"""Number of each reason's colour in charts."""


def unknown_pixels(masks: MaskReader, boxes: BoxColumns) -> Iterator[dict[str, int]]:
    """For every frame its unknown pixels by reason; one frame is in memory at a time.

    A pixel counts once: for the frame as a whole, else for a box that is not believed, else for a box of
    another class, else for the ignore regions (and crowds) of the annotation.

    Raises:
        StoreError: the store is damaged.
    """
    height, width = masks.size
    for index in range(len(masks)):
        if index in boxes.whole:
            yield {boxes.whole[index]: height * width}
            continue
        packed = masks.packed(UNKNOWN_PLANE, index)
        yield _of_frame(unpack_rows(packed, width), boxes, index) if packed.any() else {}


def _of_frame(left: npt.NDArray[np.uint8], boxes: BoxColumns, index: int) -> dict[str, int]:
    """Pixels by reason of one frame; ``left`` is uint8 (H, W), 1 where unknown, and is used up."""
    rows, found = boxes.table.rows(index), {}
    for reason, which in ((NOT_BELIEVED, boxes.not_believed), (OTHER_CLASS, boxes.other_class)):
        rects = boxes.rects[rows][which[rows]]
        if len(rects):
            inside = inside_rects((left.shape[0], left.shape[1]), rects)
            found[reason] = int(np.count_nonzero(left & inside))
            left &= inside ^ 1
    found[REGIONS] = int(np.count_nonzero(left))
    return {reason: pixels for reason, pixels in found.items() if pixels}
