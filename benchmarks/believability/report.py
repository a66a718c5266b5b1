"""The tables of docs/believability.md."""

from __future__ import annotations

import numpy as np

from benchmarks.believability.fit import (
    GOOD,
    HeldOut,
    best_threshold,
    rank_correlation,
    separation,
    turned_unknown,
)
from benchmarks.believability.judged import Judged
from benchmarks.believability.plot import bins

MAY_LOSE = 0.02
"""Share of good boxes that the threshold may turn unknown, mean over sequences and labelers."""
OLD_FILL = 0.2
"""What the preset looked at before: boxes filled less were unknown."""


def pool(groups: list[Judged], column: str = "believability") -> tuple[np.ndarray, np.ndarray]:
    """One column and the IoU of the boxes of several groups."""
    values = np.concatenate([group.quality[column] for group in groups])
    return values, np.concatenate([group.iou for group in groups])


def sequence_table(groups: list[Judged], threshold: float) -> str:
    """One row per sequence and labeler, one per labeler, one for all."""
    head = ["sequence", "labeler", "boxes", "mean IoU", "bad", "rho", "rho of fill", "AUC", "AUC of fill",
            "bad made unknown", "good lost", "bad by fill alone"]  # fmt: skip
    rows = [[group.sequence, f"`{group.labeler}`", *_figures([group], threshold)] for group in groups]
    for labeler in dict.fromkeys(group.labeler for group in groups):
        same = [group for group in groups if group.labeler == labeler]
        if len(same) > 1:
            rows.append(["pooled", f"`{labeler}`", *_figures(same, threshold)])
    rows.append(["**pooled**", "all", *_figures(groups, threshold)])
    return table(head, rows)


def _figures(groups: list[Judged], threshold: float) -> list[str]:
    belief, iou = pool(groups)
    fill, _ = pool(groups, "fill")
    caught, lost = turned_unknown(belief, iou, threshold)
    return [
        str(len(iou)), short(float(iou.mean())), percent(float((iou < GOOD).mean())),
        short(rank_correlation(belief, iou)), short(rank_correlation(fill, iou)),
        short(separation(belief, iou)), short(separation(fill, iou)),
        percent(caught), percent(lost), percent(turned_unknown(fill, iou, OLD_FILL)[0]),
    ]  # fmt: skip


def threshold_table(groups: list[Judged]) -> str:
    """What thresholds of believability and of fill do: means over sequences and labelers."""
    rows = []
    for column, values in (
        ("fill", (0.2, 0.25, 0.3)),
        ("believability", (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)),
    ):
        for value in values:
            pairs = [turned_unknown(group.quality[column], group.iou, value) for group in groups]
            left, left_iou = pool(groups, column)
            kept = left_iou[left >= value]
            rows.append([
                f"{column} < {value:g}", percent(float(np.nanmean([caught for caught, _ in pairs]))),
                percent(float(np.nanmean([lost for _, lost in pairs]))),
                short(float(kept.mean())), percent(float((kept < GOOD).mean())),
            ])  # fmt: skip
    return table(
        ["unknown if", "bad caught", "good lost", "mean IoU of the rest", "bad among the rest"], rows
    )


def held_out_table(held: list[HeldOut], groups: list[Judged]) -> str:
    """Weights fitted, and threshold chosen, without each sequence; what they do on it."""
    names = list(held[0].weights)
    rows = []
    for one in held:
        others = [group for group in groups if group.sequence != one.sequence]
        own = [group for group in groups if group.sequence == one.sequence]
        shipped = np.mean([((group.quality["believability"] - group.iou) ** 2).mean() for group in own])
        threshold = best_threshold(others, MAY_LOSE)
        caught, lost = turned_unknown(*pool(own), threshold)
        rows.append([
            one.sequence, *(f"{one.weights[name]:.2f}" for name in names), f"{one.error:.4f}",
            f"{shipped:.4f}", short(rank_correlation(one.belief, one.iou)), f"{threshold:.2f}",
            percent(caught), percent(lost),
        ])  # fmt: skip
    head = ["left out", *names, "error", "error, shipped", "rho", "threshold", "bad caught", "good lost"]
    return table(head, rows)


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
