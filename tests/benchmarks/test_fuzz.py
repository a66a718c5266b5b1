"""Fuzzing at small counts: it holds, it repeats itself, and it hides neither a crash nor a hang."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.fuzz import child, mutate
from benchmarks.fuzz.child import draw_of, tried
from benchmarks.fuzz.kind import Kind
from benchmarks.fuzz.kinds import kind_of, kinds, shares
from benchmarks.fuzz.run import fuzz
from spotlabel.pipeline.datasets.registry import reader_names
from spotlabel.pipeline.errors import DatasetError


@pytest.mark.parametrize("name", [kind.name for kind in kinds()])
def test_mutated_files_are_refused_in_a_line_or_make_sense(name: str, tmp_path: Path) -> None:
    trial = kind_of(name).prepare(tmp_path)
    outcomes = [tried(trial, draw_of(name, number)) for number in range(25)]
    assert [problems for problems, _ in outcomes if problems] == []
    assert any(refused for _, refused in outcomes)


@pytest.mark.parametrize(("name", "number"), [("evidence", 115), ("public-checkpoint", 3588)])
def test_inputs_that_once_were_lost(name: str, number: int, tmp_path: Path) -> None:
    assert tried(kind_of(name).prepare(tmp_path), draw_of(name, number)) == ([], True)


def test_every_reader_of_files_is_fuzzed() -> None:
    from benchmarks.fuzz.annotations import FORMS

    assert {form.reader for form in FORMS} == {*reader_names()} - {"synthetic"}


def test_inputs_are_shared_out_whole() -> None:
    counts = shares(1000, tuple(kinds()))
    assert 1000 <= sum(counts.values()) <= 1000 + len(counts)
    assert min(counts.values()) >= 1


@pytest.mark.parametrize("change", [mutate.changed, mutate.flipped, mutate.text])
def test_equal_draws_give_equal_changes(change: object) -> None:
    content = b"frame 1, box 2 3 4.5\n" * 9
    made = [change(content, random.Random(number)) for number in (*range(50), *range(50))]  # type: ignore[operator]
    assert made[:50] == made[50:]
    assert sum(one != content for one in made) > 80


def test_a_tree_is_changed_and_its_original_is_not() -> None:
    own = {"a": [1, {"b": 2}], "c": "d"}
    made = [repr(mutate.tree(own, random.Random(number))) for number in range(50)]
    assert own == {"a": [1, {"b": 2}], "c": "d"}
    assert made == [repr(mutate.tree(own, random.Random(number))) for number in range(50)]
    assert len(set(made)) > 30


def refuse(text: str) -> child.Trial:
    def trial(_: random.Random) -> list[str]:
        raise DatasetError(text)

    return trial


def test_what_counts_as_taken_as_it_should_be() -> None:
    draw = random.Random(1)
    assert tried(lambda _: [], draw) == ([], False)
    assert tried(refuse("a.csv: line 3"), draw) == ([], True)
    assert tried(refuse("two\nlines"), draw)[0] == ["refused in other than one line: 'two\\nlines'"]
    assert tried(lambda _: [str(1 / 0)], draw)[0][0].startswith("ZeroDivisionError: 'division by zero'")


@pytest.mark.parametrize("fault", ["dies", "hangs", "eats", "waits"])
def test_a_fault_is_told_with_its_input_and_the_rest_goes_on(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT", fault)
    monkeypatch.setattr("benchmarks.fuzz.run._DEAF_SECONDS", 5)
    kind = Kind("faulty", "R1", 1, "", lambda folder: lambda draw: [])
    result = fuzz(kind, 0, 6, tmp_path, module="tests.helpers.faulty_child")
    told = {
        "dies": "ended the process (-9)", "hangs": "hangs beyond its alarm", "eats": "asked for more than",
        "waits": "took more than",
    }  # fmt: skip
    assert (result.count, result.lost) == (6, 1)
    assert result.problems[0].startswith(f"`--only faulty --seed 3`: {told[fault]}")
