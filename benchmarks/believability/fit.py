"""How the weights of the parts are fitted, and how they do on sequences that the fit has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.stats import rankdata, spearmanr

from benchmarks.believability.judged import Judged
from spotlabel.labelers.masks.believability import combine, parts_of

GOOD = 0.5
"""A box's mask is bad if its IoU is less than this."""
_STARTS = (0.3, 0.7)


def fit(groups: Iterable[Judged]) -> dict[str, float]:
    """Weights, 0 to 1, with the least squared difference of belief and IoU; each group weighs the same."""
    known = [(parts_of(group.quality), group.iou) for group in groups]
    names = list(dict.fromkeys(name for found, _ in known for name in found))
    tables = [
        (np.nan_to_num(np.stack([found.get(name, np.ones_like(iou)) for name in names]), nan=1.0), iou)
        for found, iou in known
    ]

    def error(weights: npt.NDArray[np.float64]) -> float:
        return float(np.mean([((belief(table, weights) - iou) ** 2).mean() for table, iou in tables]))

    def belief(table: npt.NDArray[Any], weights: npt.NDArray[np.float64]) -> Any:
        return (1 - weights[:, None] * (1 - table)).prod(axis=0)

    bounds = [(0.0, 1.0)] * len(names)
    results = [minimize(error, np.full(len(names), s), bounds=bounds, method="L-BFGS-B") for s in _STARTS]
    best = min(results, key=lambda result: float(result.fun))
    return dict(zip(names, best.x.tolist(), strict=True))


def mean_error(groups: Iterable[Judged], weights: Mapping[str, float]) -> float:
    """Mean squared difference of belief and IoU, each group weighing the same."""
    errors = [((combine(parts_of(group.quality), weights) - group.iou) ** 2).mean() for group in groups]
    return float(np.mean(errors))


def rank_correlation(belief: npt.NDArray[Any], iou: npt.NDArray[np.float64]) -> float:
    """Spearman's rho; NaN where either is constant."""
    if len(iou) < 3 or np.ptp(belief) == 0 or np.ptp(iou) == 0:
        return float("nan")
    return float(spearmanr(belief, iou)[0])


def separation(belief: npt.NDArray[Any], iou: npt.NDArray[np.float64]) -> float:
    """Chance that a good box is believed more than a bad one (area under the ROC curve); NaN without both."""
    good = iou >= GOOD
    goods, bads = int(np.count_nonzero(good)), int(np.count_nonzero(~good))
    if not goods or not bads:
        return float("nan")
    return float((rankdata(belief)[good].sum() - goods * (goods + 1) / 2) / (goods * bads))


def turned_unknown(
    belief: npt.NDArray[Any], iou: npt.NDArray[np.float64], threshold: float
) -> tuple[float, float]:
    """Shares of the bad boxes and of the good boxes that lie below a threshold; NaN without any."""
    good, below = iou >= GOOD, belief < threshold
    return _share(below[~good]), _share(below[good])


def _share(chosen: npt.NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if len(chosen) else float("nan")
