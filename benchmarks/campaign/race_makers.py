"""R23: stages that make stores from inputs which are edited meanwhile: labelling, and masks alone."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.races import Stage, other_input
from spotlabel.labelers.base import file_settings
from spotlabel.labelers.registry import load as load_labeler
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.manual import Correction, Decision, put_manual
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import items, plan_item
from tests.helpers.recipes import stores, tree
from tests.helpers.segmenters import segmenter

_FRAMES = 6


def small_recipe(folder: Path, out: str, *names: str, **more: Any) -> dict[str, Any]:
    """A recipe for short videos of these names, made if they are not there yet."""
    return {**tree(folder / "data", folder / out, *names, length=_FRAMES), "evidence": {}, **more}


def inputs_of(recipe: Recipe, name: str) -> list[Path]:
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
            small_recipe, folder, labeler=labeler, frames={"on_bad": "unknown"},
            evidence={labeler: {name: str(path) for name, path in networks.items()}},
        )  # fmt: skip
        self.recipe = build_recipe(self._tree("out", "v"))
        self.files = inputs_of(self.recipe, "v")
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
        """In another folder; what is corrected goes along."""
        recipe, manual = build_recipe(self._tree("alone", "v")), self.recipe.out / "manual"
        shutil.rmtree(recipe.out, ignore_errors=True)
        if manual.exists():
            shutil.copytree(manual, recipe.out / "manual")
        failed = run_sequence(recipe, "v", False, lambda *_: None).failed
        return None if failed else stores(recipe.out)


class Masks(Labelling):
    """The masks alone, from evidence and corrections that are there and are edited, too."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, "mog2")
        self.name = "making masks alone"
        assert not super().run()
        self._evidence, self._masks = (items(self.recipe)[0].evidence_path, items(self.recipe)[0].mask_path)
        other = build_recipe(self._tree("other", "v", evidence={"mog2": {"var_threshold": 4.0}}))
        assert not run_sequence(other, "v", False, lambda *_: None).failed
        manual = items(self.recipe)[0].manual_path
        self.others = {
            **self.others,
            self._evidence: items(other)[0].evidence_path.read_bytes(),
            manual: self._corrected(manual, Decision.UNKNOWN),
        }
        self._corrected(manual, Decision.BACKGROUND)
        self.files = [self._evidence, manual, *self.files]

    def _corrected(self, path: Path, decision: Decision) -> bytes:
        masks = MaskReader(self._masks)
        box = masks.boxes.at(_FRAMES - 1)[0]
        put_manual(path, "v", [Correction(int(masks.numbers[-1]), 1, box, decision)])
        masks.close()
        return path.read_bytes()

    def clear(self) -> None:
        """The masks."""
        self._masks.unlink(missing_ok=True)

    def run(self) -> bool:
        """As ``relabel`` does it."""
        return run_sequence(self.recipe, "v", True, lambda *_: None).failed
