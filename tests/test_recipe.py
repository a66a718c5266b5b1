"""Recipes: typed, refused with the place and the nearest valid key, changed with ``--set``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import RecipeError
from pipeline.recipe import build_recipe, bundled_recipes, load_recipe
from pipeline.sequence import Camera
from tests.recipes import tree, write


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
            "masks: unknown mask setting 'motoin_threshold'; did you mean 'motion_t",
        ),
        ("masks.preset=papr", "masks: unknown mask preset 'papr'; did you mean 'paper'"),
        ("masks.motion_threshold=fast", "masks: .*motion_threshold"),
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
    assert two.labeler_for(Camera.FIXED)[0].name == "pawcs-pybgs"
    assert two.labeler_for(Camera.MOVING)[0].name == "released-flow"


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
