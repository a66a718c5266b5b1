"""What the rules make of single boxes, to be compared with what people drew."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks import MaskSettings
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.labelers.masks.corrected import Decision
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.owners import FrameOwners, owner_plane
from spotlabel.labelers.masks.values import FOREGROUND, UNKNOWN, Plane
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.manual import Correction
from spotlabel.pipeline.progress import FrameProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.stages.frame_masks import MaskSource
from spotlabel.pipeline.stages.masks import draw_masks
from spotlabel.pipeline.store import EvidenceReader, FrameState, MaskReader
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Item, evidence_need

Pixels = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class MadeBox:
    """What the rules made of a box.

    Attributes:
        rect: its pixels, ``x0, y0, x1, y1``.
        mask: bool (h, w) of these, its foreground.
        unknown: bool (h, w), pixels that are unknown.
        known: the rules say something of it.
        believability: 0 to 1; NaN where nothing is said.
    """

    rect: tuple[int, int, int, int]
    mask: Pixels
    unknown: Pixels
    known: bool
    believability: float

    def iou(self, said: Correction) -> float:
        """IoU with a person's mask inside the box, where the made mask is not unknown.

        Returns:
            0 to 1, 1 if both are empty; NaN where the rules made no mask or the person could not tell.
        """
        if not self.known or said.decision == Decision.UNKNOWN:
            return float("nan")
        drawn, x, y = said.vouched.within(list(self.rect))
        person = np.zeros(self.mask.shape, np.bool_)
        top, left = y - self.rect[1], x - self.rect[0]
        person[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn > 0
        either = (self.mask | person) & ~self.unknown
        return float((self.mask & person & ~self.unknown).sum() / either.sum()) if either.any() else 1.0


@contextmanager
def rules_of(recipe: Recipe, item: Item) -> Iterator[MaskSource]:
    """A video's evidence under the recipe's mask rules.

    Args:
        recipe: the recipe.
        item: one of its sequences, with evidence.

    Raises:
        StoreError: the evidence is missing or not what the recipe asks for, or a store is damaged.
        DatasetError: the video cannot be used.
    """
    need = evidence_need(recipe, item, masks_only=True)
    if need.state != State.FRESH:
        raise StoreError(f"{item.sequence.name}: evidence is {need}; run `spotlabel label` first")
    evidence = EvidenceReader(item.evidence_path, sealed=True)
    try:
        yield MaskSource(evidence, item.sequence.load(), recipe.masks)
    finally:
        evidence.close()


def made_boxes(source: MaskSource, rows: Collection[int], progress: FrameProgress) -> dict[int, MadeBox]:
    """Make a video's masks, store nothing, and keep those of some boxes.

    Args:
        source: of :func:`rules_of`.
        rows: of the boxes in the video's table; those of frames without pixels are left out.
        progress: called after every frame.
    """
    sink = _Sink(source, rows)
    draw_masks(sink, source, progress)
    return sink.found


def stored_box(masks: MaskReader, rules: MaskSettings, index: int, place: int) -> MadeBox | None:
    """The same from the masks that stand on the disk, which is quick.

    Args:
        masks: made by these rules.
        rules: of the recipe.
        index: position of the frame.
        place: of the box among those of the frame.

    Returns:
        None if a correction is in the frame's mask: then it is not what the rules alone make.
    """
    rows = masks.boxes.rows(index)
    if masks.manual[rows].any():
        return None
    state, row = FrameState(int(masks.state[index])), rows.start + place
    rects = pixel_rects(masks.boxes.at(index), masks.size, rules, masks.number("native_origin"))
    score = masks.quality.get("believability")
    owners = masks.owners(index) if rules.owners.rule != "none" else None
    believability = float("nan") if score is None else float(score[row])
    return _box(
        masks.read(index), owners, rects[place], place,
        known=_known(rules, state, bool(masks.believed[row])), believability=believability,
    )  # fmt: skip


class _Sink:
    """Keeps some boxes of made masks."""

    def __init__(self, source: MaskSource, rows: Collection[int]) -> None:
        self._source, self._rows = source, frozenset(rows)
        offsets = source.annotations.boxes.offsets
        wanted = np.array(sorted(rows), np.int64)
        self._frames = {*(np.searchsorted(offsets, wanted, side="right") - 1).tolist()}
        self._held: dict[int, tuple[Plane, FrameState, Pixels, Column]] = {}
        self.found: dict[int, MadeBox] = {}

    def mark(self, index: int, state: FrameState) -> None:
        """A frame without pixels."""

    def put(  # noqa: PLR0917 - as the writer of masks
        self,
        index: int,
        mask: Plane,
        state: FrameState,
        fill: Column,
        believed: Pixels,
        cues: Mapping[str, Column],
    ) -> None:
        """The mask of a frame, which waits for its owners, if there will be any."""
        if index in self._frames:
            self._held[index] = mask.copy(), state, believed, cues["believability"]
            if self._source.settings.owners.rule == "none":
                self._keep(index, None)

    def put_owners(self, index: int, owners: FrameOwners) -> None:
        """The owners of a frame."""
        if index in self._held:
            self._keep(index, owners)

    def _keep(self, index: int, owners: FrameOwners | None) -> None:
        mask, state, believed, score = self._held.pop(index)
        annotations, settings = self._source.annotations, self._source.settings
        size = (mask.shape[0], mask.shape[1])
        rects = pixel_rects(annotations.boxes.at(index), size, settings, annotations.native_origin)
        plane = None if owners is None else owner_plane(mask, rects, owners.claims, owners.runs)
        first = annotations.boxes.rows(index).start
        for place in range(len(rects)):
            if first + place in self._rows:
                self.found[first + place] = _box(
                    mask, plane, rects[place], place,
                    known=_known(settings, state, bool(believed[place])), believability=float(score[place]),
                )  # fmt: skip


def _known(rules: MaskSettings, state: FrameState, believed: bool) -> bool:
    if state == FrameState.WARM_UP and rules.warm_up == "unknown":
        return False
    return believed or rules.weak_boxes == "keep"


def _box(
    mask: Plane,
    owners: npt.NDArray[np.uint16] | None,
    rect: npt.NDArray[np.int64],
    place: int,
    *,
    known: bool,
    believability: float,
) -> MadeBox:
    x0, y0, x1, y1 = rect.tolist()
    inside = np.s_[y0:y1, x0:x1]
    made = mask[inside] == FOREGROUND if owners is None else owners[inside] == place
    return MadeBox((x0, y0, x1, y1), made, mask[inside] == UNKNOWN, known, believability)
