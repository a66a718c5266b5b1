"""A benchmark run over folders: which files belong together, and every figure its rules give."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spotlabel.detector.evaluation.average_precision import Evaluation, evaluate
from spotlabel.detector.evaluation.matching import Matches, Pairs
from spotlabel.detector.evaluation.records import Detections, Truth
from spotlabel.detector.evaluation.traffic import detrac, uavdt, uavdt_attributes
from spotlabel.detector.evaluation.traffic.files import Benchmark, read_detections
from spotlabel.detector.evaluation.traffic.subsets import by_attribute, evaluate_subsets
from spotlabel.detector.evaluation.traffic.truth import read_detrac_truth, read_uavdt_truth
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.validation import nearest


@dataclass(frozen=True)
class Result:
    """Every figure of one run.

    Attributes:
        benchmark: whose rules were applied.
        iou: smallest overlap of a match.
        overall: all sequences pooled.
        subsets: pooled curves of subsets of sequences, by name.
        objects: curves over objects of one kind, by name (UAVDT's categories, occlusion, out-of-view).
        sequences: one curve per sequence.
        missing: sequences of the benchmark's test set without detections; if there are any, ``overall`` is
            not the benchmark's figure.
    """

    benchmark: Benchmark
    iou: float
    overall: Evaluation
    subsets: Mapping[str, Evaluation]
    objects: Mapping[str, Evaluation]
    sequences: Mapping[str, Evaluation]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        truth: folder of annotation files.
        detections: folder with one detections file per sequence.
        only: sequence names; empty takes every sequence that has detections.
        lists: sequence names by subset name.
        iou: smallest overlap of a match.
        regions: folder of ``*_IgR.txt`` (UA-DETRAC); None takes the regions of the annotation files.
        attributes: folder of ``*_attr.txt`` (UAVDT); None takes what the toolkit says of the test sequences.
        drop_degenerate: leave out boxes without area where the toolkit would stop (UA-DETRAC).
    """

    truth: Path
    detections: Path
    only: tuple[str, ...] = ()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    iou: float = uavdt.IOU
    regions: Path | None = None
    attributes: Path | None = None
    drop_degenerate: bool = False


def run_uavdt(request: Request) -> Result:
    """UAVDT's detection benchmark, with subsets by sequence attribute and curves by kind of object.

    Raises:
        DatasetError: a file is missing or cannot be used.
        RecipeError, EvaluationError: a name in ``only`` or in a list has no detections.
    """
    pairs: dict[str, tuple[Truth, Pairs]] = {}
    for name, path in _detection_files(request).items():
        truth = read_uavdt_truth(request.truth, name)
        pairs[name] = truth, uavdt.find_pairs(truth, read_detections(path, "uavdt"), request.iou)
    attributes = uavdt_attributes.TEST_ATTRIBUTES
    if request.attributes is not None:
        attributes = {name: uavdt_attributes.read_attributes(request.attributes, name) for name in pairs}
    return _result(
        "uavdt",
        request,
        {name: found.match() for name, (_, found) in pairs.items()},
        subsets={**uavdt_attributes.subsets(pairs, attributes), **request.lists},
        objects={name: uavdt.evaluate_objects(pairs.values(), *kind) for name, kind in uavdt.KINDS.items()},
        test_set=tuple(uavdt.TEST_LENGTHS),
    )


def run_detrac(request: Request) -> Result:
    """UA-DETRAC's detection benchmark; subsets by weather come from the annotation files.

    Every frame that the annotations or the detections name is evaluated: the annotation files do not say
    how many frames a sequence has.

    Raises:
        DatasetError: a file is missing or cannot be used.
        EvaluationError: detections that the toolkit's format check refuses, or a list without results.
    """
    matches: dict[str, Matches] = {}
    truths = []
    for name, path in _detection_files(request).items():
        found = read_detections(path, "ua-detrac")
        truth = _detrac_truth(request, name, found)
        truths.append(truth)
        degenerate = "drop" if request.drop_degenerate else "refuse"
        matches[name] = detrac.match(truth, found, request.iou, degenerate)  # type: ignore[arg-type]
    subsets = {**by_attribute(truths, detrac.WEATHER), **request.lists}
    return _result("ua-detrac", request, matches, subsets=subsets, objects={}, test_set=detrac.TEST_SEQUENCES)


def _detrac_truth(request: Request, name: str, found: Detections) -> Truth:
    candidates = [request.truth / f"{name}{suffix}.xml" for suffix in ("", "_v3")]
    path = next((candidate for candidate in candidates if candidate.exists()), candidates[0])
    regions = request.regions / f"{name}_IgR.txt" if request.regions else None
    truth = read_detrac_truth(path, 1, regions)
    last = max(int(truth.frame.max(initial=1)), int(found.frame.max(initial=1)))
    return dataclasses.replace(truth, name=name, frames=last)


def _result(
    benchmark: Benchmark,
    request: Request,
    matches: Mapping[str, Matches],
    *,
    subsets: Mapping[str, Sequence[str]],
    objects: Mapping[str, Evaluation],
    test_set: tuple[str, ...],
) -> Result:
    return Result(
        benchmark=benchmark,
        iou=request.iou,
        overall=evaluate(matches.values()),
        subsets=evaluate_subsets(matches, subsets),
        objects=objects,
        sequences={name: evaluate([match]) for name, match in matches.items()},
        missing=tuple(name for name in test_set if name not in matches),
    )


def _detection_files(request: Request) -> dict[str, Path]:
    """Detections file of each sequence: ``<name>.txt`` or ``<name>_Det_<detector>.txt``."""
    if not request.truth.is_dir():
        raise DatasetError.at(request.truth, "", "no such folder of annotations")
    if not request.detections.is_dir():
        raise DatasetError.at(request.detections, "", "no such folder of detections")
    found: dict[str, Path] = {}
    for path in sorted(request.detections.glob("*.txt")):
        name = path.stem.split("_Det_")[0]
        if name in found:
            raise DatasetError.at(path, "", f"a second file for {name}, beside {found[name].name}")
        found[name] = path
    if not found:
        advice = "one file per sequence: M0205.txt or MVI_39031_Det_SpotNet.txt"
        raise DatasetError.at(request.detections, "", "holds no detections files (*.txt)", advice)
    for name in request.only:
        if name not in found:
            raise DatasetError.at(
                request.detections, "", f"no detections of sequence {name}; {nearest(name, found)}"
            )
    return {name: path for name, path in found.items() if not request.only or name in request.only}
