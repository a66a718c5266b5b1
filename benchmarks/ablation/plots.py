"""AP70 of every seed, a line per seed, so that pairs can be seen as pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.paired.plots import as_png
from benchmarks.paired.statistics import Table


def draw_seeds(table: Table, seeds: Sequence[int]) -> bytes:
    """AP70 over the variants as PNG: thin lines are seeds, the thick one is their mean."""
    values = np.array([table[variant]["ap70"] for variant in table])  # (variants, seeds)
    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(values))
    for seed, column in zip(seeds, values.T, strict=True):
        axes.plot(places, column, "o-", linewidth=1, markersize=4, alpha=0.7, label=f"seed {seed}")
    axes.plot(places, values.mean(axis=1), "k_-", linewidth=2.5, markersize=18, label="mean")
    axes.set_xticks(places, list(table))
    axes.set_ylabel("AP at IoU 0.7, percent")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=8)
    return as_png(figure)
