"""F of attention maps as tables, as JSON, as Markdown beside the paper's figures, and as a plot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from spotlabel.detector.evaluation.attention.maps import SWEEP
from spotlabel.detector.evaluation.attention.run import AttentionResult
from spotlabel.detector.evaluation.output import markdown_table, new_figure, png, write_files
from spotlabel.detector.evaluation.published import CDNET, CDNET_VIDEOS

COLUMNS = ("threshold", "frames", "recall", "precision", "F")


def rows(result: AttentionResult) -> list[tuple[str, ...]]:
    """Name and :data:`COLUMNS` of every video and threshold, then of the mean over videos."""
    shown: list[tuple[str, ...]] = []
    for threshold in result.thresholds:
        for name, video in result.videos.items():
            counts = video.counts.at(threshold)
            figures = (counts.recall, counts.precision, counts.f_measure)
            shown.append((name, f"{threshold:g}", str(video.frames), *map(cell, figures)))
        shown.append(("mean", f"{threshold:g}", "", "", "", cell(result.mean_f(threshold))))
    return shown


def sweep_rows(result: AttentionResult) -> list[tuple[str, ...]]:
    """Threshold, mean F and the F of every video, for every threshold of the sweep."""
    return [
        (
            f"{threshold:.2f}",
            cell(result.mean_f(threshold)),
            *(cell(video.counts.at(threshold).f_measure) for video in result.videos.values()),
        )
        for threshold in SWEEP
    ]


def cell(value: float, decimals: int = 4) -> str:
    """A figure as tables show it; a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{decimals}f}"


def best(result: AttentionResult) -> float:
    """Threshold of the sweep with the highest mean F; the lowest of equals."""
    return max(SWEEP, key=lambda threshold: (_known(result.mean_f(threshold)), -threshold))


def _known(value: float) -> float:
    return -1.0 if math.isnan(value) else value


def as_data(result: AttentionResult) -> dict[str, Any]:
    """The figures as plain data, in [0, 1]; null where there are none."""
    return {
        "benchmark": "cdnet-attention",
        "mean": [{"threshold": t, "f": _figure(result.mean_f(t))} for t in result.thresholds],
        "videos": {
            name: {
                "frames": video.frames,
                "in_boxes": video.in_boxes,
                "thresholds": [
                    {
                        "threshold": t,
                        "recall": _figure(video.counts.at(t).recall),
                        "precision": _figure(video.counts.at(t).precision),
                        "f": _figure(video.counts.at(t).f_measure),
                    }
                    for t in result.thresholds
                ],
                "sweep": [_figure(video.counts.at(t).f_measure) for t in SWEEP],
            }
            for name, video in result.videos.items()
        },
        "sweep": {"thresholds": list(SWEEP), "mean_f": [_figure(result.mean_f(t)) for t in SWEEP]},
        "missing": list(result.missing),
        "published": {"videos": list(CDNET_VIDEOS), "mean_f": CDNET},
    }


def _figure(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def caveats(result: AttentionResult) -> list[str]:
    """Why the mean is not the paper's, one sentence each; empty if it is."""
    names = {name.rpartition("/")[2] for name in result.videos}
    whole = [name for name, video in result.videos.items() if not video.in_boxes]
    told = []
    if names != set(CDNET_VIDEOS):
        told.append(
            f"The paper's mean is over {', '.join(CDNET_VIDEOS)}; here it is over {', '.join(sorted(names))}."
        )
    if whole:
        told.append(
            "The paper takes foreground inside the detected boxes alone; here the maps are whole of "
            f"{', '.join(whole)}."
        )
    return told


def write_report(result: AttentionResult, folder: Path) -> list[Path]:
    """Write ``report.json``, ``report.md`` and ``curves.png``.

    Raises:
        EvaluationError: matplotlib is not installed.
        OSError: the folder cannot be written to.
    """
    return write_files(folder, as_data(result), markdown(result), plot_sweep(result))


def markdown(result: AttentionResult) -> str:
    """The figures, the sweep, then the paper's table."""
    lines = ["# Attention maps as masks, by CDnet's rules", ""]
    lines += markdown_table(("video", *COLUMNS), rows(result))
    lines += ["", "## F over the threshold", ""]
    lines += markdown_table(("threshold", "mean F", *result.videos), sweep_rows(result))
    lines += ["", f"Highest mean F at {best(result):.2f}; chosen on these videos, so no fair figure.", ""]
    lines += [f"## Beside the SpotNet paper (mean F of {', '.join(CDNET_VIDEOS)})", "", *caveats(result), ""]
    ours = [
        (f"**here**, threshold {threshold:g}", cell(result.mean_f(threshold), 3))
        for threshold in result.thresholds
    ]
    lines += markdown_table(("method", "F"), [*((name, f"{f:.3f}") for name, f in CDNET.items()), *ours])
    return "\n".join([*lines, "", "![F over the threshold](curves.png)", ""])


def plot_sweep(result: AttentionResult) -> bytes:
    """F over the threshold, every video and the mean (PNG).

    Raises:
        EvaluationError: matplotlib is not installed.
    """
    figure = new_figure()
    axes = figure.subplots()
    for name, video in result.videos.items():
        figures = [video.counts.at(threshold).f_measure for threshold in SWEEP]
        axes.plot(SWEEP, figures, "--", linewidth=1.4, label=name)
    axes.plot(SWEEP, [result.mean_f(threshold) for threshold in SWEEP], linewidth=2.4, label="mean")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="threshold", ylabel="F")
    axes.grid(alpha=0.3)
    axes.legend()
    return png(figure)
