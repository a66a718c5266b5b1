"""What is measured: labels (columns), sequences (rows), and which of these rules may be chosen on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from benchmarks.quality.drawn import Change, interpolated, jittered


class Split(Enum):
    """What the figures of a sequence may be used for."""

    CHOOSE = "rules may be chosen on them"
    """Rules and constants were and may be chosen by these."""
    REPORT = "only reported"
    """Looked at after a rule stands, so that its figures there say what to expect on other data."""


@dataclass(frozen=True)
class Method:
    """Labels of one kind: a column of a table.

    Attributes:
        title: how the column is called.
        labeler: name of the labeler.
        recipe: other keys of the recipe (``masks``, ``evidence``, ``dataset``, ``preset``).
        folder: where its stores lie; the labeler's name if empty. Different labels need different ones.
        boxes: changes the boxes before anything is made of them; see :mod:`benchmarks.quality.drawn`.
    """

    title: str
    labeler: str
    recipe: dict[str, Any] = field(default_factory=dict)
    folder: str = ""
    boxes: Change | None = None


@dataclass(frozen=True)
class Data:
    """One dataset: some rows of a table.

    Attributes:
        name: of the dataset, and of its folder in the output.
        split: what its figures may be used for.
        every: so many frames are between two that are compared, plus one.
        options: the recipe's dataset section.
        folder: below DATA; rendered scenes need none.
    """

    name: str
    split: Split
    every: int
    options: dict[str, Any]
    folder: str = ""


@dataclass(frozen=True)
class Table:
    """One table of the page.

    Attributes:
        figure: pooled F-measure, or mean IoU of the frames.
        methods: its columns.
        data: its rows, in groups of the same split.
    """

    figure: Literal["F", "IoU"]
    methods: tuple[Method, ...]
    data: tuple[Data, ...]


PAPER = {"masks": {"preset": "paper"}}
DEFAULT = {"masks": {"preset": "default"}}
BOX = Method("fill the box", "filled-box", PAPER)
BOXBG = Method("**boxbg** (default)", "boxbg", DEFAULT)
FIXED = (
    BOX,
    Method("MOG2 (OpenCV)", "mog2", PAPER),
    Method("KNN (OpenCV)", "knn", PAPER),
    Method("PAWCS (the paper)", "pawcs", PAPER),
    BOXBG,
    Method("boxbg-student (preset learned)", "boxbg-student", DEFAULT),
)
TAUGHT = ("boxbg-student", "egoflow-cut-student")
"""Labelers of preset learned: they need a teacher's file, and minutes a video."""
MOVING = (
    BOX,
    Method("`spotnet-released`", "released-flow", {"masks": {"preset": "spotnet-released"}}),
    Method("flow > 1 px/frame (the paper)", "farneback", PAPER),
    Method("egoflow > 1 px/frame", "egoflow", PAPER),
    Method("**egoflow-cut** (default)", "egoflow-cut", DEFAULT),
    Method("egoflow-cut-student (preset learned)", "egoflow-cut-student", DEFAULT),
)
DRAWN = (
    BOXBG,
    Method("every 10th frame", "boxbg", DEFAULT, "boxbg-interpolated", interpolated(10)),
    Method("5 % jitter", "boxbg", DEFAULT, "boxbg-jitter-5", jittered(0.05)),
    Method("10 % jitter", "boxbg", DEFAULT, "boxbg-jitter-10", jittered(0.10)),
    Method("with unknown", "boxbg", {**DEFAULT, "dataset": {"boxes": "with-unknown"}}, "boxbg-with-unknown"),
)

SIZE = {"width": 640, "height": 360, "frames": 120}


def streets(seed: int) -> list[dict[str, Any]]:
    """Four scenes of a fixed camera, from this seed on."""
    return [
        {"name": "overcast", "seed": seed, "shadows": 0.0, **SIZE},
        {"name": "sunny", "seed": seed + 1, "shadows": 0.7, **SIZE},
        {"name": "shaking", "seed": seed + 2, "shadows": 0.35, "jitter": 3.0, **SIZE},
        {"name": "drifting light", "seed": seed + 3, "shadows": 0.55, "drift": 0.25, **SIZE},
    ]


def drones(seed: int) -> list[dict[str, Any]]:
    """Two scenes of a moving camera, from this seed on."""
    moving = {"camera": "moving", **SIZE}
    return [
        {"name": "pan", "seed": seed, "rotation": 0.0, "zoom": 0.0, **moving},
        {"name": "turn and zoom", "seed": seed + 1, "rotation": 12.0, "zoom": 0.25, **moving},
    ]


def rendered(scenes: list[dict[str, Any]]) -> dict[str, Any]:
    """The dataset section of a recipe of these scenes."""
    return {"reader": "synthetic", "scenes": scenes}


CDNET = Data("cdnet", Split.CHOOSE, 1, {"reader": "cdnet"}, "cdnet")
SBI = Data("sbi", Split.CHOOSE, 1, {"reader": "sbi"}, "sbi")
MORE_SBI = Data("extra-sbi", Split.REPORT, 1, {"reader": "sbi"}, "extra/sbi")
DAVIS = Data("davis", Split.CHOOSE, 3, {"reader": "davis"}, "davis")
MORE_DAVIS = Data("extra-davis", Split.REPORT, 3, {"reader": "davis"}, "extra/davis")
STREET_SCENES = (
    Data("streets", Split.CHOOSE, 3, rendered(streets(21))),
    Data("more-streets", Split.REPORT, 3, rendered(streets(121)[1:3])),
)

TABLES = {
    "fixed": Table("F", FIXED, (CDNET, SBI, MORE_SBI)),
    "drawn": Table("F", DRAWN, (CDNET, SBI, MORE_SBI)),
    "moving": Table("IoU", MOVING, (DAVIS, MORE_DAVIS)),
    "streets": Table(
        "F",
        FIXED,
        STREET_SCENES,
    ),
    "drones": Table(
        "IoU",
        MOVING,
        (
            Data("drones", Split.CHOOSE, 3, rendered(drones(31))),
            Data("more-drones", Split.REPORT, 3, rendered(drones(131)[1:])),
        ),
    ),
}
"""The tables by the name under which the page has them."""
