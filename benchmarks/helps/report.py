"""The page: means, differences seed by seed, every run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.helps.settings import BASELINES, SCENES, VARIANTS, Settings
from benchmarks.helps.train import AP50, AP70, IOU
from benchmarks.paired.runs import Records
from benchmarks.paired.statistics import Table, cell, compare, summarise, table_rows
from spotlabel.pipeline.atomic import write_atomically

TITLES = {AP70: "AP70", AP50: "AP50", IOU: "IoU of the segmentation head"}
_TEMPLATE = Path(__file__).with_name("page.md")
"""The words of the page around its tables."""


def page(found: Mapping[str, Records], settings: Settings) -> str:
    """The whole page, in Markdown.

    Args:
        found: records of the finished runs, by scene.
        settings: of all runs.
    """
    tables = {name.replace("-", "_"): section(records) for name, records in found.items()}
    return _TEMPLATE.read_text("utf-8").format(
        canvas=f"{settings.canvas[0]}x{settings.canvas[1]}", batch=settings.batch, **tables
    )


def write_page(path: Path, found: Mapping[str, Records], settings: Settings) -> bool:
    """Write the page; false if scenes are missing, which it cannot do without."""
    if set(found) != set(SCENES):
        return False
    write_atomically(path, page(found, settings).encode())
    return True


def section(records: Records) -> str:
    """Tables of one scene: means, differences, every seed. Seeds that lack a variant are left out."""
    variants = [variant for variant in VARIANTS if any(made == variant for made, _ in records)]
    seeds = sorted(
        seed for seed in {s for _, s in records} if all((variant, seed) in records for variant in variants)
    )
    if not seeds:
        return "Not measured: no seed has a run of every variant."
    table = {variant: _figures(records, variant, seeds) for variant in variants}
    named = [name for name in TITLES if any(name in figures for figures in table.values())]
    head = [TITLES[name] for name in named]
    return "\n".join(
        [
            f"Mean ± standard deviation over seeds {', '.join(map(str, seeds))}, in percent.",
            "",
            *table_rows(("trained on", *head), _means(table, named)),
            "",
            "Difference ± standard error (seeds above 0; p of the paired t-test, not corrected):",
            "",
            *table_rows(("difference", *head), _differences(table, named)),
            "",
            f"Every seed, {AP70.upper()}:",
            "",
            *table_rows(
                ("seed", *(VARIANTS[variant].title for variant in table)),
                ([str(seed), *(f"{table[v][AP70][k]:.1f}" for v in table)] for k, seed in enumerate(seeds)),
            ),
        ]
    )


def _figures(records: Records, variant: str, seeds: list[int]) -> dict[str, list[float]]:
    runs = [records[variant, seed]["figures"] for seed in seeds]
    return {name: [figures[name] for figures in runs] for name in TITLES if name in runs[0]}


def _means(table: Table, named: list[str]) -> Iterator[list[str]]:
    for variant, figures in table.items():
        summaries = [summarise(figures[name]) if name in figures else None for name in named]
        yield [VARIANTS[variant].title, *(f"{s.mean:.1f} ± {s.spread:.1f}" if s else "" for s in summaries)]


def _differences(table: Table, named: list[str]) -> Iterator[list[str]]:
    order = list(table)
    for base in BASELINES:
        for variant in order[order.index(base) + 1 :] if base in table else ():
            both = [name for name in named if name in table[variant] and name in table[base]]
            cells = {name: cell(compare(table[variant][name], table[base][name])) for name in both}
            yield [f"{variant} − {base}", *(cells.get(name, "") for name in named)]
