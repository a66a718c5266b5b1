"""Evidence stage: run a labeler over one video and store what it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from spotlabel.labelers.base import ClipFrame, Evidence, Labeler, box_figures, instance, is_taught
from spotlabel.labelers.errors import LabelerError
from spotlabel.pipeline.errors import FrameError, MissingFrameError, SpotlabelError
from spotlabel.pipeline.frames import prefetch
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.inputs import check_inputs
from spotlabel.pipeline.progress import FrameProgress, StageProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Annotations, Image, Sequence
from spotlabel.pipeline.stages.students import bring_student
from spotlabel.pipeline.store import EvidenceWriter, FrameState, StoreInfo
from spotlabel.pipeline.upkeep.labeler_files import read_files, recorded_settings
from spotlabel.pipeline.upkeep.plan import Item

PREFETCHED_FRAMES = 8
"""Frames decoded ahead of the labeler: enough to hide decoding, 12 MB at 960x540."""


class EvidenceError(SpotlabelError):
    """Evidence that could not be made: the labeler raised, or did not give one evidence per frame."""


class SequenceClip:
    """The readable frames of a sequence, as a labeler sees them.

    Attributes:
        readable: positions of the frames handed out in the latest pass over all frames.
        unreadable: positions of bad frames with the reason, in the latest pass over all frames.
    """

    def __init__(self, sequence: Sequence, options: FrameOptions, annotations: Annotations | None) -> None:
        self._sequence = sequence
        self._options = options
        self._annotations = annotations
        self.readable: list[int] = []
        self.unreadable: dict[int, FrameError] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._sequence.frames.size

    @property
    def step(self) -> int:
        """Difference between the numbers of neighbouring frames."""
        return self._sequence.frames.step

    def __len__(self) -> int:
        """Number of frames, those that cannot be read included."""
        return len(self._sequence.frames)

    def __iter__(self) -> Iterator[ClipFrame]:
        self.readable, self.unreadable = [], {}
        numbers = self._sequence.frames.numbers
        for index, item in self._items(1):
            if isinstance(item, FrameError):
                self.unreadable[index] = item
                continue
            self.readable.append(index)
            yield self._frame(int(numbers[index]), index, item)

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        """Every n-th frame from the first, as far as these can be read."""
        numbers = self._sequence.frames.numbers
        for index, item in self._items(every):
            if not isinstance(item, FrameError):
                yield self._frame(int(numbers[index]), index, item)

    def _items(self, every: int) -> Iterator[tuple[int, Image | FrameError]]:
        """Every n-th position with what is read there; raises for what cannot be if that is the policy."""
        for rank, item in enumerate(prefetch(self._sequence.frames.stream(every), PREFETCHED_FRAMES)):
            index = rank * every
            if isinstance(item, FrameError) and self._options.on_bad == "fail":
                raise FrameError(
                    f"frame {self._sequence.frames.numbers[index]}: {item} "
                    "(mend it, or set frames.on_bad=unknown to go on with its mask unknown)"
                ) from item
            yield index, item

    def _frame(self, number: int, index: int, image: Image) -> ClipFrame:
        if self._annotations is None:
            return ClipFrame(number, image, np.zeros((0, 4), np.float32))
        boxes, regions = self._annotations.boxes.at(index), self._annotations.regions.at(index)
        return ClipFrame(number, image, boxes, regions)


def make_evidence(
    recipe: Recipe,
    item: Item,
    annotations: Annotations,
    progress: FrameProgress,
    of_stages: StageProgress = lambda stage, done, total: None,
) -> list[str]:
    """Run the labeler of an item and write its evidence store; if it has to be taught, that comes first.

    Args:
        recipe: how frames are read.
        item: sequence, labeler and place of the store.
        annotations: the sequence's; boxes and ignore regions are given to the labeler only if it declares
            that it uses boxes.
        progress: called after every frame.
        of_stages: called with the steps of what comes before.

    Returns:
        One line per unreadable frame.

    Raises:
        FrameError: a frame cannot be read and the policy is to fail.
        EvidenceError: the labeler failed.
        ChangedInputError: an input file changed meanwhile.
        StoreError: the store could not be written.
    """
    frames = item.sequence.frames
    info = StoreInfo(
        sequence=item.sequence.name,
        size=frames.size,
        numbers=frames.numbers,
        fingerprint=item.evidence_fingerprint(recipe),
        attributes={
            "labeler": item.labeler.name,
            "labeler_version": item.labeler.version,
            "settings": recorded_settings(item.labeler, item.settings),
        },
    )
    clip = SequenceClip(item.sequence, recipe.frames, annotations if item.labeler.uses_boxes else None)
    kind, neutral, figures = item.labeler.kind, item.labeler.neutral, box_figures(item.labeler)
    with EvidenceWriter.writing(item.evidence_path, info, kind, neutral, figures) as writer:
        for done, evidence in enumerate(_labelled(recipe, item, annotations, clip, of_stages)):
            if done >= len(clip.readable):
                raise EvidenceError(f"{item.labeler.name}: more evidence than frames")
            state = FrameState.WARM_UP if evidence.warm_up else FrameState.OK
            writer.put(clip.readable[done], evidence.values, state, evidence.figures)
            progress(clip.readable[done] + 1, len(frames))
        made, expected = np.count_nonzero(writer.state), len(frames) - len(clip.unreadable)
        if made != expected:
            raise EvidenceError(f"{item.labeler.name}: evidence for {made} of {expected} frames")
        for index, error in clip.unreadable.items():
            missing = isinstance(error, MissingFrameError)
            writer.mark(index, FrameState.MISSING if missing else FrameState.UNREADABLE)
        check_inputs()
    return [f"frame {frames.numbers[index]}: {error}" for index, error in clip.unreadable.items()]


def teach(recipe: Recipe, item: Item, annotations: Annotations, of_stages: StageProgress) -> bool:
    """Bring the student of an item up to date whose labeler has one; whether it was taught now.

    Raises:
        FrameError, EvidenceError, ChangedInputError: as :func:`make_evidence`.
        StudentError: torch is not installed.
    """
    with _named_errors(item.labeler):
        clip = SequenceClip(item.sequence, recipe.frames, annotations)
        labeler = _made(item)
        student, made = bring_student(
            recipe, item, annotations, labeler=labeler, clip=clip, progress=of_stages
        )
        labeler.learn(student)  # which tells if it was of no use
        return made


def _made(item: Item) -> Any:
    return instance(item.labeler, item.settings, read_files(item.labeler, item.settings))


def _labelled(
    recipe: Recipe, item: Item, annotations: Annotations, clip: SequenceClip, of_stages: StageProgress
) -> Iterator[Evidence]:
    """Evidence of the clip's frames."""
    with _named_errors(item.labeler):
        labeler = _made(item)
        if is_taught(item.labeler):
            student, _ = bring_student(
                recipe, item, annotations, labeler=labeler, clip=clip, progress=of_stages
            )
            labeler.learn(student)
        yield from labeler.label(clip)


@contextmanager
def _named_errors(labeler: type[Labeler]) -> Iterator[None]:
    """Whatever a labeler raises names it."""
    try:
        yield
    except SpotlabelError:
        raise
    except LabelerError as error:
        raise EvidenceError(f"{labeler.name}: {error}") from error
    except Exception as error:
        raise EvidenceError(f"{labeler.name}: {type(error).__name__}: {error}") from error
