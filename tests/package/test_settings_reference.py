"""``spotlabel schema``: every setting described, recipes judged as by the program, committed copies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from spotlabel.detector.cli.schema import training_as_written
from spotlabel.detector.data.stills.settings import StillsSettings
from spotlabel.labelers.masks import PRESETS, MaskSettings
from spotlabel.labelers.registry import BUILTIN
from spotlabel.pipeline.cli.main import main
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.recipes.recipe import build_recipe, load_recipe
from spotlabel.pipeline.recipes.schema import recipe_schema
from spotlabel.pipeline.recipes.tree import bundled_recipes
from tests.conftest import ROOT
from tests.helpers.recipes import crash_labeler, spotlabel

EDITOR_LINE = "# yaml-language-server: $schema=recipe.schema.json"
SMALL: dict[str, Any] = {"out": "runs/x", "dataset": {"reader": "synthetic"}}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return recipe_schema(training_as_written(), StillsSettings)


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def settings(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every setting with its place."""
    for name, part in {"recipe": schema, **schema["$defs"]}.items():
        for key, value in part.get("properties", {}).items():
            yield f"{name}.{key}", value


def test_every_setting_says_what_it_is_in_one_line(schema: dict[str, Any]) -> None:
    found = dict(settings(schema))
    assert len(found) > 200
    bad = [
        place
        for place, value in found.items()
        if len(value.get("description", "")) < 10
        or "\n" in value["description"]
        or "``" in value["description"]
    ]
    assert not bad


def test_every_reader_and_labeler_is_in_it(schema: dict[str, Any]) -> None:
    kinds = [link["$ref"].rpartition("/")[2] for link in schema["properties"]["dataset"]["oneOf"]]
    readers = {schema["$defs"][kind]["properties"]["reader"]["const"] for kind in kinds}
    assert {"cdnet", "coco", "davis", "mot", "sbi", "synthetic", "ua-detrac", "uavdt", "video"} <= readers
    assert {*BUILTIN} <= {*schema["$defs"]["Evidence"]["properties"]}


@pytest.mark.parametrize("name", bundled_recipes())
def test_bundled_recipes_fit_and_name_their_schema(name: str, validator: Draft202012Validator) -> None:
    text = (ROOT / "workflows" / f"{name}.yaml").read_text()
    assert text.splitlines()[0] == EDITOR_LINE
    validator.validate(yaml.safe_load(text))


@pytest.mark.parametrize("name", bundled_recipes())
def test_all_settings_written_out_fit(name: str, validator: Draft202012Validator) -> None:
    """The program's own listing of every value is a recipe that the schema accepts."""
    recipe = load_recipe(name)
    validator.validate({**recipe.effective(), "training": dict(recipe.training)})


@pytest.mark.parametrize(
    "change",
    [
        {"lableer": "mog2"},
        {"preset": "papr"},
        {"out": None},
        {"dataset": {"reader": "synthetik"}},
        {"dataset": {"reader": "ua-detrac", "beyound": "drop"}},
        {"dataset": {"reader": "ua-detrac", "scenes": []}},
        {"dataset": {"reader": "synthetic", "scenes": [{"name": "a", "density": 1.5}]}},
        {"dataset": {}},
        {"frames": {"on_bad": "skip"}},
        {"labeler": "mog3"},
        {"labeler": {"fixed": "mog2", "movin": "knn"}},
        {"evidence": {"mog2": {"histroy": 3}}},
        {"evidence": {"boxbg": {"samples": 7}}},
        {"evidence": {"mog4": {}}},
        {"masks": {"preset": "papr"}},
        {"masks": {"min_fill": 1.5}},
        {"masks": {"classes": "car"}},
    ],
)
def test_it_refuses_what_the_program_refuses(change: dict[str, Any], validator: Draft202012Validator) -> None:
    tree = {**SMALL, **change}
    assert not validator.is_valid(tree)
    with pytest.raises(RecipeError):
        build_recipe(tree)


@pytest.mark.parametrize(
    "change",
    [
        {"labeler": "knn", "masks": None, "training": None},
        {"labeler": {"moving": "farneback"}},
        {"evidence": {"boxbg": None}},
        {"masks": {"preset": "paper", "classes": ["car"], "min_blob": 3}},
        {"dataset": {"reader": "mot", "classes": {"3": "car"}, "ignore": [[0, 0, 5, 5.5]]}},
    ],
)
def test_it_accepts_what_the_program_accepts(change: dict[str, Any], validator: Draft202012Validator) -> None:
    validator.validate({**SMALL, **change})
    build_recipe({**SMALL, **change})


def test_training_is_checked_with_its_base(validator: Draft202012Validator) -> None:
    validator.validate({**SMALL, "training": {"base": "small", "canvas": [64, 64], "weights": {"seg": 2}}})
    for wrong in ({"base": "smal"}, {"canvas": [64]}, {"preset": "spotnet"}, {"weights": {"sge": 2}}):
        assert not validator.is_valid({**SMALL, "training": wrong})


def test_mask_settings_tell_the_value_of_each_preset(schema: dict[str, Any]) -> None:
    told = schema["$defs"]["Masks"]["properties"]
    assert told["median"]["description"].endswith("(`5` in default, `5` in paper, `0` in spotnet-released)")
    for name in MaskSettings.model_fields:
        assert "default" not in told[name]
        for preset, values in PRESETS.items():
            assert (
                f"`{json.dumps(values.model_dump(mode='json')[name])}` in {preset}"
                in told[name]["description"]
            )


@pytest.mark.parametrize(
    ("options", "path"), [([], "workflows/recipe.schema.json"), (["--markdown"], "docs/settings.md")]
)
def test_the_committed_copies_are_current(options: list[str], path: str) -> None:
    ran = CliRunner().invoke(main, ["schema", *options])
    assert ran.exit_code == 0, ran.output
    assert (ROOT / path).read_text() == ran.stdout, f"{path} is not current: run `make reference`"


def test_the_reference_names_every_setting(schema: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    missing = [
        place
        for place, value in settings(schema)
        if not place.endswith(".reader") and value["description"].replace("|", "\\|") not in page
        and not place.startswith("Evidence.")
    ]  # fmt: skip
    assert not missing


def test_labelers_of_other_packages_are_in_it(tmp_path: Path) -> None:
    folder = crash_labeler(tmp_path / "site", before="")
    ran = spotlabel("schema", PYTHONPATH=os.pathsep.join((str(ROOT), str(folder))))
    assert ran.returncode == 0, ran.stderr
    made = Draft202012Validator(json.loads(ran.stdout))
    made.validate({**SMALL, "labeler": "crash", "evidence": {"crash": {}}})
    assert not made.is_valid({**SMALL, "evidence": {"crash": {"reach": 3}}})
