"""R17: sequence names that want out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from benchmarks.campaign.bench import Bench, label
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline.names import evidence_path, file_stem, mask_path
from spotlabel.pipeline.store import MaskReader
from tests.helpers.recipes import tree, video, write

_PIECES = (
    "..", ".", "/", "\\", "~", " ", "\0", "\n", "\r", "\x1b[2J", "-", "--", "-rf", "$(id)", "`id`", ";", "|",
    "*", "?", "%2e%2e%2f", "CON", "nul", "é", "e\u0301", "漢字",
    "\u202e", "\u200b", "🚗", "a", "Z", "0", "x" * 200,
    ":", "{}", "{0.__class__}", "'", '"', "<b>", "\ud7ff", "/etc/passwd", "C:",
)  # fmt: skip
_FOLDERS = (
    "..a",
    "a b",
    "-rf",
    "--help",
    "$(id)",
    "`id`",
    "%2e%2e%2fx",
    "ü漢",
    "\u202eabc",
    "x" * 200,
    "*?",
    "'\"",
)


def run(bench: Bench) -> Iterator[Result]:
    """Names as text, then folders of such names through the command."""
    yield _texts(bench)
    yield _folders(bench)


def _texts(bench: Bench) -> Result:
    draw, out = bench.draw("names"), Path("/out")
    tally = Tally(
        "R17",
        "hostile sequence names",
        "names put together from dots, slashes, control characters, scripts and 200-letter words: every "
        "store lies in its own folder below the output folder, and no two names share one",
        bench.counts.names,
    )
    seen: dict[str, str] = {}
    for _ in range(bench.counts.names):
        name = "".join(draw.choices(_PIECES, k=draw.randint(1, 6)))
        paths = (mask_path(out, name), evidence_path(out, "mog2", name))
        parents = (out / "masks", out / "evidence" / "mog2")
        problems = [
            f"lies at {path}" for path, parent in zip(paths, parents, strict=True) if path.parent != parent
        ]
        problems += ["too long for a disk"] if len(paths[0].name) > 120 else []
        stem = file_stem(name)
        problems += [f"shares {stem} with {seen[stem]!r}"] if seen.setdefault(stem, name) != name else []
        problems += ["not plain"] if not _plain(stem) else []
        tally.record(repr(name), problems)
    return tally.result()


def _plain(stem: str) -> bool:
    return stem.isascii() and not stem.startswith(".") and all(c.isalnum() or c in "_.-" for c in stem)


def _folders(bench: Bench) -> Result:
    folder = bench.fresh("names")
    names = list(_FOLDERS)
    random.Random(bench.seed).shuffle(names)
    tally = Tally(
        "R17",
        "folders of such names, labelled",
        "`spotlabel label` over them: every mask store names its sequence, and nothing is written but the "
        "output folder",
        len(names),
    )
    for name in names:
        video(folder / "data", name, 3)
    before = {path for path in folder.rglob("*") if "out" not in path.parts}
    recipe = write(folder / "recipe.yaml", tree(folder / "data", folder / "out"))
    done = label(recipe)
    stray = (
        {path for path in folder.rglob("*") if folder / "out" not in (path, *path.parents)}
        - before
        - {recipe}
    )
    found = {MaskReader(path).sequence for path in (folder / "out" / "masks").glob("*.h5")}
    for name in names:
        problems = [] if name in found else [f"has no masks: {done.stderr.strip()}"]
        tally.record(repr(name), problems + [f"stray: {path}" for path in stray])
    return tally.result()
