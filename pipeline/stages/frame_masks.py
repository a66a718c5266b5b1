"""Masks of the frames of a video, from evidence and boxes: all of them to be stored, or one to be looked at.

The mask of a frame depends on its own evidence and on the drafts of the frames before and after. Whose its
pixels are depends, by rule ``tracks``, on every frame up to ``owners.window`` behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks import FrameMask, MaskSettings, draft_mask, finish_mask
from spotlabel.labelers.masks.cues import Column
from spotlabel.labelers.masks.owners import Claimed, FrameOwners, with_owners
from spotlabel.labelers.masks.owners.claims import claiming_boxes
from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.errors import RecipeError, StoreError
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.stages.neighbours import Candidate, with_neighbours
from spotlabel.pipeline.store import EvidenceReader, FrameState
from spotlabel.pipeline.store.schema import STATES_WITH_PIXELS
from spotlabel.pipeline.validation import nearest


@dataclass(frozen=True)
class Made:
    """The mask of a frame with pixels.

    Attributes:
        mask: it, and what it says about the frame's boxes.
        selected: bool (N,), the boxes that make foreground.
        claimed: what there is to decide whose its foreground is.
    """

    mask: FrameMask
    selected: npt.NDArray[np.bool_]
    claimed: Claimed


class MaskSource:
    """Evidence and boxes of a video with the rules that make masks of them.

    Args:
        evidence: of the video.
        annotations: boxes, ignore regions and class names of the video.
        settings: the rules.

    Attributes:
        selected: bool (N,), boxes of classes that may hold foreground.

    Raises:
        StoreError: evidence and annotations are not of the same number of frames.
        RecipeError: ``settings.classes`` names a class the sequence's dataset does not have.
    """

    def __init__(self, evidence: EvidenceReader, annotations: Annotations, settings: MaskSettings) -> None:
        if len(evidence) != len(annotations.boxes):
            raise StoreError(
                f"{evidence.path}: holds {len(evidence)} frames, the annotations {len(annotations.boxes)}; "
                "run `spotlabel label` again"
            )
        self.evidence, self.annotations, self.settings = evidence, annotations, settings
        self.selected = selected_boxes(annotations, settings)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.evidence)

    def state(self, index: int) -> FrameState:
        """State of a frame's mask: that of its evidence, if it has any and somebody looked for objects."""
        state, annotated = FrameState(int(self.evidence.state[index])), self.annotations.annotated
        if state in STATES_WITH_PIXELS and annotated is not None and not annotated[index]:
            return FrameState.UNANNOTATED
        return state

    def masks(self) -> Iterator[Made | None]:
        """Of every frame in order; None for a frame without pixels."""
        for index, draft in enumerate(self._drafts(range(len(self)))):
            yield self._finished(index, draft)

    def one(self, index: int) -> Made | None:
        """As :meth:`masks` gives it, of one frame, without going through the video."""
        first = max(0, index - 1)
        drafts = self._drafts(range(first, min(len(self), index + 2)))
        return self._finished(index, next(islice(drafts, index - first, None)))

    def one_with_owners(self, index: int, progress: Callable[[int, int], None]) -> FrameOwners | None:
        """Whose the pixels of one frame are, as for :meth:`masks` in :func:`with_owners`.

        Args:
            index: of the frame.
            progress: called with frames done and frames needed: by rule ``tracks`` all up to
                ``owners.window`` behind this one, else this one alone.

        Returns:
            None for a frame without pixels, and by rule ``none``.
        """
        owners = self.settings.owners
        if owners.rule == "none":
            return None
        if owners.rule != "tracks":
            made = self.one(index)
            return next(with_owners([_claimed_of(made)], owners))
        needed = min(len(self), index + owners.window + 1)

        def fed() -> Iterator[Claimed | None]:
            for done, made in enumerate(islice(self.masks(), needed)):
                progress(done + 1, needed)
                yield _claimed_of(made)

        return next(islice(with_owners(fed(), owners), index, None))

    def _drafts(self, frames: range) -> Iterator[tuple[Candidate, Column] | None]:
        return with_neighbours(self._candidates(frames))

    def _candidates(self, frames: range) -> Iterator[Candidate | None]:
        """Foreground of frames in order, made as it is asked for; None for frames without pixels."""
        boxes, evidence = self.annotations.boxes, self.evidence
        for index in frames:
            if self.state(index) not in STATES_WITH_PIXELS:
                yield None
                continue
            rows = boxes.rows(index)
            draft = draft_mask(
                evidence.read(index),
                evidence.kind,
                boxes.at(index),
                self.selected[rows],
                self.settings,
                neutral=evidence.neutral,
                native_origin=self.annotations.native_origin,
            )
            settled = int(evidence.state[index]) != FrameState.WARM_UP
            yield Candidate(draft, boxes.track_id[rows], settled)

    def _finished(self, index: int, draft: tuple[Candidate, Column] | None) -> Made | None:
        if draft is None:
            return None
        candidate, temporal = draft
        regions, warm_up = self.annotations.regions.at(index), self.state(index) == FrameState.WARM_UP
        figures = self.evidence.figures(index, len(temporal))
        made = finish_mask(candidate.draft, temporal, regions, self.settings, figures, warm_up=warm_up)
        return Made(made, candidate.draft.selected, self._claimed(candidate, made, index))

    def _claimed(self, candidate: Candidate, made: FrameMask, index: int) -> Claimed:
        draft, boxes = candidate.draft, self.annotations.boxes
        return Claimed(
            mask=made.mask,
            rects=draft.rects,
            claims=claiming_boxes(draft.selected, made.believed, draft.rects, self.settings),
            shapes=draft.shapes,
            tracks=candidate.tracks,
            occluded=(boxes.flags[boxes.rows(index)] & BoxFlag.OCCLUDED) > 0,
            overlap=draft.cues.overlap,
            settled=candidate.settled,
        )


def _claimed_of(made: Made | None) -> Claimed | None:
    return None if made is None else made.claimed


def selected_boxes(annotations: Annotations, settings: MaskSettings) -> npt.NDArray[np.bool_]:
    """Which boxes make foreground: bool (N,); all of them unless the recipe names classes.

    Raises:
        RecipeError: a named class does not occur in the dataset's class names.
    """
    if settings.classes is None:
        return np.ones(len(annotations.boxes.xyxy), np.bool_)
    for name in settings.classes:
        if name not in annotations.class_names:
            raise RecipeError(f"masks.classes: no class {name!r}; {nearest(name, annotations.class_names)}")
    wanted = [annotations.class_names.index(name) for name in settings.classes]
    return np.isin(annotations.boxes.class_id, wanted)
