"""The boxes of one mask store in columns: which were judged, which are doubtful, and what they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import Rects
from spotlabel.pipeline.boxes import LARGE_AREA, SMALL_AREA, BoxFlag, BoxTable
from spotlabel.pipeline.pages.report.tally import Bool, Column, Tally, tally
from spotlabel.pipeline.store import FrameState, MaskReader
from spotlabel.pipeline.why.boxes import frame_reason, left_unknown, pixels_of, selected

DOUBTFUL_BELOW = 0.5
"""A believed box of less believability is doubtful. One number, whatever a recipe's thresholds are, so that
reports of different settings can be compared."""
SIZES = ("small (under 32x32 px)", "medium", "large (from 96x96 px)")

_HIDDEN = {
    "occluded": BoxFlag.OCCLUDED,
    "truncated by the image border": BoxFlag.CLIPPED | BoxFlag.TRUNCATED,
}


@dataclass(frozen=True)
class BoxColumns:
    """N boxes of T frames.

    Attributes:
        table: the boxes.
        frame: int64 (N,), position of each box's frame.
        class_names: one per box.
        rects: int64 (N, 4), pixels of the boxes as the mask rules took them.
        judged: bool (N,): of a class that holds foreground, in a frame whose mask is known.
        believed: bool (N,).
        doubtful: bool (N,): not believed, or with a believability under :data:`DOUBTFUL_BELOW`.
        fill: float32 (N,), 0 to 1.
        believability: float32 (N,), 0 to 1; NaN where there is none.
        not_believed: bool (N,), boxes that made their pixels unknown because they are not believed.
        other_class: bool (N,), likewise because of their class.
        missed: judged boxes that are not believed, by the setting whose least value they miss; a box may miss
            several. Those of which a person said so miss none.
        whole: by frame position, why the whole frame is unknown; frames of which some is known are left out.
    """

    table: BoxTable
    frame: npt.NDArray[np.int64]
    class_names: npt.NDArray[np.str_]
    rects: Rects
    judged: Bool
    believed: Bool
    doubtful: Bool
    fill: Column
    believability: Column
    not_believed: Bool
    other_class: Bool
    missed: Mapping[str, int]
    whole: Mapping[int, str]

    def of(self, rows: Bool) -> Tally:
        """Figures of some of the boxes, bool (N,)."""
        return tally(
            self.judged[rows],
            self.believed[rows],
            self.doubtful[rows],
            self.fill[rows],
            self.believability[rows],
        )

    def groups(self) -> dict[str, dict[str, Tally]]:
        """Figures by class, by size and by visibility, where a box may count as occluded and truncated."""
        classes = dict.fromkeys(self.class_names.tolist())
        sides = np.maximum(self.table.xyxy[:, 2:] - self.table.xyxy[:, :2], 0)
        step = np.digitize(sides[:, 0] * sides[:, 1], [SMALL_AREA, LARGE_AREA])
        hidden = {name: (self.table.flags & int(bits)) != 0 for name, bits in _HIDDEN.items()}
        hidden["neither"] = ~np.logical_or.reduce(list(hidden.values()))
        return {
            "class": {name: self.of(self.class_names == name) for name in sorted(classes)},
            "size": {name: self.of(step == k) for k, name in enumerate(SIZES)},
            "visibility": {name: self.of(rows) for name, rows in hidden.items()},
        }


def box_columns(masks: MaskReader) -> BoxColumns:
    """The boxes of a store.

    Raises:
        StoreError: it is damaged.
    """
    table, quality = masks.boxes, masks.quality
    settings: dict[str, Any] = dict(masks.structure("settings"))
    believed, fill = quality["believed"], quality["fill"]
    believability = quality.get("believability", np.full(len(fill), np.nan, np.float32))
    names = np.array([masks.class_names[k] for k in table.class_id.tolist()], np.str_)
    chosen_class = np.array([selected(name, settings) for name in names.tolist()], np.bool_)
    frame = np.repeat(np.arange(len(table)), np.diff(table.offsets))
    whole = {
        index: FrameState(state).name.lower().replace("_", "-") + " frames"
        for index, state in enumerate(masks.state.tolist())
        if frame_reason(FrameState(state), settings)
    }
    known = np.ones(len(table), np.bool_)
    known[list(whole)] = False
    judged = chosen_class & known[frame]
    by_hand = masks.manual
    emptied = left_unknown(names.tolist(), believed, by_hand, settings)
    with np.errstate(invalid="ignore"):
        doubtful = judged & (~believed | (believability < DOUBTFUL_BELOW))
    return BoxColumns(
        table=table,
        frame=frame,
        class_names=names,
        rects=pixels_of(masks, table.xyxy, settings),
        judged=judged,
        believed=believed,
        doubtful=doubtful,
        fill=fill,
        believability=believability,
        not_believed=emptied & chosen_class,
        other_class=emptied & ~chosen_class,
        missed=_missed(quality, judged & ~believed & (by_hand == 0), settings),
        whole=whole,
    )


def _missed(
    quality: Mapping[str, npt.NDArray[Any]], weak: Bool, settings: Mapping[str, Any]
) -> dict[str, int]:
    """How many of the boxes miss the least value of each setting; those that miss none stand apart."""
    found, unexplained = {}, weak.copy()
    for name, column in quality.items():
        limit = settings.get(f"min_{name}")
        if limit:
            below = weak & np.isfinite(column) & (column < limit)
            unexplained &= ~below
            found[f"min_{name}"] = int(below.sum())
    if unexplained.any():
        found["another rule"] = int(unexplained.sum())
    return {name: count for name, count in found.items() if count}
