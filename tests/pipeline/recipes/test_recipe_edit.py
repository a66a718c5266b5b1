"""Values changed in the text of a recipe: nothing else changes, and the text says what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.recipes.edit import edited

RECIPE = """\
# our cameras
data: /data/cams   # on the big disk
out: runs/cams

masks:   # as of March
  preset: paper
  median: 5        # less noise
  classes:
    - car   # no lorries
    - van
  owners: {rule: tracks,  window: 9}   # wide

  # how much of a box
  min_fill:    0.25

# the end
verify: seal
"""


def lines_changed(before: str, after: str) -> list[str]:
    kept = before.splitlines()
    return [line for line in after.splitlines() if line not in kept]


def test_values_are_replaced_where_they_stand() -> None:
    changes = {("masks", "median"): 7, ("masks", "min_fill"): 0.3, ("masks", "owners", "window"): 12}
    after = edited(RECIPE, changes)
    assert lines_changed(RECIPE, after) == [
        "  median: 7        # less noise",
        "  owners: {rule: tracks,  window: 12}   # wide",
        "  min_fill:    0.3",
    ]
    assert len(after.splitlines()) == len(RECIPE.splitlines())


def test_new_keys_stand_behind_the_last_one_of_their_section() -> None:
    after = edited(RECIPE, {("masks", "blur"): 3, ("masks", "owners", "rule"): "none"})
    assert "  min_fill:    0.25\n  blur: 3\n\n# the end\n" in after
    assert "owners: {rule: none,  window: 9}   # wide" in after


def test_a_list_on_lines_of_its_own_becomes_one_line() -> None:
    after = edited(RECIPE, {("masks", "classes"): None})
    assert "  median: 5        # less noise\n  classes: null\n  owners:" in after
    after = edited(RECIPE, {("masks", "classes"): ["bus", "a: b"]})
    assert yaml.safe_load(after)["masks"]["classes"] == ["bus", "a: b"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "masks:\n  blur: 3\n"),
        ("# only this\n", "# only this\nmasks:\n  blur: 3\n"),
        ("out: a", "out: a\nmasks:\n  blur: 3\n"),
        ("out: a\r\nverify: full\r\n", "out: a\r\nverify: full\r\nmasks:\r\n  blur: 3\r\n"),
        ("masks:\nout: a\n", "masks:\n  blur: 3\nout: a\n"),
        ("masks:   # none yet\nout: a\n", "masks:   # none yet\n  blur: 3\nout: a\n"),
        ("masks: null\nout: a\n", "masks:\n  blur: 3\nout: a\n"),
        ("masks: {}\nout: a\n", "masks: {blur: 3}\nout: a\n"),
        ("masks: {preset: paper}\nout: a\n", "masks: {preset: paper, blur: 3}\nout: a\n"),
        ("masks: {preset: paper, }\n", "masks: {preset: paper, blur: 3, }\n"),
        ("masks: {open: 3, # note\n  }\n", "masks: {open: 3, blur: 3, # note\n  }\n"),
        ("masks: {open: 3 # {note}\n  }\n", "masks: {open: 3, blur: 3 # {note}\n  }\n"),
        ("masks: &m\n  open: 3\nout: a\n", "masks: &m\n  open: 3\n  blur: 3\nout: a\n"),
        ("{out: a, masks: }\n", "{out: a, masks: {blur: 3} }\n"),
        ("masks:\n    preset: paper", "masks:\n    preset: paper\n    blur: 3\n"),
        ("masks: {blur: }\n", "masks: {blur: 3 }\n"),
        ("masks:\n  blur:\n", "masks:\n  blur: 3\n"),
        ("masks:\n  blur: ~  # off\n", "masks:\n  blur: 3  # off\n"),
        ("masks:\n- a\n", None),
        ("masks: 3\n", None),
    ],
)
def test_where_a_value_goes(before: str, after: str | None) -> None:
    if after is None:
        with pytest.raises(RecipeError, match="masks: is a single value and has no keys"):
            edited(before, {("masks", "blur"): 3})
    else:
        assert edited(before, {("masks", "blur"): 3}) == after


def test_a_list_without_indent() -> None:
    after = edited("masks:\n  classes:\n  - car\n  - van\n  blur: 3\n", {("masks", "classes"): ["bus"]})
    assert after == "masks:\n  classes: [bus]\n  blur: 3\n"


def test_a_text_block_at_the_end_is_not_run_into() -> None:
    after = edited("masks:\n  note: |\n    one\n    two\nout: a\n", {("masks", "blur"): 3})
    assert after == "masks:\n  note: |\n    one\n    two\n  blur: 3\nout: a\n"


def test_what_is_no_yaml_is_said_so() -> None:
    with pytest.raises(RecipeError, match="not readable as YAML"):
        edited("masks: [", {("masks", "blur"): 3})


KEYS = st.sampled_from(["a", "b", "c", "mit ä"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 999), st.floats(-1e3, 1e3), st.text(max_size=6),
    st.lists(st.sampled_from(["car", "a: b", "#x", "null", "3"]), max_size=3),
)  # fmt: skip
TREES = st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=3)), max_size=4)


@example(tree={}, path=["a"], value="x\x85\u2028y\u2029", flow=None)
@given(
    tree=TREES,
    path=st.lists(KEYS, min_size=1, max_size=2),
    value=VALUES,
    flow=st.sampled_from([None, True, False]),
)
def test_any_value_in_any_place(tree: dict[str, Any], path: list[str], value: Any, flow: bool | None) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True) if tree else "# empty\n"
    expected: dict[str, Any] = yaml.safe_load(text) or {}
    node = expected
    for key in path[:-1]:
        if node.get(key) is None:
            node[key] = {}
        node = node[key]
        if not isinstance(node, dict):
            with pytest.raises(RecipeError, match="single value"):
                edited(text, {tuple(path): value})
            return
    node[path[-1]] = value
    assert yaml.safe_load(edited(text, {tuple(path): value})) == expected
