"""Recipes changed at random."""

from __future__ import annotations

import json
import random
from pathlib import Path

import yaml

from benchmarks.fuzz import mutate
from benchmarks.fuzz.kind import Kind, Trial
from spotlabel.detector.data.stills.settings import StillsSettings
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.recipes.tree import bundled_recipes, bundled_text
from spotlabel.pipeline.validation import validated

_OWN = """
data: data
out: out
dataset: {reader: mot, first_frame: 1, bad_boxes: fail, annotated: every-10}
labeler: {fixed: mog2, moving: farneback}
frames: {on_bad: unknown}
evidence:
  mog2: {warm_up_frames: 2}
  pawcs: {warm_up_frames: 10}
masks: {min_fill: 0.2, classes: [car, bus], median: 5}
training: {preset: spotnet-paper, backbone: hourglass-small, epochs: 3, canvas: [128, 128], milestones: [0.5],
           held_out: [a], weights: {seg: 0.5}, classes: [car]}
"""


def _prepare(folder: Path) -> Trial:
    texts = [_OWN, *map(bundled_text, bundled_recipes())]
    path = folder / "recipe.yaml"

    def trial(draw: random.Random) -> list[str]:
        own = draw.choice(texts)
        path.write_bytes(_mutated(own, draw))
        recipe = load_recipe(str(path))
        effective = recipe.effective()
        training = validated(TrainingSettings, dict(recipe.training), "training").model_dump(mode="json")
        stills = {}
        if recipe.stills:
            stills = validated(StillsSettings, dict(recipe.stills), "stills").model_dump(mode="json")
        try:
            json.dumps([effective, training, stills], allow_nan=False).encode()
        except ValueError as error:
            return [f"a setting that is no number: {error}"]
        return []

    return trial


def _mutated(own: str, draw: random.Random) -> bytes:
    if draw.random() < 0.4:
        return mutate.text(own.encode(), draw)
    changed = mutate.tree(yaml.safe_load(own), draw)
    try:
        return yaml.safe_dump(changed, allow_unicode=draw.random() < 0.5, sort_keys=False).encode()
    except (UnicodeEncodeError, RecursionError, yaml.YAMLError):
        return mutate.text(own.encode(), draw)


KINDS = (
    Kind("recipe", "R13", 2.0,
         "bundled recipes and one with settings of every section, bytes, words, lines, keys and values "
         "changed: refused in one line, or read to settings that JSON can hold", _prepare),
)  # fmt: skip
