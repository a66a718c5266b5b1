"""R6 and R7: sealed files whose bytes change on disk: one flipped, some lost."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.detector.data.labelled import open_labelled
from spotlabel.pipeline.cli.verify import verify
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.stages.masks import make_masks
from spotlabel.pipeline.upkeep.labelled import labelled_sequences
from spotlabel.pipeline.upkeep.plan import Item, items

_STEP = 4096


@dataclass(frozen=True)
class _Stage:
    """One labelled video of which one store is damaged."""

    recipe: Recipe
    item: Item
    path: Path
    content: bytes

    @property
    def kind(self) -> str:
        return "masks" if self.path == self.item.mask_path else "evidence"


def run(bench: Bench) -> Iterator[Result]:
    """Flips at random places, then cuts at every 4 KiB; each in evidence and in masks."""
    for evidence in (True, False):
        stage = _stage(bench, evidence)
        yield _flips(bench, stage)
        yield _cuts(bench, stage)


def _stage(bench: Bench, evidence: bool) -> _Stage:
    whole = bench.whole(1, frames=200, labeler="knn")
    recipe = build_recipe({**whole.tree, "out": str(bench.fresh("damage") / "out")})
    outcome = run_sequence(recipe, whole.names[0], False, lambda stage, done, total: None)
    assert not outcome.failed, outcome.error
    (item,) = items(recipe)
    path = item.evidence_path if evidence else item.mask_path
    return _Stage(recipe, item, path, path.read_bytes())


def _flips(bench: Bench, stage: _Stage) -> Result:
    draw = bench.draw(f"flips {stage.kind}")
    tally = Tally(
        "R6",
        f"one byte of a sealed {stage.kind} file flipped",
        f"at random places of {len(stage.content):,} bytes, every other byte value. {_detectors(stage)}",
        bench.counts.flips,
    )
    damages = list(_flipped(stage.content, bench.counts.flips, draw))
    rebuilt = _try_all(tally, stage, damages, bench.counts.rebuilds)
    return tally.result(f"{rebuilt} of the damaged files were rebuilt by the next run, byte by byte")


def _flipped(content: bytes, count: int, draw: random.Random) -> Iterator[tuple[str, bytes]]:
    for _ in range(count):
        place, other = draw.randrange(len(content)), draw.randrange(1, 256)
        changed = bytearray(content)
        changed[place] ^= other
        yield f"byte {place} xor {other}", bytes(changed)


def _cuts(bench: Bench, stage: _Stage) -> Result:
    size = len(stage.content)
    lengths = [0, 1, 511, 512, 513, *range(_STEP, size, _STEP), size - 1]
    damages = [(f"cut to {length} bytes", stage.content[:length]) for length in lengths]
    damages += [("one byte more", stage.content + b"\0"), ("a page more", stage.content + b"\0" * _STEP)]
    tally = Tally(
        "R7",
        f"a sealed {stage.kind} file cut short or grown",
        f"{size:,} bytes cut at every 4 KiB and at the edges of the seal. {_detectors(stage)}",
        len(damages),
    )
    rebuilt = _try_all(tally, stage, damages, bench.counts.rebuilds)
    return tally.result(f"{rebuilt} of the damaged files were rebuilt by the next run, byte by byte")


def _detectors(stage: _Stage) -> str:
    readers = (
        "the reader that training opens, and the check of all videos before a training"
        if stage.kind == "masks"
        else "the mask stage that reads it"
    )
    return f"Each has to be detected by `spotlabel verify stores`, and by {readers}"


def _try_all(tally: Tally, stage: _Stage, damages: Iterable[tuple[str, bytes]], rebuilds: int) -> int:
    """Damage the store in every way; some of the damaged files are left for a next run to make again."""
    rebuilt = 0
    for where, content in damages:
        stage.path.write_bytes(content)
        problems = list(_unnoticed(stage))
        if tally.count < rebuilds:
            outcome = run_sequence(stage.recipe, stage.item.sequence.name, False, lambda *_: None)
            whole = not outcome.failed and stage.path.read_bytes() == stage.content
            problems += [] if whole else [f"not rebuilt: {outcome.error or 'other bytes'}"]
            rebuilt += whole
        tally.record(where, problems)
    stage.path.write_bytes(stage.content)
    return rebuilt


def _unnoticed(stage: _Stage) -> Iterator[str]:
    """Who took the damaged file for a whole one, or fell over it."""
    told = CliRunner().invoke(verify, ["stores", "--quiet", str(stage.path)])
    if told.exit_code != 1 or "DAMAGED" not in told.output:
        yield f"verify ended with {told.exit_code}: {told.output.strip()!r}"
    readers = (_train, _plan_training) if stage.kind == "masks" else (_make_masks,)
    for reader in readers:
        try:
            reader(stage)
        except SpotlabelError:
            continue
        yield f"{reader.__name__.strip('_')} took it for whole"


def _train(stage: _Stage) -> None:
    video = open_labelled(stage.item.sequence, stage.path)
    for index in range(len(video.masks)):
        video.masks.read(index)


def _plan_training(stage: _Stage) -> None:
    labelled_sequences(stage.recipe)


def _make_masks(stage: _Stage) -> None:
    annotations = stage.item.sequence.load()
    make_masks(stage.recipe, stage.item, annotations, lambda done, total: None)
