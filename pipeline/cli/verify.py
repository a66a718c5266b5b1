"""``spotlabel verify``: are the stores whole, does a labeler reach its published figure."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from spotlabel.pipeline import names
from spotlabel.pipeline.cli.options import console, table
from spotlabel.pipeline.cli.progress import watching
from spotlabel.pipeline.datasets.cdnet_truth import check_truth
from spotlabel.pipeline.errors import OtherStoreError, RecipeError, StoreError
from spotlabel.pipeline.manual import read_manual
from spotlabel.pipeline.measures.cdnet_check import TOLERANCE, SequenceScore, score_sequence
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe, load_recipe
from spotlabel.pipeline.running.local import run_all, usable_cores
from spotlabel.pipeline.store import EvidenceReader, MaskReader
from spotlabel.pipeline.terminal import echo, escape
from spotlabel.pipeline.upkeep.plan import Item, items, plan_item


@click.group()
def verify() -> None:
    """Check that stores are whole, or that a labeler reaches its published accuracy."""


@verify.command()
@click.argument("targets", nargs=-1, required=True, metavar="RECIPE|FILE|FOLDER...")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a recipe value.")
@click.option("--quiet", is_flag=True, help="Tell damage only.")
def stores(targets: tuple[str, ...], overrides: tuple[str, ...], quiet: bool) -> None:
    """Read every store completely: seal, chunk checksums, the checksum of every frame and table.

    Exit code 1 if any is damaged; `spotlabel label` makes those again, but for corrections by hand.

    \b
    Examples:
      spotlabel verify stores workflows/ua-detrac.yaml
      spotlabel verify stores runs/ua-detrac/masks/MVI_40201.h5
    """
    files = [file for target in targets for file in _stores_of(target, overrides)]
    damaged = 0
    for file in files:
        try:
            held = _check(file)
        except StoreError as error:
            damaged += 1
            echo(f"DAMAGED {error}", err=True)
        else:
            if not quiet:
                echo(f"ok {file}: {held}")
    echo(f"{len(files) - damaged} of {len(files)} stores are whole")
    sys.exit(1 if damaged else 0)


def _stores_of(target: str, overrides: tuple[str, ...]) -> list[Path]:
    path = Path(target)
    if path.suffix == ".h5":
        return [path]
    folder = path if path.is_dir() else load_recipe(target, overrides).out
    stores = sorted(folder.rglob("*.h5"))
    if not stores:
        raise RecipeError(f"{target}: no store (*.h5) below {folder}; run `spotlabel label` first")
    return stores


def _check(file: Path) -> str:
    """What a whole store holds, in words; one of frames says what it was made from."""
    if file.parent.name == "manual":
        return f"{len(read_manual(file))} corrections"
    kinds = (MaskReader, EvidenceReader) if file.parent.name == "masks" else (EvidenceReader, MaskReader)
    try:
        return f"{_read_whole(kinds[0](file))} frames"
    except OtherStoreError:
        return f"{_read_whole(kinds[1](file))} frames"


def _read_whole(reader: EvidenceReader | MaskReader) -> int:
    reader.check_frames()
    reader.text("labeler")
    reader.number("labeler_version")
    count = len(reader)
    reader.close()
    if names.file_stem(reader.sequence) != reader.path.stem:
        raise StoreError(
            f"{reader.path}: holds {reader.sequence!r}, another video; run `spotlabel label` again"
        )
    return count


@verify.command()
@click.option(
    "--data", required=True, type=click.Path(exists=True, file_okay=False), help="CDnet root folder."
)
@click.option("--labeler", default="pawcs", show_default=True, help="A labeler with binary evidence.")
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    default=("baseline/highway",),
    show_default=True,
    help="Sequence as category/name; may be repeated.",
)
@click.option("--out", default="runs/verify-cdnet", show_default=True, help="Where evidence is kept.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), default=None, help="Videos at a time.")
def cdnet(data: str, labeler: str, only: tuple[str, ...], out: str, jobs: int | None) -> None:
    """F-measure by CDnet's rule against the published figure.

    Shadow is background, unknown does not count. The labeler is judged alone: its evidence is not
    intersected with boxes. Exit code 1 if a figure is missed.

    \b
    Example:
      spotlabel verify cdnet --data /data/CDnet2014 --only baseline/highway --only baseline/office
    """
    recipe = build_recipe(
        {
            "data": data,
            "out": out,
            "dataset": {"reader": "cdnet"},
            "labeler": labeler,
            "masks": {"preset": "paper"},
        }
    )
    chosen = items(recipe, only)
    for item in chosen:
        check_truth(item.sequence)
    _make(recipe, chosen, jobs)
    scores = [score_sequence(item.sequence, item.evidence_path, labeler) for item in chosen]
    _tell(scores)
    sys.exit(0 if all(score.agrees for score in scores) else 1)


def _make(recipe: Recipe, chosen: list[Item], jobs: int | None) -> None:
    names = [item.sequence.name for item in chosen if not plan_item(recipe, item).idle]
    with watching(console(), len(names), quiet=False) as watcher:
        outcomes = run_all(recipe, names, jobs or usable_cores(), False, watcher)
    if any(outcome.failed for outcome in outcomes):
        sys.exit(1)


def _tell(scores: list[SequenceScore]) -> None:
    columns = ("sequence", "frames", "recall", "precision", "F", "published", "verdict")
    shown = table(*columns, numbers=columns[1:6])
    for score in scores:
        counts, reference = score.counts, score.reference
        verdict = "no figure known" if reference is None else "agrees" if score.agrees else "DIFFERS"
        shown.add_row(
            escape(score.sequence), str(score.frames), f"{counts.recall:.4f}", f"{counts.precision:.4f}",
            f"{counts.f_measure:.4f}", "" if reference is None else f"{reference:.3f}", verdict,
        )  # fmt: skip
    console(sys.stdout).print(shown)
    echo(f"agrees: within {TOLERANCE} of the published F-measure")
