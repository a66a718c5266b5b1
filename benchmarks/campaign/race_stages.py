"""R23: the stages whose inputs are edited while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import torch

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.race_makers import Labelling, Masks
from benchmarks.campaign.race_users import Detection, Exporting, Training
from benchmarks.campaign.races import Stage, sweep
from benchmarks.campaign.result import Result
from spotlabel.labelers.registry import BUILTIN

LABELERS = tuple(name for name in BUILTIN if name != "pawcs-pybgs")
"""All that come with spotlabel but the one whose library has to be compiled by hand."""

STAGES: dict[str, Callable[[Bench], Stage]] = {
    **{labeler: partial(Labelling, labeler=labeler) for labeler in LABELERS},
    "masks": Masks,
    "training": Training,
    "detection": Detection,
    "export": Exporting,
}


def run(bench: Bench) -> Iterator[Result]:
    """A line for each labeler and each further stage, two at a time."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield from pool.map(partial(sweep_stage, bench), reversed(STAGES))  # the slow ones first


def sweep_stage(bench: Bench, name: str) -> Result:
    """All boundaries of one stage."""
    torch.set_num_threads(1)
    return sweep(STAGES[name](bench), bench.counts.races, bench.draw(f"races {name}"))
