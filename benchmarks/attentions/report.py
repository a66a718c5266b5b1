"""The page: table, plot, verdicts, and how much of the campaign is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from benchmarks.attentions.comparison import (
    CLAIMS,
    PAIRS,
    Verdict,
    difference,
    gains_by_masks,
    judge,
    shared_seeds,
    values,
)
from benchmarks.attentions.plots import draw_figures
from benchmarks.attentions.settings import PRESETS, Settings
from benchmarks.paired.runs import Job, Records
from benchmarks.paired.statistics import Difference, cell, summarise, table_rows
from spotlabel.pipeline.atomic import write_atomically

TITLES = {
    "ap50": "AP50", "ap70": "AP70", "ap75": "AP75", "twin_rate": "distractors met",
    "ap50_hidden": "AP50 hidden", "ap50_alike": "AP50 alike",
}  # fmt: skip
LOWER = ("twin_rate",)
"""Figures that are better when they are lower."""


def write_page(page: Path, records: Records, settings: Settings, wanted: Sequence[Job]) -> list[Path]:
    """Write the page and, where a run is finished, the plot beside it.

    Args:
        page: file to write; the plot has its name and the suffix ``.png``.
        records: finished runs, all under ``settings``.
        settings: of the runs.
        wanted: all runs of the campaign, finished or not.

    Returns:
        What was written.
    """
    plot = page.with_suffix(".png")
    template = Template((Path(__file__).parent / "page.md").read_text(encoding="utf-8"))
    text = template.substitute(
        state=state(records, settings, wanted),
        train=settings.train_images,
        test=settings.test_images,
        steps=settings.iterations,
        batch=settings.batch,
        results="\n".join(results(records, plot.name)),
        said="\n".join(said(records)),
        runs="\n".join(run_lines(records)),
    )
    written = [page]
    if records:
        write_atomically(plot, draw_figures(records))
        written.append(plot)
    write_atomically(page, text.encode())
    return written


def state(records: Records, settings: Settings, wanted: Sequence[Job]) -> str:
    """How much of the campaign is done, and whether it is the campaign at all."""
    missing = [job.name for job in wanted if (job.variant, job.seed) not in records]
    lines = []
    if settings != Settings():
        lines.append("**Not the settings of the campaign: these figures mean nothing.**")
    if not missing:
        lines.append(f"All {len(wanted)} runs are done.")
    else:
        done = len(wanted) - len(missing)
        count = (
            f"{done} of {len(wanted)} runs are done" if done else f"None of the {len(wanted)} runs is done"
        )
        lines.append(f"**{count}; what follows is no result of the whole campaign.**")
        if done:
            lines.append(f"Not done: {', '.join(missing)}.")
    return " ".join(lines)


def results(records: Records, plot: str) -> Iterator[str]:
    """Means of every variant, differences, and the plot; a sentence if there is nothing."""
    if not records:
        yield "No run is done, so there is no table."
        return
    yield "Mean ± standard deviation over the seeds that are done, in percent:"
    yield ""
    yield from table_rows(("variant", "seeds", *TITLES.values()), _mean_rows(records))
    yield ""
    yield "Attention minus the same detector without it, ± standard error, over the seeds that both have"
    yield "(seeds above 0; p of the paired t-test, two-sided, not corrected for the number of tests):"
    yield ""
    rows = [[f"{a} − {b}", *(_cell(difference(records, a, b, name)) for name in TITLES)] for a, b in PAIRS]
    gains = gains_by_masks(records)
    rows.append(["gain with masks − gain without", *(_cell(gains[name]) for name in TITLES)])
    yield from table_rows(("difference", *TITLES.values()), rows)
    yield ""
    yield f"![Figures of every seed]({plot})"


def _mean_rows(records: Records) -> Iterator[list[str]]:
    for variant in PRESETS:
        seeds = shared_seeds(records, (variant,))
        if seeds:
            summaries = [summarise(values(records, variant, name, seeds)) for name in TITLES]
            yield [variant, str(len(seeds)), *(f"{s.mean:.2f} ± {s.spread:.2f}" for s in summaries)]


def _cell(found: Difference | None) -> str:
    return "not done" if found is None else cell(found)


def said(records: Records) -> Iterator[str]:
    """The verdict on every claim, then masks against no masks in every figure."""
    for claim in CLAIMS:
        found = difference(records, claim.attention, claim.base, claim.figure)
        verdict = judge(found, claim.sign)
        yield f"- {claim.text} ({claim.attention} − {claim.base}, {TITLES[claim.figure]}): **{verdict}**" + (
            f", {_cell(found)}." if found else "; no seed has both."
        )
    gains = gains_by_masks(records)
    yield f"- Attention from masks against attention without, over all: {_over_all(gains)}"


def _over_all(gains: dict[str, Difference | None]) -> str:
    by_verdict: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for name, found in gains.items():
        by_verdict[judge(found, -1 if name in LOWER else 1)].append(TITLES[name])
    parts = (
        ("masks bring more in", Verdict.HOLDS),
        ("less in", Verdict.CONTRADICTED),
        ("open in", Verdict.OPEN),
    )
    shown = [f"{words} {', '.join(by_verdict[verdict])}" for words, verdict in parts if by_verdict[verdict]]
    return "; ".join(shown) + "."


def run_lines(records: Records) -> Iterator[str]:
    """Size and time of the runs that are done, variant by variant."""
    if not records:
        yield "No run is done."
        return
    rows = []
    for variant in PRESETS:
        own = [record for (name, _), record in sorted(records.items()) if name == variant]
        if own:
            seconds, devices = [r["seconds"] for r in own], sorted({r["device"] for r in own})
            rows.append([
                variant, f"{own[0]['parameters']:,}", f"{min(seconds):.0f} to {max(seconds):.0f}",
                ", ".join(devices),
            ])  # fmt: skip
    yield from table_rows(("variant", "parameters", "seconds a run", "device"), rows)
    yield ""
    yield "Every run: AP50 / AP70 / AP75 / distractors met / AP50 hidden / AP50 alike."
    yield ""
    seeds = sorted({seed for _, seed in records})
    yield from table_rows(("variant", *map(str, seeds)), _seed_rows(records, seeds))


def _seed_rows(records: Records, seeds: Sequence[int]) -> Iterator[list[str]]:
    for variant in PRESETS:
        cells = []
        for seed in seeds:
            record = records.get((variant, seed))
            cells.append(" / ".join(f"{record['figures'][n]:.1f}" for n in TITLES) if record else "not done")
        yield [variant, *cells]
