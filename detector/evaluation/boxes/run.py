"""Detections of a folder against the boxes of a dataset's sequences, by COCO's rules.

An image is a frame that was annotated. Ignore regions are crowds of every class (Lin et al., ECCV 2014, and
its evaluation code): a detection that finds no object, and of which a region covers a share of at least the
IoU threshold, is neither right nor wrong. Objects are cut at the image border, and so are detections.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spotlabel.detector.evaluation.average_precision import EvaluationError
from spotlabel.detector.evaluation.boxes.files import Found, Rows, read_found
from spotlabel.detector.evaluation.boxes.places import find_places
from spotlabel.detector.evaluation.coco.metrics import CocoDetections, CocoFigures, CocoTruth, coco_figures
from spotlabel.detector.evaluation.records import Float64, Int64
from spotlabel.detector.prediction.coco_ids import CocoIds
from spotlabel.pipeline import sequence as videos
from spotlabel.pipeline.boxes import clip_boxes

MAX_DETECTIONS = 100
"""Detections of an image and class that COCO's figures look at."""


@dataclass(frozen=True)
class Counts:
    """One sequence.

    Attributes:
        frames: frames that are evaluated.
        unannotated: frames left out because nobody annotated them, or because their image is missing.
        objects: number of objects in the evaluated frames.
        detections: detections in the evaluated frames.
        left_out: detections in frames that are not evaluated.
        strange: detections in frames that the sequence does not have.
        empty: detections of which nothing is inside the image.
        file: where its detections are, None if there are none.
    """

    frames: int
    unannotated: int
    objects: int
    detections: int = 0
    left_out: int = 0
    strange: int = 0
    empty: int = 0
    file: Path | None = None


@dataclass(frozen=True)
class BoxesResult:
    """One run.

    Attributes:
        any_class: all classes were taken for one.
        named: the detections say what class they are of.
        figures: what was measured.
        sequences: by name.
        strangers: detections of sequences that the dataset does not have.
        classless: number of detections by class that no object is of; they are left out.
        undetected: classes of objects that no detector class is called.
        crowded: frames with more detections of a class than COCO's figures look at.
    """

    any_class: bool
    named: bool
    figures: CocoFigures
    sequences: Mapping[str, Counts]
    strangers: tuple[Path, ...]
    classless: Mapping[str, int]
    undetected: tuple[str, ...]
    crowded: int


@dataclass(frozen=True)
class _Part:
    """One sequence: its evaluated frames, and columns of what is in them; ``image`` counts from 0."""

    counts: Counts
    names: tuple[str, ...]
    image: Int64
    kind: Int64
    xyxy: Float64
    region_image: Int64
    regions: Float64
    found: Found | None
    found_image: Int64


def run_boxes(
    sequences: Sequence[videos.Sequence],
    detections: Path,
    *,
    only: Sequence[str] = (),
    any_class: bool = False,
    ids: CocoIds | None = None,
    rows: Rows | None = None,
) -> BoxesResult:
    """Measure detections.

    Args:
        sequences: all of the dataset.
        detections: see :func:`spotlabel.detector.evaluation.boxes.places.find_places`.
        only: names of the sequences to measure; empty takes all.
        any_class: take all classes for one. Rows of text name no class and are always taken so.
        ids: what the ids of COCO results mean, if no file beside them says so.
        rows: whose rows text files hold; None goes by their columns.

    Raises:
        DatasetError: annotations or detections cannot be used, or there are none of these sequences.
        EvaluationError: no object, no class in common, or no pycocotools.
    """
    wanted = [s for s in sequences if not only or s.name in only]
    asked = [s.name for s in wanted]
    places = find_places(detections, asked, {s.name for s in sequences} - {*asked})
    parts = {}
    for sequence in wanted:
        path = places.by_name.get(sequence.name)
        found = None if path is None else read_found(path, sequence, ids, rows, any_class)
        parts[sequence.name] = _part(sequence, found, path)
    named = all(part.found is None or part.found.names is not None for part in parts.values())
    return _measured(parts, any_class or not named, named, places.strangers)


def _part(sequence: videos.Sequence, found: Found | None, path: Path | None) -> _Part:
    annotations = sequence.load()
    numbers, total = sequence.frames.numbers, len(sequence.frames)
    chosen = np.ones(total, np.bool_) if annotations.annotated is None else annotations.annotated.copy()
    missing = sequence.frames.identity().get("missing")
    if isinstance(missing, list):
        chosen &= ~np.isin(numbers, np.array(missing, np.int64))
    image_of = np.cumsum(chosen) - 1
    owner = np.repeat(np.arange(total), np.diff(annotations.boxes.offsets))
    rows = chosen[owner]
    region_owner = np.repeat(np.arange(total), np.diff(annotations.regions.offsets))
    region_rows = chosen[region_owner]
    counts = Counts(int(chosen.sum()), int(total - chosen.sum()), int(rows.sum()), file=path)
    found_image = np.zeros(0, np.int64)
    if found is not None:
        found, found_image, counts = _inside(found, sequence, chosen, counts)
    return _Part(
        counts,
        annotations.class_names,
        image_of[owner[rows]],
        annotations.boxes.class_id[rows].astype(np.int64),
        annotations.boxes.xyxy[rows].astype(np.float64),
        image_of[region_owner[region_rows]],
        annotations.regions.xyxy[region_rows].astype(np.float64),
        found,
        found_image,
    )


def _inside(
    found: Found, sequence: videos.Sequence, chosen: np.typing.NDArray[np.bool_], counts: Counts
) -> tuple[Found, Int64, Counts]:
    """Detections of the evaluated frames, cut at the image border, and their images."""
    numbers = sequence.frames.numbers
    at = np.minimum(np.searchsorted(numbers, found.frame), len(numbers) - 1)
    known = numbers[at] == found.frame
    evaluated = known & chosen[at]
    xyxy = clip_boxes(found.xyxy, sequence.frames.size)
    area = (xyxy[:, 2:] > xyxy[:, :2]).all(axis=1)
    keep = evaluated & area
    told = replace(
        counts,
        detections=int(keep.sum()),
        left_out=int((known & ~evaluated).sum()),
        strange=int((~known).sum()),
        empty=int((evaluated & ~area).sum()),
    )
    kept = Found(found.frame[keep], xyxy[keep], found.score[keep], found.kind[keep], found.names)
    return kept, (np.cumsum(chosen) - 1)[at[keep]], told


def _measured(
    parts: Mapping[str, _Part], any_class: bool, named: bool, strangers: tuple[Path, ...]
) -> BoxesResult:
    classes = _classes(parts, any_class)
    offered = {name for part in parts.values() if part.found for name in part.found.names or ()}
    if not any_class and not offered & {*classes}:
        problem = f"no class of the detections ({_some(offered)}) is one of the objects ({_some(classes)})"
        raise EvaluationError(f"{problem}; --any-class takes all for one")
    index = None if any_class else {name: k for k, name in enumerate(classes)}
    starts = np.cumsum([0, *(part.counts.frames for part in parts.values())]).tolist()
    truth = _truth(parts, starts, classes, index)
    detections = _detections(parts, starts, index)
    pairs = np.stack([detections.image, detections.category])
    (images, _), counts = np.unique(pairs, axis=1, return_counts=True)
    return BoxesResult(
        any_class=any_class,
        named=named,
        figures=coco_figures(truth, detections),
        sequences={name: part.counts for name, part in parts.items()},
        strangers=strangers,
        classless={} if index is None else _classless(parts, index),
        undetected=() if any_class else tuple(name for name in classes if name not in offered),
        crowded=len(np.unique(images[counts > MAX_DETECTIONS])),
    )


def _truth(
    parts: Mapping[str, _Part], starts: list[int], classes: tuple[str, ...], index: Mapping[str, int] | None
) -> CocoTruth:
    """Objects of all sequences, and ignore regions as crowds of every class."""
    rows = []
    for part, start in zip(parts.values(), starts, strict=False):
        kind = _numbered(part.names, index)[part.kind]
        rows.append((part.image + start, kind, part.xyxy, np.zeros(len(kind), np.bool_)))
        crowd = np.ones(len(part.regions), np.bool_)
        for k in range(len(classes)):
            rows.append((part.region_image + start, np.full(len(crowd), k), part.regions, crowd))
    image, kind, xyxy, crowd = (np.concatenate(column) for column in zip(*rows, strict=True))
    boxes = _sizes(xyxy)
    return CocoTruth(starts[-1], classes, image, kind, boxes, boxes[:, 2:].prod(axis=1), crowd)


def _detections(
    parts: Mapping[str, _Part], starts: list[int], index: Mapping[str, int] | None
) -> CocoDetections:
    """Detections of all sequences, those of a class that no object is of left out."""
    rows = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))]
    for part, start in zip(parts.values(), starts, strict=False):
        if part.found is not None:
            kind = _numbered(part.found.names or (), index)[part.found.kind]
            keep = kind >= 0
            image = part.found_image[keep] + start
            rows.append((image, kind[keep], part.found.xyxy[keep], part.found.score[keep]))
    image, kind, xyxy, score = (np.concatenate(column) for column in zip(*rows, strict=True))
    return CocoDetections(image, kind, _sizes(xyxy), score)


def _classless(parts: Mapping[str, _Part], index: Mapping[str, int]) -> dict[str, int]:
    """Number of detections by class that no object is of."""
    counts: Counter[str] = Counter()
    for part in parts.values():
        if part.found is not None and part.found.names is not None:
            counts.update(part.found.names[k] for k in part.found.kind.tolist())
    return {name: count for name, count in sorted(counts.items()) if name not in index}


def _sizes(xyxy: Float64) -> Float64:
    """Left, top, width and height (N, 4)."""
    return np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1)


def _classes(parts: Mapping[str, _Part], any_class: bool) -> tuple[str, ...]:
    """Classes that an object is of, in alphabetical order."""
    if not any(len(part.kind) for part in parts.values()):
        raise EvaluationError("there is no object in the annotated frames of these sequences")
    if any_class:
        return ("object",)
    return tuple(sorted({part.names[k] for part in parts.values() for k in np.unique(part.kind).tolist()}))


def _numbered(names: Sequence[str], index: Mapping[str, int] | None) -> Int64:
    """Index of every name, -1 where it has none; all 0 where classes do not matter."""
    if index is None:
        return np.zeros(max(len(names), 1), np.int64)
    return np.array([index.get(name, -1) for name in names], np.int64)


def _some(names: Sequence[str] | set[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "") or "none"
