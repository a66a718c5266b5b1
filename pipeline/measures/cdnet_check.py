"""Compare a labeler with published figures, by CDnet's rule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotlabel.labelers.base import EvidenceKind
from spotlabel.pipeline.datasets.cdnet_truth import evaluated_frames
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.measures.pixels import PixelCounts, count
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store import EvidenceReader

TOLERANCE = 0.005
"""Largest accepted difference in F; two seeds of PAWCS differ by about .001."""

REFERENCE_F = {
    ("pawcs", "baseline/highway"): 0.944,
    ("pawcs", "baseline/office"): 0.955,
    ("pawcs", "cameraJitter/traffic"): 0.832,
}
"""F-measure of single sequences with the reference implementation of PAWCS (BGSLibrary)."""


@dataclass(frozen=True)
class SequenceScore:
    """One sequence's result.

    Attributes:
        sequence: its name, ``category/sequence``.
        frames: number of frames that count.
        counts: pixels by verdict.
        reference: the published F-measure; None where none is known.
    """

    sequence: str
    frames: int
    counts: PixelCounts
    reference: float | None

    @property
    def agrees(self) -> bool:
        """True if there is no reference, or F is within the tolerance of it."""
        return self.reference is None or abs(self.counts.f_measure - self.reference) <= TOLERANCE


def score_sequence(sequence: Sequence, evidence_file: Path, labeler: str) -> SequenceScore:
    """F-measure of evidence on one CDnet sequence; nothing is intersected with boxes.

    Args:
        sequence: from the reader ``cdnet`` or ``sbi``.
        evidence_file: evidence of that sequence, binary or with a neutral value.
        labeler: who made it; chooses the reference figure.

    Raises:
        DatasetError: no usable ground truth.
        RecipeError: motion evidence, which has no neutral value to cut at.
        StoreError: damaged evidence, or a frame without evidence.
    """
    evidence = EvidenceReader(evidence_file)
    if evidence.kind == EvidenceKind.MOTION:
        raise RecipeError(
            f"{labeler}: makes motion evidence; CDnet's rule needs a labeler that says foreground"
        )
    counts, frames = PixelCounts(), 0
    for frame in evaluated_frames(sequence):
        predicted = evidence.read(frame.position) > evidence.neutral
        counts += count(predicted.astype(np.uint8), frame.foreground, frame.valid)
        frames += 1
    reference = REFERENCE_F.get((labeler.split("-", maxsplit=1)[0], sequence.name))
    return SequenceScore(sequence.name, frames, counts, reference)
