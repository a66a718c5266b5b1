"""The calibration plot: believability against real IoU."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.believability.fit import GOOD
from benchmarks.believability.judged import Judged

BINS = 10


def bins(groups: list[Judged]) -> list[tuple[float, float, int, float, float]]:
    """Boxes by believability in tenths: low edge, high edge, number, mean IoU, share of bad boxes."""
    belief = np.concatenate([group.quality["believability"] for group in groups])
    iou = np.concatenate([group.iou for group in groups])
    place = np.minimum((belief * BINS).astype(np.int64), BINS - 1)
    found = []
    for index in range(BINS):
        here = iou[place == index]
        mean = float(here.mean()) if len(here) else float("nan")
        bad = float((here < GOOD).mean()) if len(here) else float("nan")
        found.append((index / BINS, (index + 1) / BINS, len(here), mean, bad))
    return found


def calibration_png(panels: dict[str, list[Judged]], threshold: float) -> bytes:
    """One panel per title: mean IoU in each tenth of believability, with the number of boxes."""
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "spotlabel"}):
        figure = Figure(figsize=(4.6 * len(panels), 3.6), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (title, groups) in zip(axes, panels.items(), strict=True):
            for low, high, number, mean, _ in bins(groups):
                if not number:
                    continue
                axis.bar((low + high) / 2, mean, width=0.092, color="#4c78a8")
                axis.text((low + high) / 2, mean + 0.015, str(number), ha="center", fontsize=7)
            axis.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
            axis.axvline(threshold, color="#d62728", linewidth=1, linestyle="--")
            axis.set(title=title, xlabel="believability", xlim=(0, 1), ylim=(0, 1.05))
        axes[0].set_ylabel("mean real IoU inside the box")
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=110, metadata={"Software": None})
    return picture.getvalue()
