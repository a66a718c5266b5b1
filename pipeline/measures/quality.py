"""How good the masks of a sequence are, against its pixel ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotlabel.pipeline.boxes import RegionTable
from spotlabel.pipeline.datasets.cdnet_truth import (
    CdnetTruth,
    EvaluatedFrame,
    evaluated_frames,
    foreground_and_valid,
)
from spotlabel.pipeline.datasets.davis import OBJECT_ABOVE, DavisTruth
from spotlabel.pipeline.errors import DatasetError, StoreError
from spotlabel.pipeline.measures.boundary_f import boundary_f
from spotlabel.pipeline.measures.pixels import PixelCounts, count
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store import FOREGROUND, UNKNOWN, MaskReader


@dataclass(frozen=True)
class Quality:
    """What the masks of one sequence are worth.

    Attributes:
        sequence: its name.
        frames: number of frames that count.
        counts: pixels by verdict, pooled over the frames (CDnet's rule); unknown ones count as background.
        known: the same, unknown ones left out: how good the pixels are to which the masks commit themselves.
        mean_iou: mean over frames of the frame's IoU (DAVIS's J), frames without any foreground left out; NaN
            if that is all of them.
        known_iou: the same, unknown pixels left out.
        boundary_f: mean over the same frames of the boundary F (DAVIS's F).
        unknown: share of the valid pixels of the masks that is unknown.
    """

    sequence: str
    frames: int
    counts: PixelCounts
    known: PixelCounts
    mean_iou: float
    known_iou: float
    boundary_f: float
    unknown: float


def true_frames(sequence: Sequence, every: int = 1) -> Iterator[EvaluatedFrame]:
    """Truth of the frames on which a sequence is judged, in order.

    CDnet and SBI: the frames of ``temporalROI.txt``, with CDnet's rules of what counts. DAVIS and rendered
    scenes: every frame; whole, but for the ignore regions.

    Args:
        sequence: with ground truth.
        every: take every so many of them, from the first.

    Raises:
        DatasetError: there is no ground truth, or it cannot be used.
    """
    if sequence.truth is None:
        raise DatasetError(f"{sequence.name}: read by {sequence.reader}, which has no pixel ground truth")
    by_cdnet = isinstance(sequence.truth, CdnetTruth)
    frames = evaluated_frames(sequence) if by_cdnet else _whole_frames(sequence)
    return (frame for index, frame in enumerate(frames) if index % every == 0)


def true_frame(sequence: Sequence, regions: RegionTable, position: int) -> EvaluatedFrame | None:
    """As :func:`true_frames` gives it, of one frame; None for a frame on which the sequence is not judged.

    Args:
        sequence: the video.
        regions: its ignore regions.
        position: of the frame, 0-based.

    Raises:
        DatasetError: the ground truth cannot be used.
    """
    truth = sequence.truth
    if not isinstance(truth, CdnetTruth):
        return _whole_frame(sequence, regions, position)
    if position not in truth.evaluated_positions():
        return None
    pixels = truth(position)
    assert pixels is not None  # evaluated positions have a usable file
    return EvaluatedFrame(position, *foreground_and_valid(pixels, truth.roi()))


def _whole_frames(sequence: Sequence) -> Iterator[EvaluatedFrame]:
    regions = sequence.load().regions
    for position in range(len(sequence.frames)):
        if (frame := _whole_frame(sequence, regions, position)) is not None:
            yield frame


def _whole_frame(sequence: Sequence, regions: RegionTable, position: int) -> EvaluatedFrame | None:
    pixels = None if sequence.truth is None else sequence.truth(position)
    if pixels is None:
        return None
    above = OBJECT_ABOVE if isinstance(sequence.truth, DavisTruth) else 0
    valid = np.ones(pixels.shape, np.bool_)
    for x0, y0, x1, y1 in regions.at(position):
        valid[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = False
    return EvaluatedFrame(position, pixels > above, valid)


def measure(sequence: Sequence, mask_file: Path, every: int = 1) -> Quality:
    """Compare a sequence's mask store with its ground truth.

    Args:
        sequence: with ground truth.
        mask_file: its masks.
        every: compare every so many of the frames with truth.

    Raises:
        DatasetError: no usable ground truth.
        StoreError: the masks are missing, damaged, of another length, or of another image size.
    """
    masks = MaskReader(mask_file)
    if len(masks) != len(sequence.frames):
        raise StoreError(
            f"{mask_file}: holds {len(masks)} frames, the sequence {len(sequence.frames)}; "
            "run `spotlabel label` again"
        )
    if masks.size != sequence.frames.size:
        (height, width), (high, wide) = masks.size, sequence.frames.size
        raise StoreError(
            f"{mask_file}: holds masks of {width}x{height}, the sequence's frames are {wide}x{high}; "
            "run `spotlabel label` again"
        )
    counts, known, frames, unknown = PixelCounts(), PixelCounts(), 0, 0
    ious, known_ious, boundaries = [], [], []
    for frame in true_frames(sequence, every):
        mask = masks.read(frame.position)
        here = count(mask, frame.foreground, frame.valid)
        sure = count(mask, frame.foreground, frame.valid, unknown="skip")
        counts, known = counts + here, known + sure
        frames += 1
        unknown += int(np.count_nonzero((mask == UNKNOWN) & frame.valid))
        if here.tp + here.fp + here.fn:
            ious.append(here.iou)
            boundaries.append(boundary_f(mask == FOREGROUND, frame.foreground, frame.valid))
        if sure.tp + sure.fp + sure.fn:
            known_ious.append(sure.iou)
    valid = counts.tp + counts.fp + counts.fn + counts.tn
    return Quality(
        sequence=sequence.name,
        frames=frames,
        counts=counts,
        known=known,
        mean_iou=_mean(ious),
        known_iou=_mean(known_ious),
        boundary_f=_mean(boundaries),
        unknown=unknown / valid if valid else 0.0,
    )


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
