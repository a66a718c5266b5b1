"""R25: one bit flipped in detectors, training states, and tables of stores that are already open."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import torch
from torch import nn

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.detector.model import ModelSpec, read_model, save_model
from spotlabel.detector.training.loop import new_trained
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.state import Progress, load_state, save_state
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.store import EvidenceReader, MaskReader
from tests.helpers.stores import flip


def run(bench: Bench) -> Iterator[Result]:
    """Whole files at any bit, then every table of both stores."""
    torch.set_num_threads(1)
    folder = bench.fresh("bits")
    spec = ModelSpec(preset="centernet", backbone="hourglass-tiny", class_names=("car",))
    save_model(folder / "model.safetensors", spec.build(), spec)
    yield _flips(bench, "a detector", folder / "model.safetensors", read_model)
    trained = new_trained(nn.Linear(30, 20), TrainingSettings())  # type: ignore[arg-type]
    save_state(folder / "state.safetensors", trained, Progress(step=3))
    yield _flips(
        bench, "a training state", folder / "state.safetensors", lambda path: load_state(path, trained)
    )
    yield _tables(bench)


def _flips(bench: Bench, what: str, path: Path, load: Callable[[Path], object]) -> Result:
    draw, whole = bench.draw(what), path.read_bytes()
    tally = Tally(
        "R25", f"a bit of {what} flipped",
        f"any bit of {len(whole):,} bytes: loading it is refused in one line", bench.counts.flips,
    )  # fmt: skip
    for _ in range(bench.counts.flips):
        bit = draw.randrange(8 * len(whole))
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        tally.record(f"bit {bit}", _unseen(lambda: load(path)))
    path.write_bytes(whole)
    return tally.result()


def _tables(bench: Bench) -> Result:
    whole = bench.whole(1)
    out, draw = Path(whole.tree["out"]), bench.draw("tables")
    scratch = bench.fresh("tables") / "store.h5"
    tally = Tally(
        "R25", "a bit of a table flipped in a store that is open",
        "evidence and masks are opened and found sealed, then any bit of any of their tables changes on the "
        "disk: reading the tables is refused in one line", bench.counts.flips,
    )  # fmt: skip
    contents = [path.read_bytes() for path in sorted(out.rglob("*.h5"))]
    for number in range(bench.counts.flips):
        scratch.write_bytes(contents[number % 2])
        name, bit = _place(scratch, draw)  # before it is open: HDF5 would share what it has open
        reader = MaskReader(scratch) if number % 2 else EvidenceReader(scratch)
        assert reader.sequence
        flip(scratch, name, bit)
        tally.record(f"{name}, bit {bit}", _unseen(reader.check_facts))
        reader.close()
    return tally.result()


def _place(path: Path, draw: random.Random) -> tuple[str, int]:
    """A table of a store, and one of its bits."""
    sizes: dict[str, int] = {}

    def note(name: str, thing: object) -> None:
        if isinstance(thing, h5py.Dataset) and thing.nbytes and thing.ndim < 3:
            sizes[name] = 8 * thing.nbytes

    with h5py.File(path, "r") as file:
        file.visititems(note)
    name = draw.choice(sorted(sizes))
    return name, draw.randrange(sizes[name])


def _unseen(load: Callable[[], object]) -> list[str]:
    """What is wrong with how the damage was met."""
    try:
        load()
    except SpotlabelError as error:
        return ["more than one line"] if "\n" in str(error) else []
    return ["was taken for whole"]
