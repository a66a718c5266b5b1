"""The figures that the claims are about, a line per seed, so that pairs can be seen as pairs."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.attentions.settings import PRESETS
from benchmarks.paired.plots import as_png
from benchmarks.paired.runs import Records

PANELS = {
    "twin_rate": "distractors met, %, at 80 % recall (lower is better)",
    "ap50_hidden": "AP50, %, with hidden patches",
    "ap50_alike": "AP50, %, of classes that look alike",
    "ap70": "AP70, %, whatever the class",
}
FAMILIES = (2, len(PRESETS))
"""Lines break after this many variants: one-stage and two-stage detectors are not compared."""


def draw_figures(records: Records) -> bytes:
    """Four panels as PNG: thin lines are seeds, the black marks their means; runs not made leave gaps."""
    seeds = sorted({seed for _, seed in records})
    figure = Figure(figsize=(11, 7.5), dpi=110, layout="constrained")
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        _draw(axes, records, name, seeds)
        axes.set_title(title, fontsize=10)
    figure.axes[0].legend(fontsize=7)
    return as_png(figure)


def _draw(axes: Axes, records: Records, name: str, seeds: list[int]) -> None:
    places = np.arange(len(PRESETS))
    table = np.array(
        [[records[v, s]["figures"][name] if (v, s) in records else math.nan for s in seeds] for v in PRESETS]
    )  # (variants, seeds)
    for number, seed in enumerate(seeds):
        label, start = f"seed {seed}", 0
        for stop in FAMILIES:
            part = slice(start, stop)
            axes.plot(
                places[part], table[part, number], "o-", color=f"C{number}", linewidth=1, markersize=4,
                alpha=0.7, label=label,
            )  # fmt: skip
            label, start = "_", stop
    done = np.isfinite(table).any(axis=1)
    axes.plot(places[done], np.nanmean(table[done], axis=1), "k_", markersize=18, markeredgewidth=2.5)
    axes.set_xticks(places, list(PRESETS), fontsize=8)
    axes.grid(axis="y", alpha=0.3)
