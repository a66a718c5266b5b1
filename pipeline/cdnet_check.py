"""Compare a labeler with published figures, by CDnet's rule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.cdnet import CdnetFolder, CdnetOptions
from pipeline.errors import DatasetError
from pipeline.pixel_metrics import PixelCounts, cdnet_truth, count_pixels
from pipeline.store import EvidenceReader

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


def score_sequence(name: str, folder: Path, evidence_file: Path, labeler: str) -> SequenceScore:
    """F-measure of binary evidence on one CDnet sequence; nothing is intersected with boxes.

    Args:
        name: ``category/sequence``.
        folder: the folder that holds ``groundtruth``.
        evidence_file: evidence of that sequence.
        labeler: who made it; chooses the reference figure.

    Raises:
        DatasetError: no ground truth, or no frame that counts.
        StoreError: damaged evidence, or a frame without evidence.
    """
    truth, evidence = CdnetFolder.open(folder, CdnetOptions()), EvidenceReader(evidence_file)
    region, counts = truth.region(), PixelCounts()
    numbers = truth.evaluated()
    if not numbers:
        raise DatasetError.at(folder, "", "no frame that counts (see temporalROI.txt)")
    for number in numbers:
        labels = truth.labels(number)
        assert labels is not None  # `evaluated` names frames with ground truth only
        foreground, valid = cdnet_truth(labels, region)
        found = evidence.read(evidence.index_of(number)) > evidence.neutral
        counts += count_pixels(found, foreground, valid)
    reference = REFERENCE_F.get((labeler.split("-", maxsplit=1)[0], name))
    return SequenceScore(name, len(numbers), counts, reference)
