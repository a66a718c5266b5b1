"""Figures of corrected boxes: estimates for all masks from a drawn sample, plain means of what was chosen.

The estimate is the stratified mean: each decided box of a stratum stands for the stratum's boxes divided by
its decided ones. The interval is that of a bootstrap within the strata (Efron and Tibshirani, An Introduction
to the Bootstrap, 1993, chapter 13), seeded, so the same corrections give the same interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.audit.judged import Judged
from spotlabel.pipeline.audit.proposal import Proposal
from spotlabel.pipeline.boxes import SIZES
from spotlabel.pipeline.manual import Decision, Key

Float = npt.NDArray[np.float64]

RESAMPLES = 2000
SEED = 0
LEVEL = 0.95
GOOD = 0.8
"""Masks of at least this IoU are called good where it is asked whether believability tells good from bad."""
FEW = 10
"""Of fewer boxes nothing is said about believability."""


@dataclass(frozen=True)
class Estimate:
    """Mean IoU of some masks.

    Attributes:
        name: which.
        boxes: decided boxes that it is made of.
        mean: 0 to 1.
        low: lower end of the interval.
        high: upper end.
    """

    name: str
    boxes: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Audit:
    """What corrections tell.

    Attributes:
        proposed: boxes of the sample.
        decided: those of them that a person has decided.
        cannot_tell: those of these of which the person said that nobody can tell.
        not_made: those that the rules left unknown, so that there is no mask to compare.
        covered: share of all boxes in strata of which one was decided, 0 to 1.
        estimates: from the sample: of all masks, by class, by size; empty without one.
        chosen: number of corrected boxes that are not of the sample and can be compared.
        chosen_mean: their mean IoU; NaN if there are none.
        spearman: rank correlation of believability and IoU in the sample; NaN of few boxes.
        auc: chance that of a good and a bad mask of the sample the good one is more believable; likewise.
    """

    proposed: int
    decided: int
    cannot_tell: int
    not_made: int
    covered: float
    estimates: tuple[Estimate, ...]
    chosen: int
    chosen_mean: float
    spearman: float
    auc: float


def audit(judged: Sequence[Judged], proposal: Proposal | None) -> Audit:
    """Figures of all corrected boxes.

    Args:
        judged: of all videos.
        proposal: the sample, if one was drawn.
    """
    drawn = {} if proposal is None else _strata(proposal)
    sample = [one for one in judged if (one.video, one.key) in drawn]
    chosen = np.array([one.iou for one in judged if (one.video, one.key) not in drawn], np.float64)
    chosen = chosen[np.isfinite(chosen)]
    strata = np.array([drawn[one.video, one.key] for one in sample], np.int64)
    sizes = np.array([]) if proposal is None else _sizes(proposal)
    told = [one for one in sample if np.isfinite(one.iou)]
    iou, score = (np.array([getattr(one, name) for one in told]) for name in ("iou", "believability"))
    unsure = [one.decision == Decision.UNKNOWN for one in sample]
    return Audit(
        proposed=len(drawn),
        decided=len(sample),
        cannot_tell=sum(unsure),
        not_made=len(sample) - len(told) - sum(unsure),
        covered=float(sizes[np.unique(strata)].sum() / sizes.sum()) if len(sizes) else 0.0,
        estimates=tuple(_estimates(sample, strata, sizes)),
        chosen=len(chosen),
        chosen_mean=float(chosen.mean()) if len(chosen) else float("nan"),
        spearman=spearman(score, iou),
        auc=auc(score, iou >= GOOD),
    )


def overall(sample: Sequence[Judged], proposal: Proposal) -> Estimate | None:
    """The figure of all masks alone, which is the first of :func:`audit`.

    Args:
        sample: decided boxes of the sample.
        proposal: it.

    Returns:
        None if none of them can be compared.
    """
    drawn, iou = _strata(proposal), np.array([one.iou for one in sample], np.float64)
    strata = np.array([drawn[one.video, one.key] for one in sample], np.int64)
    counted = np.isfinite(iou)
    return estimate("all", iou, counted, strata, _sizes(proposal)) if counted.any() else None


def _strata(proposal: Proposal) -> dict[tuple[str, Key], int]:
    return {(box.video, box.key): box.stratum for box in proposal.boxes}


def _sizes(proposal: Proposal) -> Float:
    return np.array([stratum.boxes for stratum in proposal.strata], np.float64)


def _estimates(sample: list[Judged], strata: npt.NDArray[np.int64], sizes: Float) -> list[Estimate]:
    groups = {"all": np.ones(len(sample), np.bool_)}
    for name in sorted({one.class_name for one in sample}):
        groups[f"class {name}"] = np.array([one.class_name == name for one in sample])
    for size in SIZES:
        groups[size] = np.array([one.size == size for one in sample], np.bool_)
    iou = np.array([one.iou for one in sample], np.float64)
    found = []
    for name, rows in groups.items():
        counted = rows & np.isfinite(iou)
        if counted.any():
            found.append(estimate(name, iou, counted, strata, sizes))
    return found


def estimate(
    name: str, iou: Float, counted: npt.NDArray[np.bool_], strata: npt.NDArray[np.int64], sizes: Float
) -> Estimate:
    """Mean IoU of those of the counted boxes.

    Args:
        name: what they are called.
        iou: float64 (n,), of every decided box of the sample.
        counted: bool (n,), those that belong to the group and have an IoU.
        strata: int64 (n,), stratum of each.
        sizes: float64 (S,), boxes of each stratum.
    """
    decided = np.bincount(strata, minlength=len(sizes))
    weight = (sizes / np.maximum(decided, 1))[strata]
    value = np.where(counted, np.nan_to_num(iou), 0.0)
    mean = float((weight * value).sum() / (weight * counted).sum())
    random = np.random.default_rng(SEED)
    above, below = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for stratum in np.unique(strata).tolist():
        rows = np.flatnonzero(strata == stratum)
        again = rows[random.integers(0, len(rows), (RESAMPLES, len(rows)))]
        above += (weight[again] * value[again]).sum(axis=1)
        below += (weight[again] * counted[again]).sum(axis=1)
    means = above[below > 0] / below[below > 0]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Estimate(name, int(counted.sum()), mean, low, high)


def ranks(values: Float) -> Float:
    """Ranks from 1, equal values sharing the mean of theirs: float64 (n,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Float = (last - (counts - 1) / 2)[inverse]
    return shared


def spearman(one: Float, other: Float) -> float:
    """Rank correlation, -1 to 1; NaN of fewer than :data:`FEW`, or where one of the two is constant."""
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < FEW or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return float("nan")
    return float(np.corrcoef(ranks(one[both]), ranks(other[both]))[0, 1])


def auc(score: Float, good: npt.NDArray[np.bool_]) -> float:
    """Chance that a good one has the higher score than a bad one, equal ones counting half (Mann, Whitney).

    Returns:
        0 to 1; NaN of fewer than :data:`FEW`, or where all are good or bad.
    """
    known = np.isfinite(score)
    score, good = score[known], good[known]
    high, low = int(good.sum()), int((~good).sum())
    if len(score) < FEW or not high or not low:
        return float("nan")
    return float((ranks(score)[good].sum() - high * (high + 1) / 2) / (high * low))
