"""Corrections in the mask stage: what the rules made of a frame is held until its owners are known, then what
a person said is put before it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.believed import unknown_boxes
from spotlabel.labelers.masks.boxes import pixel_rects, touched_rects
from spotlabel.labelers.masks.corrected import Decision, FrameRules, correct, fill_of
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.owners import FrameOwners
from spotlabel.labelers.masks.owners.claims import claiming_boxes
from spotlabel.labelers.masks.values import Plane, Rects
from spotlabel.pipeline.manual import Correction, Corrections, Fitted, fit
from spotlabel.pipeline.stages.frame_masks import MaskSource
from spotlabel.pipeline.store import FrameState
from spotlabel.pipeline.store.schema import MANUAL_COLUMN, STATES_WITH_PIXELS

_LOG = logging.getLogger("spotlabel")
_OF_BOXES = ("overlap", "size")
"""Cues that do not speak of a mask, so a person's has them, too."""


class MaskSink(Protocol):
    """Whoever takes the masks of a video, as :class:`spotlabel.pipeline.store.MaskWriter` does."""

    def put(  # noqa: PLR0917 - as the writer
        self,
        index: int,
        mask: Plane,
        state: FrameState,
        fill: Column,
        believed: npt.NDArray[np.bool_],
        cues: Mapping[str, Column],
    ) -> None:
        """Take the mask of a frame."""

    def put_owners(self, index: int, owners: FrameOwners) -> None:
        """Take the owners of a frame."""

    def mark(self, index: int, state: FrameState) -> None:
        """Take a frame without pixels."""


@dataclass(frozen=True)
class _Made:
    """A frame as the rules made it; fields as for :meth:`MaskSink.put`."""

    mask: Plane
    state: FrameState
    fill: Column
    believed: npt.NDArray[np.bool_]
    cues: Mapping[str, Column]


class CorrectedMasks:
    """Hands masks and owners on, in corrected frames with the corrections.

    Args:
        sink: takes them.
        applied: corrections by row of the box in the table.
        source: boxes, ignore regions and rules.
    """

    def __init__(self, sink: MaskSink, applied: Mapping[int, Correction], source: MaskSource) -> None:
        self._sink, self._settings, self._selected = sink, source.settings, source.selected
        self._annotations = annotations = source.annotations
        self._said: dict[int, dict[int, Correction]] = {}
        for row, correction in applied.items():
            index = int(np.searchsorted(annotations.boxes.offsets, row, side="right")) - 1
            first = int(annotations.boxes.offsets[index])
            self._said.setdefault(index, {})[row - first] = correction
        self._held: dict[int, _Made] = {}

    def mark(self, index: int, state: FrameState) -> None:
        """A frame without pixels; no correction of it applies."""
        self._sink.mark(index, state)

    def put(  # noqa: PLR0917 - as the writer
        self,
        index: int,
        mask: Plane,
        state: FrameState,
        fill: Column,
        believed: npt.NDArray[np.bool_],
        cues: Mapping[str, Column],
    ) -> None:
        """The mask of a frame; a corrected one waits for its owners, if there will be any."""
        if index not in self._said:
            self._sink.put(index, mask, state, fill, believed, cues)
            return
        self._held[index] = _Made(mask, state, fill, believed, cues)
        if self._settings.owners.rule == "none":
            self._put_corrected(index, None)

    def put_owners(self, index: int, owners: FrameOwners) -> None:
        """The owners of a frame."""
        if index in self._held:
            corrected = self._put_corrected(index, owners)
            assert corrected is not None
            owners = corrected
        self._sink.put_owners(index, owners)

    def _put_corrected(self, index: int, owners: FrameOwners | None) -> FrameOwners | None:
        made, said = self._held.pop(index), self._said[index]
        rects = pixel_rects(
            self._annotations.boxes.at(index),
            (made.mask.shape[0], made.mask.shape[1]),
            self._settings,
            self._annotations.native_origin,
        )
        rules = self._rules(index, made, rects, owners)
        mask, claims, runs = correct(rules, {row: one.vouched for row, one in said.items()})
        corrected = _with_facts(made, said, rects)
        self._sink.put(index, mask, made.state, corrected.fill, corrected.believed, corrected.cues)
        if owners is None or runs is None:
            return None
        return replace(owners, claims=claims, runs=runs, **_without(owners, said))

    def _rules(self, index: int, made: _Made, rects: Rects, owners: FrameOwners | None) -> FrameRules:
        """What the rules of masks made of a frame, and what of it they left unknown."""
        settings, rows = self._settings, self._annotations.boxes.rows(index)
        selected, shape = self._selected[rows], (made.mask.shape[0], made.mask.shape[1])
        regions = touched_rects(self._annotations.regions.at(index), shape)
        left_unknown = unknown_boxes(selected, made.believed, settings)
        if made.state == FrameState.WARM_UP and settings.warm_up == "unknown":
            left_unknown = np.ones(len(rects), np.bool_)
        claims = owners.claims if owners else claiming_boxes(selected, made.believed, rects, settings)
        return FrameRules(
            mask=made.mask,
            rects=rects,
            claims=claims,
            runs=owners.runs if owners else None,
            left_unknown=left_unknown,
            regions=regions if settings.ignore_regions == "unknown" else regions[:0],
        )


def fitted(corrections: Corrections, source: MaskSource) -> Fitted:
    """Which corrections of a video apply."""
    usable = [source.state(index) in STATES_WITH_PIXELS for index in range(len(source))]
    return fit(
        corrections,
        source.evidence.numbers,
        source.annotations.boxes,
        np.array(usable, np.bool_),
        source.selected,
    )


def tell_left(found: Fitted) -> None:
    """Warn of corrections that do not apply."""
    if found.left:
        _LOG.warning("%s", left_words(found))


def left_words(found: Fitted) -> str:
    """How many corrections do not apply, and why, in a line; empty if all do."""
    if not found.left:
        return ""
    return (
        f"of the corrections by hand {len(found.left)} do not apply ({found.lacking}); "
        "`spotlabel manual list` names them"
    )


def _with_facts(made: _Made, said: Mapping[int, Correction], rects: Rects) -> _Made:
    """The tables of a corrected frame: a person's word is believed, and no cue speaks of it."""
    fill, believed = made.fill.copy(), made.believed.copy()
    cues = {name: column.copy() for name, column in made.cues.items()}
    cues[MANUAL_COLUMN] = np.zeros(len(rects), np.float32)
    for row, correction in said.items():
        known = correction.decision != Decision.UNKNOWN
        fill[row] = fill_of(correction.vouched, rects[row].tolist())
        believed[row] = known
        for name in cues.keys() - {*_OF_BOXES}:
            cues[name][row] = np.nan
        cues["believability"][row] = float(known)
        cues[MANUAL_COLUMN][row] = correction.decision
    return replace(made, fill=fill, believed=believed, cues=cues)


def _without(owners: FrameOwners, said: Mapping[int, Correction]) -> dict[str, Column]:
    """The owners' columns, silent of corrected boxes."""
    columns = {name: getattr(owners, name).copy() for name in ("contested", "won", "by_depth")}
    for column in columns.values():
        column[list(said)] = np.nan
    return columns
