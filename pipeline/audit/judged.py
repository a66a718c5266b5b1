"""Made masks beside those of people: what the rules make of the boxes that were corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks import MaskSettings
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.labelers.masks.corrected import Decision, Vouched
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.owners import FrameOwners, owner_plane
from spotlabel.labelers.masks.values import FOREGROUND, UNKNOWN, Plane
from spotlabel.pipeline.boxes import size_of
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.manual import Correction, Key, read_manual
from spotlabel.pipeline.progress import FrameProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.corrected import fitted
from spotlabel.pipeline.stages.frame_masks import MaskSource
from spotlabel.pipeline.stages.masks import draw_masks
from spotlabel.pipeline.store import EvidenceReader, FrameState
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Item, evidence_need


@dataclass(frozen=True)
class Judged:
    """A corrected box.

    Attributes:
        video: name of its video.
        key: of its correction.
        class_name: its class.
        size: ``small``, ``medium`` or ``large``.
        decision: of the person.
        iou: of the made mask with the person's, 0 to 1, over pixels that the made mask does not leave
            unknown; 1 if both are empty. NaN where the rules made no mask (unknown) or the person could not
            tell.
        believability: of the made mask, 0 to 1; NaN where nothing is said.
    """

    video: str
    key: Key
    class_name: str
    size: str
    decision: Decision
    iou: float
    believability: float


def judged_boxes(recipe: Recipe, item: Item, progress: FrameProgress) -> list[Judged]:
    """Every corrected box of a video beside what the rules make of it; masks are made, and nothing is stored.

    Args:
        recipe: the recipe.
        item: one of its sequences, with evidence.
        progress: called after every frame.

    Raises:
        StoreError: the evidence is missing or not what the recipe asks for, or a store is damaged.
        DatasetError: the video cannot be used.
    """
    need = evidence_need(recipe, item, masks_only=True)
    if need.state != State.FRESH:
        raise StoreError(f"{item.sequence.name}: evidence is {need}; run `spotlabel label` first")
    evidence = EvidenceReader(item.evidence_path, sealed=True)
    try:
        annotations = item.sequence.load()
        source = MaskSource(evidence, annotations, recipe.masks)
        applied = fitted(read_manual(item.manual_path), source).applied
        sink = _MadeMasks(source, applied)
        draw_masks(sink, source, progress)
    finally:
        evidence.close()
    names, boxes = annotations.class_names, annotations.boxes
    return [
        Judged(
            video=item.sequence.name,
            key=correction.key,
            class_name=names[int(boxes.class_id[row])],
            size=size_of(boxes.xyxy[row]),
            decision=correction.decision,
            iou=sink.found[row][0],
            believability=sink.found[row][1],
        )
        for row, correction in sorted(applied.items())
    ]


class _MadeMasks:
    """Keeps of the made masks what has a correction to be compared with.

    Attributes:
        found: IoU and believability by row of the box in the table.
    """

    def __init__(self, source: MaskSource, applied: Mapping[int, Correction]) -> None:
        self._source, self._applied = source, applied
        offsets = source.annotations.boxes.offsets
        rows = np.array(sorted(applied), np.int64)
        self._frames = {*(np.searchsorted(offsets, rows, side="right") - 1).tolist()}
        self._held: dict[int, tuple[Plane, npt.NDArray[np.bool_], Column]] = {}
        self.found: dict[int, tuple[float, float]] = {}

    def mark(self, index: int, state: FrameState) -> None:
        """A frame without pixels; no correction of it applies."""

    def put(  # noqa: PLR0917 - as the writer of masks
        self,
        index: int,
        mask: Plane,
        state: FrameState,
        fill: Column,
        believed: npt.NDArray[np.bool_],
        cues: Mapping[str, Column],
    ) -> None:
        """The mask of a frame, which waits for its owners, if there will be any."""
        if index in self._frames:
            settings = self._source.settings
            known = believed | (settings.weak_boxes == "keep")
            if state == FrameState.WARM_UP and settings.warm_up == "unknown":
                known = np.zeros_like(known)
            self._held[index] = mask.copy(), known, cues["believability"]
            if settings.owners.rule == "none":
                self._compare(index, None)

    def put_owners(self, index: int, owners: FrameOwners) -> None:
        """The owners of a frame."""
        if index in self._held:
            self._compare(index, owners)

    def _compare(self, index: int, owners: FrameOwners | None) -> None:
        mask, known, score = self._held.pop(index)
        boxes, settings = self._source.annotations.boxes, self._source.settings
        rects = self._rects(index, (mask.shape[0], mask.shape[1]), settings)
        plane = None if owners is None else owner_plane(mask, rects, owners.claims, owners.runs)
        rows = boxes.rows(index)
        for row in range(rows.start, rows.stop):
            correction = self._applied.get(row)
            if correction is None:
                continue
            place = row - rows.start
            x0, y0, x1, y1 = rects[place].tolist()
            inside = np.s_[y0:y1, x0:x1]
            made = mask[inside] == FOREGROUND if plane is None else plane[inside] == place
            value = _iou(made, correction.vouched, [x0, y0, x1, y1], mask[inside] == UNKNOWN)
            tells = known[place] and correction.decision != Decision.UNKNOWN
            self.found[row] = value if tells else float("nan"), float(score[place])

    def _rects(self, index: int, size: tuple[int, int], settings: MaskSettings) -> npt.NDArray[np.int64]:
        annotations = self._source.annotations
        return pixel_rects(annotations.boxes.at(index), size, settings, annotations.native_origin)


def _iou(
    made: npt.NDArray[np.bool_], vouched: Vouched, rect: list[int], unknown: npt.NDArray[np.bool_]
) -> float:
    """IoU inside a box, where the made mask is not unknown; 1 if both are empty."""
    drawn, x, y = vouched.within(rect)
    person = np.zeros(made.shape, np.bool_)
    top, left = y - rect[1], x - rect[0]
    person[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn > 0
    either = (made | person) & ~unknown
    return float((made & person & ~unknown).sum() / either.sum()) if either.any() else 1.0
