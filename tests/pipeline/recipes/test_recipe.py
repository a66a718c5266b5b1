"""Recipes: typed, refused with the place and the nearest valid key, changed with ``--set``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spotlabel.labelers.masks import PRESETS as MASK_PRESETS
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.recipes.recipe import build_recipe, load_bundled, load_recipe
from spotlabel.pipeline.recipes.tree import bundled_recipes, parse_yaml
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.upkeep.notes import thresholds_without_effect
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.recipes import tree, write


def load(tmp_path: Path, *overrides: str, **more: object) -> object:
    return load_recipe(str(write(tmp_path / "r.yaml", tree(tmp_path, tmp_path / "out", **more))), overrides)


@pytest.mark.parametrize("name", bundled_recipes())
def test_every_bundled_recipe_loads(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.labeler_for(Camera.FIXED)[0].name
    assert recipe.effective()["masks"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lableer=mog2", r"r\.yaml: lableer: unknown key; did you mean 'labeler'\?"),
        (
            "masks.motoin_threshold=2",
            "masks.motoin_threshold: unknown key; did you mean 'motion_threshold'",
        ),
        ("preset=papr", "preset: .*'default', 'learned', 'paper' or 'spotnet-released', found 'papr'"),
        ("masks.preset=papr", "masks.preset: no preset 'papr'; did you mean 'paper'"),
        ("masks.motion_threshold=fast", "masks.motion_threshold: .*found 'fast'"),
        ("labeler=mog3", "labeler.fixed: unknown labeler 'mog3'; did you mean 'mog2'"),
        ("labeler.fxed=mog2", "labeler.fxed|labeler is a single value"),
        (
            "dataset.reader=ua-detrc",
            "dataset.reader: 'ua-detrc' is no dataset reader; did you mean 'ua-detrac'",
        ),
        ("dataset.beyound=drop", "dataset.beyound: unknown key; did you mean 'beyond'"),
        ("dataset.beyond=maybe", "dataset.beyond: .*'refuse' or 'drop', found 'maybe'"),
        ("frames.on_bad=skip", "frames.on_bad: .*'fail' or 'unknown', found 'skip'"),
        ("evidence.mog2.histroy=3", "evidence.mog2.histroy: unknown key; did you mean 'history'"),
        ("evidence.mog4.history=3", "evidence: unknown labeler 'mog4'"),
        ("masks", "--set masks: expected key=value"),
        ("out.deep=1", "--set out.deep=1: out is a single value"),
        ("masks.close=[", "--set masks.close=.*not readable as YAML"),
        ("masks.preset=3", r"masks\.preset: expected one of default, paper, .*, found 3"),
        ("masks.preset=[paper]", r"masks\.preset: expected one of .*, found \['paper'\]"),
        ("masks.classes=!!set {car}", r"masks\.classes: a set cannot stand in a recipe"),
        ("masks.median=!!binary aGk=", r"masks\.median: a bytes cannot stand in a recipe"),
        ("masks={true: 1}", r"masks: the key True is no text; put it in quotes"),
        ("masks={median: 3, median: 5}", r"--set masks=.*the key 'median' is there already, on line 1"),
        ("masks.classes=&a [*a]", r"masks\.classes\.0: holds itself"),
        ("out=", "--set out=: expected a path"),
        ("dataset.ignore=0b_", "--set dataset.ignore=0b_: value is not readable as YAML"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        load(tmp_path, override)
    assert "\n" not in str(caught.value)


def test_set_changes_single_values(tmp_path: Path) -> None:
    recipe = load(
        tmp_path, "masks.preset=paper", "masks.median=7", "evidence.mog2.history=33", "out=elsewhere"
    )
    assert recipe.masks.median == 7
    assert recipe.masks.warm_up == "keep"
    assert recipe.labeler_for(Camera.FIXED)[1].history == 33
    assert recipe.out == Path("elsewhere")


def test_one_labeler_or_one_per_camera(tmp_path: Path) -> None:
    one = load(tmp_path, labeler="knn")
    assert [one.labeler_for(camera)[0].name for camera in Camera] == ["knn", "knn"]
    two = load(tmp_path, labeler={"moving": "released-flow"})
    assert two.labeler_for(Camera.FIXED)[0].name == "boxbg"
    assert two.labeler_for(Camera.MOVING)[0].name == "released-flow"


@pytest.mark.parametrize(
    ("preset", "labelers", "masks"),
    [
        ("default", ["boxbg", "egoflow-cut"], "default"),
        ("paper", ["pawcs", "farneback"], "paper"),
        ("spotnet-released", ["pawcs-pybgs", "released-flow"], "spotnet-released"),
    ],
)
def test_a_preset_chooses_labelers_and_mask_rules(
    tmp_path: Path, preset: str, labelers: list[str], masks: str
) -> None:
    bare = {key: value for key, value in tree(tmp_path, tmp_path / "out").items() if key != "labeler"}
    bare["masks"] = {}
    recipe = build_recipe({**bare, "preset": preset})
    assert [recipe.labeler.for_camera(camera) for camera in Camera] == labelers
    assert recipe.masks == MASK_PRESETS[masks]
    assert recipe.effective()["labeler"] == dict(zip(("fixed", "moving"), labelers, strict=True))


def test_what_a_recipe_says_itself_comes_before_its_preset(tmp_path: Path) -> None:
    recipe = load(tmp_path, "preset=paper", "masks.preset=default", "labeler=knn")
    assert recipe.masks == MASK_PRESETS["default"]
    assert {recipe.labeler.fixed, recipe.labeler.moving} == {"knn"}


def test_the_effective_settings_build_the_same_recipe(tmp_path: Path) -> None:
    recipe = load(tmp_path, "masks.preset=spotnet-released")
    assert build_recipe(recipe.effective()).effective() == recipe.effective()


@pytest.mark.parametrize(
    ("text", "message"),
    [("[1, 2]", "expected a mapping"), ("a: [", "not readable as YAML"), ("out: x", "dataset: is required")],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(str(path))


def test_a_recipe_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.yaml: cannot be read: No such file"):
        load_recipe(str(tmp_path / "none.yaml"))
    with pytest.raises(RecipeError, match="uavtd: no such file and no bundled recipe; did you mean 'uavdt'"):
        load_recipe("uavtd")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"out: \xff\xfe\xe9")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(str(latin))


def test_only_names_a_sequence(tmp_path: Path) -> None:
    recipe = build_recipe(tree(tmp_path / "data", tmp_path / "out", "gate-1", "gate-2"))
    assert [sequence.name for sequence in recipe.sequences(["gate-2"])] == ["gate-2"]
    with pytest.raises(RecipeError, match=r"--only gate-3: no such sequence; did you mean 'gate-[12]'"):
        recipe.sequences(["gate-3"])


def test_a_key_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("out: a\ndataset: {reader: mot}\nmasks:\n  close: 3\n  median: 3\n  close: 5\n")
    with pytest.raises(
        RecipeError, match=r"twice\.yaml: line 6: the key 'close' is there already, on line 4$"
    ):
        load_recipe(str(path))


def test_sections_left_empty_count_as_not_set(tmp_path: Path) -> None:
    empty = dict.fromkeys(("masks", "evidence", "frames", "labeler"))
    full = tree(tmp_path, tmp_path / "out")
    without = {key: value for key, value in full.items() if key not in empty}
    assert build_recipe({**full, **empty}).effective() == build_recipe(without).effective()
    assert build_recipe({**full, "evidence": {"mog2": None}}).labeler_for(Camera.FIXED)[1].history
    with pytest.raises(RecipeError, match="maks: unknown key"):
        build_recipe({**full, "maks": None})
    with pytest.raises(RecipeError, match="out: is required and not set"):
        build_recipe({**full, "out": None})


@pytest.mark.parametrize("text", ["2024", "a #1", "2024-01-01", "[x]", "null", "a: b", "'quoted'"])
def test_paths_are_set_as_they_stand(tmp_path: Path, text: str) -> None:
    recipe = load(tmp_path, f"out={text}", f"data={text}")
    assert recipe.out == recipe.data == Path(text)


def test_home_is_expanded_in_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    dataset = {"reader": "ua-detrac", "images": "~/images", "annotations": "xml"}
    recipe = load(tmp_path, "out=~/made", "data=~", dataset=dataset)
    assert (recipe.out, recipe.data) == (tmp_path / "made", tmp_path)
    assert recipe.options.images == tmp_path / "images"
    assert recipe.options.annotations == Path("xml")
    with pytest.raises(RecipeError, match="data: ~nobody-of-this-name/x: the home folder is not known"):
        load(tmp_path, "data=~nobody-of-this-name/x")


def test_the_tree_survives_json(tmp_path: Path) -> None:
    recipe = load(tmp_path, "dataset.classes={3: car, 4: 2024-01-01}")
    assert json.loads(json.dumps(recipe.tree)) == recipe.tree
    assert recipe.options.classes == {3: "car", 4: "2024-01-01"}


def test_a_folder_does_not_shadow_a_bundled_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "uavdt").mkdir()
    (tmp_path / "demo").write_text("out: x\ndataset: {reader: mot}\n")
    assert load_recipe("uavdt").reader.name == "uavdt"
    assert load_recipe("demo").reader.name == "mot"
    assert load_bundled("demo").reader.name == "synthetic"


def test_a_threshold_that_no_evidence_listens_to_is_named() -> None:
    def told(*overrides: str) -> list[str]:
        recipe = load_recipe("demo", overrides)
        return thresholds_without_effect(recipe, items(recipe))

    (line,) = told("masks.motion_threshold=2")
    assert line == (
        "masks.motion_threshold is set and has no effect: it is for motion evidence "
        "(boxbg: distance, egoflow-cut: binary)"
    )
    assert not told("masks.motion_threshold=2", "labeler.moving=farneback")
    assert not told("masks.distance_threshold=150")
    assert not told()


@pytest.mark.parametrize("kind", ["lists", "mappings", "merges"])
def test_a_bomb_of_aliases_is_refused_before_it_is_written_out(tmp_path: Path, kind: str) -> None:
    form = {"lists": "[{}]", "mappings": "{{{}}}", "merges": "{{<<: [{}]}}"}[kind]
    lines = ["a0: &a0 " + ("{k: 1}" if kind == "merges" else "[x, x]")]
    for level in range(1, 25):
        names = [f"*a{level - 1}"] * 9
        inner = (
            ", ".join(f"k{i}: {name}" for i, name in enumerate(names))
            if kind == "mappings"
            else ", ".join(names)
        )
        lines.append(f"a{level}: &a{level} " + form.format(inner))
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(RecipeError, match=r"bomb\.yaml: .*aliases stand for more than 100000 values"):
        load_recipe(str(path))


def test_a_few_aliases_are_what_they_stand_for() -> None:
    assert parse_yaml("a: &x [1, 2]\nb: *x\nc: {<<: {d: *x}}") == {
        "a": [1, 2],
        "b": [1, 2],
        "c": {"d": [1, 2]},
    }
    assert parse_yaml("") is None
