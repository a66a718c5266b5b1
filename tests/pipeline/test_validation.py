"""A typo names the key and the nearest valid one."""

from __future__ import annotations

import pytest

from spotlabel.labelers.base import Settings
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.validation import nearest, validated


class Inner(Settings):
    winsize: int = 15


class Outer(Settings):
    threshold: float = 1.0
    inner: Inner = Inner()
    out: str


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"out": "x", "treshold": 2}, "masks.treshold: unknown key; did you mean 'threshold'?"),
        ({"out": "x", "inner": {"winsze": 2}}, "masks.inner.winsze: unknown key; did you mean 'winsize'?"),
        ({}, "masks.out: is required and not set"),
        ({"out": "x", "threshold": "fast"}, "masks.threshold: .*number.*found 'fast'"),
        ({"out": "x", "threshold": float("nan")}, "masks.threshold: .*finite"),
        ({"out": "x", "zzzzzz": 1}, r"masks.zzzzzz: unknown key; \(known: inner, out, threshold\)"),
    ],
)
def test_messages(values: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        validated(Outer, values, "masks")
    assert "\n" not in str(caught.value)


def test_the_top_level_has_no_leading_dot() -> None:
    with pytest.raises(RecipeError, match=r"^out: is required"):
        validated(Outer, {}, "")


def test_good_values_pass() -> None:
    assert validated(Outer, {"out": "x", "inner": {"winsize": 3}}, "masks").inner.winsize == 3


def test_nearest_lists_everything_when_nothing_is_near() -> None:
    assert nearest("qqq", ["b", "a"]) == "(known: a, b)"
