"""The tables of docs/believability.md."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from benchmarks.believability.fit import GOOD, rank_correlation, separation, turned_unknown
from benchmarks.believability.judged import Judged
from benchmarks.believability.plot import bins

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_FIGURES = [
    "boxes", "mean IoU", "bad", "error", "rho", "median rho", "rho of fill", "AUC", "bad made unknown",
    "good lost",
]  # fmt: skip


def pool(groups: list[Judged], column: str = "believability") -> tuple[npt.NDArray[np.float32], np.ndarray]:
    """One column and the IoU of the boxes of several groups."""
    values = np.concatenate([group.quality[column] for group in groups])
    return values, np.concatenate([group.iou for group in groups])


def labeler_table(groups: list[Judged], threshold: float) -> str:
    """One row per labeler, over the sequences."""
    rows = [[f"`{name}`", *_figures(same, threshold)] for name, same in by_labeler(groups)]
    return table(["labeler", *_FIGURES], rows)


def sequence_table(groups: list[Judged], threshold: float) -> str:
    """One row per sequence and labeler."""
    rows = [[group.sequence, f"`{group.labeler}`", *_figures([group], threshold)] for group in groups]
    left = _FIGURES.index("median rho") + 2
    head = ["sequence", "labeler", *_FIGURES]
    return table(head[:left] + head[left + 1 :], [row[:left] + row[left + 1 :] for row in rows])


def pooled_row(title: str, groups: list[Judged], threshold: float) -> str:
    """All groups as one row of a table with the same head as :func:`labeler_table`."""
    return table(["", *_FIGURES], [[title, *_figures(groups, threshold)]])


def by_labeler(groups: list[Judged]) -> Iterable[tuple[str, list[Judged]]]:
    """Groups of each labeler, in the order in which they first come."""
    for name in dict.fromkeys(group.labeler for group in groups):
        yield name, [group for group in groups if group.labeler == name]


def _figures(groups: list[Judged], threshold: float) -> list[str]:
    belief, iou = pool(groups)
    fill, _ = pool(groups, "fill")
    rhos = [rank_correlation(*pool([group])) for group in groups]
    known = [rho for rho in rhos if not np.isnan(rho)]
    caught, lost = turned_unknown(belief, iou, threshold)
    return [
        str(len(iou)), short(float(iou.mean())), percent(float((iou < GOOD).mean())),
        f"{float(((belief - iou) ** 2).mean()):.3f}", short(rank_correlation(belief, iou)),
        short(float(np.median(known)) if known else float("nan")), short(rank_correlation(fill, iou)),
        short(separation(belief, iou)), percent(caught), percent(lost),
    ]  # fmt: skip


def threshold_table(groups: list[Judged]) -> str:
    """What thresholds of believability do: means over sequences and labelers."""
    rows = []
    for value in THRESHOLDS:
        pairs = [turned_unknown(group.quality["believability"], group.iou, value) for group in groups]
        left, left_iou = pool(groups)
        kept = left_iou[left >= value]
        rows.append([
            f"{value:g}", _mean(caught for caught, _ in pairs), _mean(lost for _, lost in pairs),
            short(float(kept.mean())), percent(float((kept < GOOD).mean())),
        ])  # fmt: skip
    head = ["unknown below", "bad caught", "good lost", "mean IoU of the rest", "bad among the rest"]
    return table(head, rows)


def _mean(shares: Iterable[float]) -> str:
    known = [share for share in shares if not np.isnan(share)]
    return percent(float(np.mean(known)) if known else float("nan"))


def calibration_table(groups: list[Judged]) -> str:
    """Boxes, mean IoU and share of bad boxes by tenths of believability."""
    rows = [
        [f"{low:.1f} to {high:.1f}", str(number), short(mean), percent(bad)]
        for low, high, number, mean, bad in bins(groups)
    ]
    return table(["believability", "boxes", "mean IoU", "bad"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def short(value: float) -> str:
    """Two decimals; a dash for what could not be told."""
    return "-" if np.isnan(value) else f"{value:.2f}"


def percent(value: float) -> str:
    """Whole percent, one decimal below ten; a dash for what could not be told."""
    if np.isnan(value):
        return "-"
    return f"{value:.0%}" if value >= 0.0995 else f"{value:.1%}"
