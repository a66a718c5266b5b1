"""R23: the stages whose inputs are edited while they run: labelling, masks alone, training, detection."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.races import Stage, other_input, sweep
from benchmarks.campaign.result import Result
from spotlabel.detector.from_recipe import train
from spotlabel.detector.model import ModelSpec, save_model
from spotlabel.labelers.base import file_settings
from spotlabel.labelers.registry import BUILTIN
from spotlabel.labelers.registry import load as load_labeler
from spotlabel.pipeline.cli.main import main as command_line
from spotlabel.pipeline.errors import DatasetError, SpotlabelError
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import items, plan_item
from tests.helpers.recipes import stores, tree, write
from tests.helpers.segmenters import segmenter

LABELERS = tuple(name for name in BUILTIN if name != "pawcs-pybgs")
"""All that come with spotlabel but the one whose library has to be compiled by hand."""
_FRAMES = 6
_TRAINING = {
    "preset": "centernet", "backbone": "hourglass-tiny", "base": "small", "canvas": [32, 32], "every": 1,
    "every_held_out": 3, "epochs": 1, "batch": 2, "held_out": ["w"], "workers": 0, "pictures": 0,
}  # fmt: skip


def _recipe(folder: Path, out: str, *names: str, **more: Any) -> dict[str, Any]:
    return {**tree(folder / "data", folder / out, *names, length=_FRAMES), "evidence": {}, **more}


def _inputs(recipe: Recipe, name: str) -> list[Path]:
    """The annotations of a video, then its frames."""
    folder = recipe.data / name
    return [folder / "gt" / "gt.txt", *sorted((folder / "img1").iterdir())]


def _networks(folder: Path, labeler: str) -> dict[str, Path]:
    """A tiny network for each setting of a labeler that names one; of most labelers none."""
    networks = {name: folder / f"{name}.onnx" for name in file_settings(load_labeler(labeler))}
    for path in networks.values():
        path.write_bytes(segmenter())
    return networks


class Labelling(Stage):
    """A whole video: listing, evidence, masks."""

    def __init__(self, bench: Bench, labeler: str) -> None:
        self.name = f"labelling by {labeler}"
        folder = bench.fresh(f"races-{labeler}")
        networks = _networks(folder, labeler)
        self._tree = partial(
            _recipe, folder, labeler=labeler, frames={"on_bad": "unknown"},
            evidence={labeler: {name: str(path) for name, path in networks.items()}},
        )  # fmt: skip
        self.recipe = build_recipe(self._tree("out", "v"))
        self.files = _inputs(self.recipe, "v")
        self.others = {path: other_input(path) for path in self.files}
        self.files += networks.values()
        self.others |= dict.fromkeys(networks.values(), segmenter(steepness=9.0))

    def clear(self) -> None:
        """All stores."""
        shutil.rmtree(self.recipe.out, ignore_errors=True)

    def run(self) -> bool:
        """As a child process does it."""
        return run_sequence(self.recipe, "v", False, lambda *_: None).failed

    def claimed(self) -> dict[str, bytes] | None:
        """The stores, if they are fresh."""
        try:
            (item,) = items(self.recipe)
        except DatasetError:  # annotations taken away for good
            return None
        return stores(self.recipe.out) if plan_item(self.recipe, item, remember=False).idle else None

    def alone(self) -> dict[str, bytes] | None:
        """In another folder."""
        recipe = build_recipe(self._tree("alone", "v"))
        shutil.rmtree(recipe.out, ignore_errors=True)
        failed = run_sequence(recipe, "v", False, lambda *_: None).failed
        return None if failed else stores(recipe.out)


class Masks(Labelling):
    """The masks alone, from evidence that is there and is edited, too."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, "mog2")
        self.name = "making masks alone"
        assert not super().run()
        self._evidence, self._masks = (items(self.recipe)[0].evidence_path, items(self.recipe)[0].mask_path)
        other = build_recipe(self._tree("other", "v", evidence={"mog2": {"var_threshold": 4.0}}))
        assert not run_sequence(other, "v", False, lambda *_: None).failed
        self.files = [self._evidence, *self.files]
        self.others = {**self.others, self._evidence: items(other)[0].evidence_path.read_bytes()}

    def clear(self) -> None:
        """The masks."""
        self._masks.unlink(missing_ok=True)

    def run(self) -> bool:
        """As ``relabel`` does it."""
        return run_sequence(self.recipe, "v", True, lambda *_: None).failed


class Training(Stage):
    """A small detector, trained on two labelled videos; masks, annotations and frames are edited."""

    name = "training"

    def __init__(self, bench: Bench) -> None:
        folder = bench.fresh("races-training")
        self._recipe = build_recipe(
            _recipe(folder, "out", "v", "w", labeler="filled-box", training=_TRAINING)
        )
        other = build_recipe(
            _recipe(folder, "other", "v", "w", labeler="filled-box", masks={"box_padding": 3})
        )
        for recipe in (self._recipe, other):
            for name in ("v", "w"):
                assert not run_sequence(recipe, name, False, lambda *_: None).failed
        masks = [item.mask_path for item in items(self._recipe)]
        self.files = [
            masks[0],
            masks[1],
            *(path for name in ("v", "w") for path in _inputs(self._recipe, name)),
        ]
        self.others = {path: other_input(path) for path in self.files[2:]}
        self.others |= {
            path: item.mask_path.read_bytes() for path, item in zip(masks, items(other), strict=True)
        }

    def clear(self) -> None:
        """All runs."""
        shutil.rmtree(self._recipe.out / "training", ignore_errors=True)

    def run(self) -> bool:
        """From the recipe, as a notebook does it."""
        return self._trained("run") is None

    def _trained(self, name: str) -> dict[str, bytes] | None:
        try:
            made = train(self._recipe, name=name, device="cpu")
        except (SpotlabelError, OSError):
            return None
        return {"last.safetensors": made.last.read_bytes()}

    def claimed(self) -> dict[str, bytes] | None:
        """What going on with the run ends with."""
        return self._trained("run")

    def alone(self) -> dict[str, bytes] | None:
        """A run of another name."""
        shutil.rmtree(self._recipe.out / "training" / "alone", ignore_errors=True)
        return self._trained("alone")


class Detection(Stage):
    """``spotlabel detect --recipe``; the detector's file, annotations and frames are edited."""

    name = "detection"
    rare = 0.8

    def __init__(self, bench: Bench) -> None:
        self._folder = bench.fresh("races-detection")
        recipe = build_recipe(_recipe(self._folder, "out", "v"))
        self._source = write(self._folder / "recipe.yaml", _recipe(self._folder, "out", "v"))
        model = self._folder / "model.safetensors"
        self.files = [model, *_inputs(recipe, "v")]
        self.others = {path: other_input(path) for path in self.files[1:]}
        spec = ModelSpec(preset="centernet", backbone="hourglass-tiny", class_names=("car",))
        for seed in (1, 2):
            torch.manual_seed(seed)
            save_model(model, spec.build(), spec)
            self.others[model] = self.others.get(model, b"") or model.read_bytes()

    def clear(self) -> None:
        """All detections."""
        shutil.rmtree(self._folder / "found", ignore_errors=True)

    def run(self) -> bool:
        """Through the command line."""
        return self._found("found") is None

    def _found(self, out: str) -> dict[str, bytes] | None:
        folder = self._folder / out
        arguments = ("--recipe", self._source, "--out", folder, "--only-annotated", "--threads", 1, "--quiet")
        done = CliRunner().invoke(command_line, ["detect", *map(str, (self.files[0], *arguments))])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return None if done.exit_code else {path.name: path.read_bytes() for path in folder.glob("*.json")}

    def claimed(self) -> dict[str, bytes] | None:
        """What the same command leaves when nobody disturbs it."""
        return self._found("found")

    def alone(self) -> dict[str, bytes] | None:
        """In another folder."""
        shutil.rmtree(self._folder / "alone", ignore_errors=True)
        return self._found("alone")


STAGES: dict[str, Callable[[Bench], Stage]] = {
    **{labeler: partial(Labelling, labeler=labeler) for labeler in LABELERS},
    "masks": Masks,
    "training": Training,
    "detection": Detection,
}


def run(bench: Bench) -> Iterator[Result]:
    """A line for each labeler and each further stage, two at a time."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield from pool.map(partial(sweep_stage, bench), reversed(STAGES))  # the slow ones first


def sweep_stage(bench: Bench, name: str) -> Result:
    """All boundaries of one stage."""
    torch.set_num_threads(1)
    return sweep(STAGES[name](bench), bench.counts.races, bench.draw(f"races {name}"))
