"""What is compared, and the two verdicts: the paper's order and the acceptance rule."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.ablation.settings import CENTERNET, LOGIT, MULTITASK, SIGMOID
from benchmarks.paired.statistics import Table, summarise

PAIRS = (
    (MULTITASK, CENTERNET), (SIGMOID, CENTERNET), (SIGMOID, MULTITASK),
    (LOGIT, CENTERNET), (LOGIT, MULTITASK), (SIGMOID, LOGIT),
)  # fmt: skip
"""Every difference that is tested, first minus second."""

GATES = (SIGMOID, LOGIT)
FEWEST_SEEDS = 4


@dataclass(frozen=True)
class Check:
    """One condition: what it says with its figures, and whether it holds."""

    text: str
    holds: bool


def paper_order(table: Table, gate: str) -> Check:
    """Whether mean AP70 rises from CenterNet over multi-task to attention, as in the paper."""
    ordered = (CENTERNET, MULTITASK, gate)
    means = [summarise(table[variant]["ap70"]).mean for variant in ordered]
    rows = zip(*(table[variant]["ap70"] for variant in ordered), strict=True)
    single = [low < middle < high for low, middle, high in rows]
    chain = ", ".join(f"{variant} {mean:.2f}" for variant, mean in zip(ordered, means, strict=True))
    text = f"mean AP70 {chain}; so ordered in {sum(single)} of {len(single)} seeds taken alone"
    return Check(text, means[0] < means[1] < means[2])


def acceptance(table: Table, gate: str) -> list[Check]:
    """The rule, fixed with the configuration: seeds, AP70, recall, twin rate; passed if all hold."""
    seeds = len(table[CENTERNET]["ap70"])

    def means(figure: str) -> tuple[float, float, float]:
        base, multi, gated = (summarise(table[v][figure]).mean for v in (CENTERNET, MULTITASK, gate))
        return base, multi, gated

    ap, recall, twins = means("ap70"), means("recall"), means("twin_rate")
    return [
        Check(f"at least {FEWEST_SEEDS} seeds: {seeds}", seeds >= FEWEST_SEEDS),
        Check(f"AP70 over CenterNet by 2 or more: {ap[2] - ap[0]:+.2f}", ap[2] - ap[0] >= 2),
        Check(f"recall over multi-task: {recall[2]:.2f} against {recall[1]:.2f}", recall[2] > recall[1]),
        Check(
            f"multi-task's recall over CenterNet's less 0.5: {recall[1]:.2f} against {recall[0] - 0.5:.2f}",
            recall[1] > recall[0] - 0.5,
        ),
        Check(
            f"twin rate at most 0.7 of CenterNet's: {twins[2]:.2f} against {0.7 * twins[0]:.2f}",
            twins[2] <= 0.7 * twins[0],
        ),
    ]
