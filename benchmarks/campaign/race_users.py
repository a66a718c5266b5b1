"""R23: stages that use masks while these, or what they were made from, are edited."""

from __future__ import annotations

import shutil

import torch
from click.testing import CliRunner

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.race_makers import inputs_of, small_recipe
from benchmarks.campaign.races import Stage, other_input
from spotlabel.detector.from_recipe import train
from spotlabel.detector.model import ModelSpec, save_model
from spotlabel.pipeline.cli.main import main as command_line
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.stage import dataset_classes, export_video, why_export
from spotlabel.pipeline.inputs import watching_inputs
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import items, one_item
from tests.helpers.recipes import write

_TRAINING = {
    "preset": "centernet", "backbone": "hourglass-tiny", "base": "small", "canvas": [32, 32], "every": 1,
    "every_held_out": 3, "epochs": 1, "batch": 2, "held_out": ["w"], "workers": 0, "pictures": 0,
}  # fmt: skip


class Training(Stage):
    """A small detector, trained on two labelled videos; masks, annotations and frames are edited."""

    name = "training"

    def __init__(self, bench: Bench) -> None:
        folder = bench.fresh("races-training")
        self._recipe = build_recipe(
            small_recipe(folder, "out", "v", "w", labeler="filled-box", training=_TRAINING)
        )
        other = build_recipe(
            small_recipe(folder, "other", "v", "w", labeler="filled-box", masks={"box_padding": 3})
        )
        for recipe in (self._recipe, other):
            for name in ("v", "w"):
                assert not run_sequence(recipe, name, False, lambda *_: None).failed
        masks = [item.mask_path for item in items(self._recipe)]
        self.files = [
            masks[0],
            masks[1],
            *(path for name in ("v", "w") for path in inputs_of(self._recipe, name)),
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
        recipe = build_recipe(small_recipe(self._folder, "out", "v"))
        self._source = write(self._folder / "recipe.yaml", small_recipe(self._folder, "out", "v"))
        model = self._folder / "model.safetensors"
        self.files = [model, *inputs_of(recipe, "v")]
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


class Exporting(Stage):
    """``spotlabel export masks`` of a video with its images; masks, annotations and frames are edited."""

    name = "export"

    def __init__(self, bench: Bench) -> None:
        self._folder = bench.fresh("races-export")
        self._recipe, other = (
            build_recipe(small_recipe(self._folder, out, "v", labeler="filled-box", masks=masks))
            for out, masks in (("out", {}), ("other", {"box_padding": 3}))
        )
        for recipe in (self._recipe, other):
            assert not run_sequence(recipe, "v", False, lambda *_: None).failed
        masks = one_item(self._recipe, "v").mask_path
        self.files = [masks, *inputs_of(self._recipe, "v")]
        self.others = {path: other_input(path) for path in self.files[1:]}
        self.others[masks] = one_item(other, "v").mask_path.read_bytes()
        classes = dataset_classes(items(self._recipe))
        self._options = ExportOptions(format="png", images="copy", classes=classes)

    def clear(self) -> None:
        """All exports."""
        shutil.rmtree(self._folder / "export", ignore_errors=True)

    def run(self) -> bool:
        """As a child process does it."""
        return self._exported("export") is None

    def _exported(self, to: str) -> dict[str, bytes] | None:
        try:
            with watching_inputs():
                item = one_item(self._recipe, "v")
                export_video(self._recipe, item, self._options, self._folder / to, lambda *_: None)
        except (SpotlabelError, OSError):
            return None
        return self._files(to)

    def _files(self, to: str) -> dict[str, bytes]:
        paths = (path for path in (self._folder / to).rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in paths if ".made" not in path.parts}

    def claimed(self) -> dict[str, bytes] | None:
        """The files, if they are up to date."""
        try:
            with watching_inputs():
                item = one_item(self._recipe, "v")
                reason = why_export(self._recipe, item, self._options, self._folder / "export")
        except (SpotlabelError, OSError):
            return None
        found = {} if reason else self._files("export")
        return {name.replace("/export/", "/alone/"): content for name, content in found.items()} or None

    def alone(self) -> dict[str, bytes] | None:
        """Into another folder."""
        shutil.rmtree(self._folder / "alone", ignore_errors=True)
        return self._exported("alone")
