"""R26: a bit that flips below the file system, so that no size, time or inode tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline import hashing
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import items, plan_item


def run(bench: Bench) -> Iterator[Result]:
    """Bits of evidence and masks, each looked for by a deep look and made again."""
    whole, draw = bench.whole(1), bench.draw("rot")
    tally = Tally(
        "R26",
        "a bit flipped below the file system",
        "anywhere in an evidence or mask store whose digest was remembered; nothing of what the file system "
        "says of the file changes (its answers are held). `verify: full` (and so `status --deep`) must call "
        "it damaged, and a run under it must make the right bytes again",
        bench.counts.rot,
    )
    out = bench.fresh("rot") / "out"
    recipe = build_recipe({**whole.tree, "out": str(out)})
    with _blind():
        _run(recipe, whole.names[0])
        deep = build_recipe({**whole.tree, "out": str(out), "verify": "full"})
        stores = sorted(path for path in out.rglob("*.h5") if not path.name.startswith("."))
        for number in range(bench.counts.rot):
            path = stores[number % len(stores)]
            place, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
            sound = path.read_bytes()
            _flip(path, place, bit)
            problems = [] if _damaged(deep) else ["a deep look took it for whole"]
            _run(deep, whole.names[0])
            problems += [] if path.read_bytes() == sound else ["not made again"]
            path.write_bytes(sound)
            tally.record(f"{path.parent.name}, byte {place} bit {bit}", problems)
    yield tally.result()


@contextmanager
def _blind() -> Iterator[None]:
    """The file system says the same of a file whatever becomes of it: digests once remembered stay."""
    with (
        mock.patch.object(hashing, "_RACY_SECONDS", -1.0),
        mock.patch.object(hashing, "_signature", return_value=[0, 0, 0, 0]),
    ):
        yield


def _run(recipe: Recipe, name: str) -> None:
    outcome = run_sequence(recipe, name, False, lambda *_: None)
    assert not outcome.failed, outcome.error


def _damaged(recipe: Recipe) -> bool:
    plan = plan_item(recipe, items(recipe)[0])
    return "damaged" in f"{plan.evidence} {plan.masks}".lower()


def _flip(path: Path, place: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
