"""From a table to the commands that make it; every command goes on where it was left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reproduce.tables import Network, Table
from spotlabel.detector.evaluation.published import CDNET_VIDEOS
from spotlabel.detector.evaluation.traffic.uavdt import TEST_LENGTHS
from spotlabel.pipeline.errors import SpotlabelError

Command = list[str]
"""Arguments of ``spotlabel``."""
CDNET_CATEGORY = {"highway": "baseline", "traffic": "cameraJitter", "boulevard": "cameraJitter"}


class ReproduceError(SpotlabelError):
    """A table that cannot be made from what was given."""


@dataclass(frozen=True)
class Given:
    """What a user brings.

    Attributes:
        data: folder of the benchmark's data.
        out: where everything goes.
        init: weights that the first networks start from; empty takes the recipe's.
        model: a detector in place of a training (CDnet).
        training: changes of recipe values in every training, ``key=value``.
        device: ``auto``, ``cpu`` or ``cuda``.
        jobs: videos labelled at a time.
    """

    data: Path
    out: Path
    init: str = ""
    model: Path | None = None
    training: tuple[str, ...] = ()
    device: str = "auto"
    jobs: int = 1

    def detections(self, name: str) -> Path:
        """Where a network's results go."""
        return self.out / "detections" / name

    def report(self, name: str) -> Path:
        """Where the benchmark's report on a network goes."""
        return self.out / "report" / name

    def trained(self, name: str) -> Path:
        """The detector of a training's last epoch, which is what papers report on."""
        return self.out / "training" / name / "last.safetensors"


def commands(table: Table, given: Given) -> Iterator[Command]:
    """Label, train, detect and measure.

    Raises:
        ReproduceError: something is not given.
    """
    if table.kind == "cdnet":
        yield from _attention(given)
        return
    video = table.kind in ("ua-detrac", "uavdt")
    if video:
        where = _where(table.networks[0].recipe, given, "train")
        yield ["label", *where, "--jobs", str(given.jobs), "--set", "preset=paper"]
    for network in table.networks:
        yield _train(table, network, given)
        yield _detect(network, given, given.trained(network.name))
        yield [*_measure(table, network.name, given), "--report", str(given.report(network.name))]


def _where(recipe: str, given: Given, part: str) -> Command:
    """A recipe with its folders, and the sequences of one part of the benchmark."""
    where = [recipe, "--set", f"data={given.data}", "--set", f"out={given.out}"]
    if recipe == "ua-detrac":
        where += ["--set", f"dataset.annotations=DETRAC-{part.title()}-Annotations-XML"]
    if recipe == "uavdt":
        names = [*TEST_LENGTHS] if part == "test" else _uavdt_train(given.data)
        where += [word for name in names for word in ("--only", name)]
    return where


def _uavdt_train(data: Path) -> list[str]:
    """Every sequence that is not one of the 20 of the test set."""
    folder = data / "UAV-benchmark-M"
    if not folder.is_dir():
        raise ReproduceError(f"{folder}: no such folder; expected UAVDT's images")
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name not in TEST_LENGTHS)


def _train(table: Table, network: Network, given: Given) -> Command:
    settings = dict(network.settings)
    if network.start:
        settings["init"] = str(given.trained(network.start))
    elif given.init:
        settings["init"] = given.init
    changes = [f"training.{key}={value}" for key, value in settings.items()]
    if table.kind in ("ua-detrac", "uavdt"):
        changes = ["preset=paper", *changes]
    changed = [word for change in (*changes, *given.training) for word in ("--set", change)]
    where = _where(network.recipe, given, "train")
    return ["train", *where, "--name", network.name, "--device", given.device, *changed]


def _detect(network: Network, given: Given, model: Path, *more: str) -> Command:
    where = _where(network.recipe, given, "test")
    out = str(given.detections(network.name))
    return ["detect", str(model), "--recipe", *where, "--out", out, "--device", given.device, *more]


def _measure(table: Table, name: str, given: Given) -> Command:
    data, found = given.data, given.detections(name)
    if table.kind == "voc":
        where = ["--truth", str(data / "VOCdevkit" / "VOC2007"), "--split", "test"]
        return ["evaluate", "voc", *where, "--detections", str(found / "VOC2007-test")]
    if table.kind == "coco":
        truth = data / "annotations" / "instances_val2017.json"
        results = found / "instances_val2017.json"
        return ["evaluate", "coco", "--truth", str(truth), "--detections", str(results)]
    folder = {"ua-detrac": "DETRAC-Test-Annotations-XML", "uavdt": "UAV-benchmark-MOTD_v1.0/GT"}[table.kind]
    return ["evaluate", table.kind, "--truth", str(data / folder), "--detections", str(found)]


def _attention(given: Given) -> Iterator[Command]:
    if given.model is None:
        raise ReproduceError("--model: is required: a SpotNet, as spotnet-ua-detrac trains one")
    spotnet = Network("spotnet", "SpotNet", "cdnet", {})
    videos = [f"{CDNET_CATEGORY[name]}/{name}" for name in CDNET_VIDEOS]
    only = [word for name in videos for word in ("--only", name)]
    yield _detect(spotnet, given, given.model, *only, "--attention")
    maps = given.detections("spotnet") / "attention"
    report = str(given.report("spotnet"))
    yield ["evaluate", "attention", "--truth", str(given.data), "--maps", str(maps), "--report", report]
