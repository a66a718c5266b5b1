"""The tables of docs/scale.md."""

from __future__ import annotations

import numpy as np

from benchmarks.scale.simulate import Cluster, Run, simulate
from benchmarks.scale.spread import Frames, as_listed, like_uavdt, log_normal

SEED = 20
SECONDS_PER_FRAME = 0.1275
"""PAWCS and masks at 960x540 (docs/pawcs.md, docs/performance.md)."""
PRICE = 0.04
"""US dollars per core hour: an assumption, to be replaced by one's own."""
LABELERS = {
    "mog2": (0.008, 1 / 333, "960x540"),
    "boxbg": (1 / 59, 1 / 263, "960x540"),
    "egoflow": (0.082, 1 / 263, "854x480"),
    "farneback": (0.088, 1 / 263, "854x480"),
    "pawcs": (0.124, 1 / 333, "960x540"),
    "egoflow-cut": (0.070, 1 / 333, "854x480"),
    "pawcs-pybgs": (0.665, 1 / 333, "960x540"),
}
"""CPU seconds per frame of evidence and of masks as measured, and at which size: docs/performance.md (boxbg,
with its fit over 400 frames, and masks), docs/pawcs.md, docs/egoflow.md (egoflow on the scene drone, and
farneback), docs/cluster.md (egoflow-cut on a rendered crowd, in a quieter minute)."""


def tables(videos: int = 10_000, frames: float = 1e7) -> str:
    """All tables as Markdown; the same text every time."""
    rng = np.random.default_rng(SEED)
    spreads = {
        "log-normal, sigma 0.5": log_normal(videos, frames, 0.5, rng),
        "log-normal, sigma 1": log_normal(videos, frames, 1.0, rng),
        "as UAVDT's 20": like_uavdt(videos, frames, rng),
    }
    parts = [_costs(frames), _orders(spreads), _troubles(spreads["log-normal, sigma 1"])]
    return "\n\n".join(parts) + "\n"


def _costs(frames: float) -> str:
    lines = [
        f"| labeler | ms/frame | core hours a million frames | USD a million, {PRICE:.2f} a core hour "
        f"| {frames:,.0f} frames on 100 cores, at best |",
        "|---|---|---|---|---|",
    ]
    for name, (evidence, masks, size) in LABELERS.items():
        hours = (evidence + masks) * 1e6 / 3600
        lines.append(
            f"| {name} ({size}) | {1e3 * (evidence + masks):.0f} | {hours:.1f} | {hours * PRICE:.2f} "
            f"| {hours * frames / 1e6 / 100:.1f} h |"
        )
    return "\n".join([*lines, "| pawcs on a GPU | not measured | | | |"])


def _orders(spreads: dict[str, Frames]) -> str:
    lines = [
        "| lengths | cores | bound | longest first | random | as listed |",
        "|---|---|---|---|---|---|",
    ]
    for name, lengths in spreads.items():
        for cores in (100, 1000):
            hours = [_run(order, Cluster(cores)).seconds / 3600 for order in _in_order(lengths)]
            seconds = lengths * SECONDS_PER_FRAME
            bound = max(seconds.sum() / cores, seconds.max()) / 3600
            row = " | ".join(f"{h:.2f} h" for h in hours)
            lines.append(f"| {name} | {cores} | {bound:.2f} h | {row} |")
    return "\n".join(lines)


def _in_order(lengths: Frames) -> list[Frames]:
    rng = np.random.default_rng(SEED)
    return [np.sort(lengths)[::-1], rng.permutation(lengths), as_listed(lengths, rng)]


def _troubles(lengths: Frames) -> str:
    lines = [
        "| 100 cores | each is taken away | longest first | random | work lost | restarts | of one video |",
        "|---|---|---|---|---|---|---|",
    ]
    for slow, factor in ((0.0, 1.0), (0.05, 3.0)):
        for losses in (0.0, 0.1, 1.0, 4.0):
            cluster = Cluster(100, slow, factor, losses)
            first, random = (_run(order, cluster) for order in _in_order(lengths)[:2])
            cores = f"{slow:.0%} take {factor:g} times as long" if slow else "all are alike"
            often = {0.0: "never", 1.0: "once an hour"}.get(losses, f"{losses:g} times an hour")
            lost = first.lost / (first.lost + first.useful)
            lines.append(
                f"| {cores} | {often} | {first.seconds / 3600:.2f} h | {random.seconds / 3600:.2f} h "
                f"| {lost:.1%} | {first.restarts} | {first.most} |"
            )
    return "\n".join(lines)


def _run(lengths: Frames, cluster: Cluster) -> Run:
    durations = (lengths * SECONDS_PER_FRAME).tolist()
    return simulate(durations, cluster, np.random.default_rng(SEED))
