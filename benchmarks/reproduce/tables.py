"""What each table needs, trains and stands beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.reproduce.published import (
    ALS_COCO,
    COCO_COLUMNS,
    IAN_COCO,
    IAN_VOC07,
    Figures,
)
from spotlabel.detector.evaluation.published import CDNET, published
from spotlabel.detector.evaluation.voc.published import MEANS

Kind = Literal["voc", "coco", "ua-detrac", "uavdt", "cdnet"]

DETRAC_COLUMNS = ("overall", "cloudy", "night", "rainy", "sunny")
"""Those of the paper that need no lists of the benchmark's test package."""


@dataclass(frozen=True)
class Network:
    """One row of ours.

    Attributes:
        name: of its run, results and report.
        title: as the table calls it.
        recipe: what it is trained on.
        settings: what differs from the recipe's section ``training``, by name.
        start: name of the network before it whose weights it starts from; empty for the table's own start.
    """

    name: str
    title: str
    recipe: str
    settings: Mapping[str, str]
    start: str = ""


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    Attributes:
        title: what it is.
        kind: of the benchmark.
        data: what the folder of the data has to hold.
        duration: how long it takes on what, estimated.
        columns: of its figures, as the benchmark's report calls them.
        published: the paper's rows.
        networks: ours, in the order in which they are trained; none where a detector is given.
        init: what to give as the weights that networks start from, where the recipe names none.
    """

    title: str
    kind: Kind
    data: str
    duration: str
    columns: tuple[str, ...]
    published: Mapping[str, Figures]
    networks: tuple[Network, ...] = ()
    init: str = ""


def _one(figures: Mapping[str, float]) -> dict[str, Figures]:
    return {name: (figure,) for name, figure in figures.items()}


def _spotnets(recipe: str) -> tuple[Network, ...]:
    """CenterNet, with segmentation as a second task, and with attention: each from the one before it."""
    base = {"base": "released"}
    return (
        Network("centernet", "CenterNet", recipe, {**base, "preset": "centernet"}),
        Network(
            "spotnet-multitask", "SpotNet, no attention", recipe, {**base, "preset": "spotnet-multitask"}
        ),
        Network("spotnet", "SpotNet", recipe, {**base, "preset": "spotnet-released"}),
    )


_VOC = "VOCdevkit/VOC2007 and VOC2012 with JPEGImages, Annotations and ImageSets"
_COCO = "annotations/instances_train2017.json, instances_val2017.json, train2017/ and val2017/"
_R101 = {"backbone": "resnet-101-c4"}
_TEN = {**_R101, "epochs": "10", "milestones": "[0.7]"}
"""ALS names no schedule: that of Faster R-CNN on VOC at a batch of 2."""
_FOUR_SCALES = {**_R101, "options.anchor_sizes": "[[64,128,256,512]]"}

TABLES: dict[str, Table] = {
    "als-voc07": Table(
        "ALS on VOC 2007 test: mean AP, 11 points",
        "voc",
        f"{_VOC}; benchmark_RELEASE (SBD) for the masks",
        "three trainings of half a day each on one A100",
        ("AP07",),
        _one(MEANS),
        (
            Network("faster-rcnn", "Faster R-CNN", "voc07", {**_TEN, "preset": "faster-rcnn"}),
            Network("als-split", "split, no attention", "voc07", {**_TEN, "preset": "als-split"}),
            Network("als", "ALS", "voc07-sbd", {**_TEN, "preset": "als"}, start="als-split"),
        ),
    ),
    "als-coco": Table(
        "ALS on COCO val2017 (minival)",
        "coco",
        _COCO,
        "three trainings of three to four days each on one A100",
        COCO_COLUMNS,
        ALS_COCO,
        (
            Network("faster-rcnn", "Faster R-CNN", "coco", {**_FOUR_SCALES, "preset": "faster-rcnn"}),
            Network("als-split", "split, no attention", "coco", {**_FOUR_SCALES, "preset": "als-split"}),
            Network("als", "ALS", "coco", {**_FOUR_SCALES, "preset": "als"}, start="als-split"),
        ),
    ),
    "ian-voc07": Table(
        "Inverted attention on VOC 2007 test: mean AP, 11 points, trained on 07+12",
        "voc",
        _VOC,
        "two trainings of half a day each on one A100",
        ("AP07",),
        IAN_VOC07,
        (
            Network("faster-rcnn", "Faster R-CNN", "voc07", {**_R101, "preset": "faster-rcnn"}),
            Network("ian", "Faster R-CNN + IA", "voc07", {**_R101, "preset": "ian"}),
        ),
    ),
    "ian-coco": Table(
        "Inverted attention on COCO val2017",
        "coco",
        _COCO,
        "two trainings of a day and a half each on one A100",
        ("AP",),
        IAN_COCO,
        (
            Network("faster-rcnn", "Faster R-CNN", "coco", {"preset": "faster-rcnn"}),
            Network("ian", "Faster R-CNN + IA", "coco", {"preset": "ian"}),
        ),
    ),
    "lga-coco": Table(
        "LGA-RCNN on COCO val2017, beside the same detector without it (the paper has no figures)",
        "coco",
        _COCO,
        "two trainings of a day and a half each on one A100",
        COCO_COLUMNS,
        {},
        (
            Network("faster-rcnn", "Faster R-CNN", "coco", {"preset": "faster-rcnn"}),
            Network("lga", "LGA-RCNN", "coco", {"preset": "lga"}),
        ),
    ),
    "spotnet-ua-detrac": Table(
        "SpotNet on UA-DETRAC's test sequences: AP at IoU 0.7",
        "ua-detrac",
        "DETRAC-Images/, DETRAC-Train-Annotations-XML/ and DETRAC-Test-Annotations-XML/",
        "labels: 3 h on 16 cores; three trainings of a week each on one A100",
        DETRAC_COLUMNS,
        {m: tuple(row[c] for c in DETRAC_COLUMNS) for m, row in published("ua-detrac").items()},
        _spotnets("ua-detrac"),
        init="the papers start from CenterNet's COCO weights, ctdet_coco_hg.pth",
    ),
    "spotnet-uavdt": Table(
        "SpotNet on UAVDT's test sequences: AP at IoU 0.7",
        "uavdt",
        "UAV-benchmark-M/ and UAV-benchmark-MOTD_v1.0/",
        "labels: 1 h on 16 cores; three trainings of two days each on one A100",
        ("overall",),
        {method: tuple(row.values()) for method, row in published("uavdt").items()},
        _spotnets("uavdt"),
        init="the papers start from CenterNet's COCO weights, ctdet_coco_hg.pth",
    ),
    "spotnet-cdnet": Table(
        "SpotNet's attention as a foreground mask on CDnet: mean F over three videos",
        "cdnet",
        "baseline/highway, cameraJitter/traffic and cameraJitter/boulevard of CDnet 2014",
        "minutes on a GPU",
        ("F",),
        _one(CDNET),
    ),
}
