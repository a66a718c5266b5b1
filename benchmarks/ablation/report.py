"""The result as JSON, as Markdown for people, and as pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.ablation.comparison import GATES, PAIRS, Check, acceptance, paper_order
from benchmarks.ablation.metrics import FIGURES
from benchmarks.ablation.pictures import draw_scenes
from benchmarks.ablation.plots import draw_seeds
from benchmarks.ablation.settings import CENTERNET, MULTITASK, VARIANTS, Settings
from benchmarks.paired.runs import Job, Records
from benchmarks.paired.statistics import Table, cell, compare, summarise, table_rows
from spotlabel.pipeline.atomic import write_atomically

TITLES = {"ap70": "AP70", "ap50": "AP50", "recall": "recall", "twin_rate": "twin rate"}


def complete_seeds(records: Records, variants: Sequence[str]) -> list[int]:
    """Seeds that every variant has finished; only these are compared."""
    return sorted(
        seed for seed in {s for _, s in records} if all((variant, seed) in records for variant in variants)
    )


def as_table(records: Records, variants: Sequence[str], seeds: Sequence[int]) -> Table:
    """Figures by variant and name, one value per seed."""
    return {
        variant: {name: [records[variant, seed]["figures"][name] for seed in seeds] for name in FIGURES}
        for variant in variants
    }


def verdicts(table: Table) -> dict[str, tuple[Check, list[Check]]]:
    """Per gate that was run beside both baselines: the paper's order and the acceptance rule."""
    if not {CENTERNET, MULTITASK} <= table.keys():
        return {}
    return {gate: (paper_order(table, gate), acceptance(table, gate)) for gate in GATES if gate in table}


def as_data(table: Table, seeds: Sequence[int], records: Records, settings: Settings) -> dict[str, Any]:
    """Everything the report says, as plain data."""
    pairs = [pair for pair in PAIRS if set(pair) <= table.keys()]
    return {
        "settings": settings.as_data(),
        "seeds": list(seeds),
        "runs": [records[variant, seed] for variant in table for seed in seeds],
        "summaries": {v: {n: _plain(summarise(table[v][n])) for n in FIGURES} for v in table},
        "differences": {
            f"{a} - {b}": {n: _plain(compare(table[a][n], table[b][n])) for n in FIGURES} for a, b in pairs
        },
        "verdicts": {
            gate: {"order": asdict(order), "acceptance": [asdict(check) for check in checks]}
            for gate, (order, checks) in verdicts(table).items()
        },
    }


def _plain(figures: Any) -> dict[str, Any]:
    """A dataclass of numbers; JSON has no NaN."""
    return {k: None if math.isnan(value) else value for k, value in asdict(figures).items()}


def markdown(table: Table, seeds: Sequence[int], settings: Settings, unfinished: Sequence[str] = ()) -> str:
    """Means and spreads, differences, verdicts, then every seed.

    Args:
        table: figures by variant and name.
        seeds: of the table's columns.
        settings: of all runs.
        unfinished: names of the runs that were asked for and have no result.
    """
    lines = [
        f"Mean ± standard deviation over {len(seeds)} seeds ({', '.join(map(str, seeds))}), in percent; "
        f"{settings.train_images} training scenes, {settings.iterations} steps.",
        "",
    ]
    if settings != Settings():
        lines += ["Not the settings that the acceptance rule is for.", ""]
    if unfinished:
        lines += [f"Without a result: {', '.join(unfinished)}. Seeds that lack a variant are left out.", ""]
    lines += [*table_rows(("variant", *TITLES.values()), _summary_rows(table)), ""]
    pairs = [pair for pair in PAIRS if set(pair) <= table.keys()]
    if pairs:
        lines += ["Difference ± standard error (seeds above 0; p of the paired t-test):", ""]
        body = [
            [f"{a} − {b}", *(cell(compare(table[a][name], table[b][name])) for name in FIGURES)]
            for a, b in pairs
        ]
        lines += [*table_rows(("difference", *TITLES.values()), body), ""]
    lines += list(_verdict_lines(table))
    lines += ["Every seed, AP70 / AP50 / recall / twin rate:", ""]
    return "\n".join([*lines, *table_rows(("seed", *table), _seed_rows(table, seeds)), ""])


def _summary_rows(table: Table) -> Iterator[list[str]]:
    for variant, figures in table.items():
        summaries = [summarise(figures[name]) for name in FIGURES]
        yield [variant, *(f"{s.mean:.2f} ± {s.spread:.2f}" for s in summaries)]


def _verdict_lines(table: Table) -> Iterator[str]:
    for gate, (order, checks) in verdicts(table).items():
        yield f"**{gate}**"
        yield ""
        yield f"- The paper's order {'shows' if order.holds else 'does not show'}: {order.text}."
        passed = all(check.holds for check in checks)
        yield f"- The acceptance rule {'passes' if passed else 'fails'}:"
        for check in checks:
            yield f"  - {'yes' if check.holds else 'NO'}: {check.text}"
        yield ""


def _seed_rows(table: Table, seeds: Sequence[int]) -> Iterator[list[str]]:
    for i, seed in enumerate(seeds):
        rows = ([table[v][name][i] for name in FIGURES] for v in table)
        yield [str(seed), *(" / ".join(f"{value:.1f}" for value in row) for row in rows)]


def write_report(
    out: Path, runs: Path, records: Records, settings: Settings, wanted: list[Job]
) -> list[Path]:
    """Write ``report.md``, ``report.json``, ``ap70.png`` and ``scenes.png`` from the finished runs.

    Args:
        out: folder to write to.
        runs: folder of the runs' files.
        records: finished runs; seeds that some variant lacks are left out.
        settings: of all these runs.
        wanted: runs that were asked for, finished or not.

    Returns:
        What was written; nothing if no seed is complete.
    """
    variants = [v for v in VARIANTS if any(v == variant for variant, _ in records)]
    seeds = complete_seeds(records, variants)
    if not seeds:
        return []
    table = as_table(records, variants, seeds)
    text, data, plot, sheet = (out / n for n in ("report.md", "report.json", "ap70.png", "scenes.png"))
    unfinished = [job.name for job in wanted if (job.variant, job.seed) not in records]
    write_atomically(text, markdown(table, seeds, settings, unfinished).encode())
    content = json.dumps(as_data(table, seeds, records, settings), indent=1, allow_nan=False) + "\n"
    write_atomically(data, content.encode())
    write_atomically(plot, draw_seeds(table, seeds))
    write_atomically(sheet, draw_scenes(runs, variants, seeds[0]))
    return [text, data, plot, sheet]
