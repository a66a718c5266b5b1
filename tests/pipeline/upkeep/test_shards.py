"""Shards: every video in exactly one, about equal frames, the same everywhere; the gathering at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.upkeep.shards import Shard, assign
from tests.helpers.recipes import command, environment, leftovers, spotlabel, stores, tree, video, write

LENGTHS = st.dictionaries(st.text(max_size=5), st.integers(0, 5000), max_size=30)


@given(LENGTHS, st.integers(1, 40))
def test_every_video_is_in_exactly_one_shard(lengths: dict[str, int], count: int) -> None:
    shares = assign(lengths, count)
    assert len(shares) == count
    assert sorted(name for share in shares for name in share) == sorted(lengths)


@given(LENGTHS, st.integers(1, 40))
def test_the_fullest_shard_exceeds_the_emptiest_by_at_most_one_video(
    lengths: dict[str, int], count: int
) -> None:
    loads = [sum(lengths[name] for name in share) for share in assign(lengths, count)]
    assert max(loads) - min(loads) <= max(lengths.values(), default=0)
    sizes = [len(share) for share in assign(dict.fromkeys(lengths, 7), count)]
    assert max(sizes) - min(sizes) <= 1


@given(LENGTHS, st.integers(1, 40), st.randoms())
def test_the_order_of_the_listing_plays_no_part(lengths: dict[str, int], count: int, random) -> None:
    names = list(lengths)
    random.shuffle(names)
    assert assign({name: lengths[name] for name in names}, count) == assign(lengths, count)


def test_a_worked_example() -> None:
    lengths = {"a": 100, "b": 90, "c": 80, "d": 30, "e": 20, "f": 10}
    assert assign(lengths, 3) == [["a", "f"], ["b", "e"], ["c", "d"]]
    assert assign({"x": 5}, 3) == [["x"], [], []]


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "-1/4", "a/b", "1/2/3", "1.0/2", "1/"])
def test_anything_but_one_of_n_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match=r"^--shard "):
        Shard.parse(text)


def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    done = spotlabel(
        "label", write(tmp_path / "r.yaml", tree(tmp_path / "d", tmp_path / "o", "a")), "--shard", "0/4"
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: --shard 0/4: shares are counted from 1 to n; for a job array: sbatch"
    )
    assert done.stderr.count("\n") == 1


def test_shards_in_any_order_give_the_bytes_of_one_run(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for seed, (name, frames) in enumerate({"a": 30, "b": 12, "c": 12}.items()):
        video(data, name, frames, seed)
    whole = write(tmp_path / "w.yaml", tree(data, tmp_path / "whole", "a", "b", "c"))
    assert spotlabel("label", whole, "--jobs", 1).returncode == 0
    recipe = write(tmp_path / "r.yaml", tree(data, out, "a", "b", "c"))
    made = {}
    for share in ("3/4", "2/4", "4/4"):
        done = spotlabel("label", recipe, "--shard", share, "--json")
        assert done.returncode == 0, done.stderr
        made[share] = [outcome["sequence"] for outcome in json.loads(done.stdout)]
    assert made == {"3/4": ["c"], "2/4": ["b"], "4/4": []}
    assert "shard 4/4 is empty: there are only 3 videos" in done.stderr
    assert spotlabel("status", recipe, "--shard", "2/4").returncode == 0
    assert "2 of 3 videos up to date" in spotlabel("status", recipe).stdout
    first = spotlabel("status", recipe, "--shard", "1/4")
    assert first.returncode == 1
    assert "shard 1/4: 0 of 1 videos up to date" in first.stdout
    assert spotlabel("relabel", recipe, "--shard", "2/4").returncode == 0
    assert spotlabel("label", recipe, "--shard", "1/4").returncode == 0
    assert stores(out) == stores(tmp_path / "whole")
    assert leftovers(out) == []


def test_waiting_ends_when_another_process_has_done_the_rest(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a", "b"))
    waiting = subprocess.Popen(
        command("label", recipe, "--shard", "1/2", "--wait", "300"),
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True,
    )  # fmt: skip
    try:
        assert waiting.stderr is not None
        told = ""
        while "waiting for others: 1 of 2 videos up to date" not in told:
            told = waiting.stderr.readline()
            assert told
        assert spotlabel("label", recipe, "--shard", "2/2").returncode == 0
        _, errors = waiting.communicate(timeout=120)
    finally:
        waiting.kill()
    assert waiting.returncode == 0
    assert f"all 2 videos are up to date in {tmp_path / 'out'}" in errors


def test_at_the_limit_what_is_missing_is_named(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a", "b"))
    done = spotlabel("label", recipe, "--shard", "1/2", "--wait", "0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "b: evidence missing, masks missing",
        "1 of 2 videos are not up to date after 0 s; run `spotlabel label` for them, or wait longer (--wait)",
    ]
    wrong = spotlabel("label", "--wait", recipe)
    assert wrong.returncode == 2
    assert "RECIPE goes before --wait" in wrong.stderr


def test_who_has_failed_does_not_wait(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a", "b"))
    broken = sorted((tmp_path / "data" / "a" / "img1").iterdir())[2]
    broken.write_bytes(b"")
    done = spotlabel("label", recipe, "--shard", "1/2", "--wait")
    assert done.returncode == 1
    assert "1 of 1 videos failed; not waiting for other shards" in done.stderr


_LATE = """
import sys
from pathlib import Path
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.running.job import run_sequence
print(run_sequence(load_recipe(sys.argv[1]), "a", False, lambda *_: None).evidence)
"""


def test_a_video_that_another_run_finished_meanwhile_is_not_redone(tmp_path: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a"))

    def turn() -> str:  # what a child does when its turn comes, whatever its parent had planned
        done = subprocess.run(
            [sys.executable, "-c", _LATE, str(recipe)],
            capture_output=True,
            text=True,
            env=environment(),
            check=True,
        )
        return done.stdout.strip()

    assert [turn(), turn()] == ["made", "fresh"]
