"""R14: dates that lie: a day off, all equal, put back; only contents may decide."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.campaign.bench import Bench, Whole
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.upkeep.plan import Plan, items, plan_item

_DAY = 86_400 * 10**9
_REMEMBERED_AFTER = 2.2
"""Seconds after which the digest of an unchanged file is remembered; younger files are hashed each time."""


def run(bench: Bench) -> Iterator[Result]:
    """Dates changed without contents, then contents changed without dates."""
    yield _dates_alone(bench)
    yield _contents_behind_dates(bench)


def _labelled(bench: Bench, whole: Whole, remembered: bool) -> Recipe:
    """A video of its own, labelled; with ``remembered``, its digests are in the cache."""
    folder = bench.fresh("clocks")
    shutil.copytree(whole.tree["data"], folder / "data")
    tree = {**whole.tree, "data": str(folder / "data"), "out": str(folder / "out")}
    recipe = build_recipe(tree)
    outcome = run_sequence(recipe, whole.names[0], False, lambda *_: None)
    assert not outcome.failed, outcome.error
    if remembered:
        time.sleep(_REMEMBERED_AFTER)
        assert _plan(recipe).idle
        assert list((folder / "out" / ".digests").iterdir())
    return recipe


def _plan(recipe: Recipe) -> Plan:
    return plan_item(recipe, items(recipe)[0])


def _files(recipe: Recipe) -> list[Path]:
    return [path for path in recipe.data.parent.rglob("*") if path.is_file()]


def _shift(nanoseconds: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        stat = path.stat()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + nanoseconds))

    return change


def _equal(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def _restored(path: Path) -> None:
    """The same bytes in a new file with the old dates: what a backup puts back."""
    stat, content = path.stat(), path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


_DATES = {
    "a day later": _shift(_DAY), "a day earlier": _shift(-_DAY), "all equal": _equal, "restored": _restored,
}  # fmt: skip


def _dates_alone(bench: Bench) -> Result:
    whole, draw = bench.whole(1), bench.draw("dates")
    tally = Tally(
        "R14",
        "dates changed, contents not",
        "images, annotations, stores and digests of a labelled video, all or some, get dates a day later or "
        "earlier, all equal dates, or come back from a backup: nothing is made again",
        bench.counts.clocks * len(_DATES),
    )
    recipe = _labelled(bench, whole, remembered=True)
    for name, change in _DATES.items():
        for number in range(bench.counts.clocks):
            files = _files(recipe)
            for path in files if number % 2 else draw.sample(files, len(files) // 2):
                change(path)
            plan = _plan(recipe)
            tally.record(f"{name}, {number + 1}", [] if plan.idle else [f"{plan.evidence}, {plan.masks}"])
    return tally.result()


def _contents_behind_dates(bench: Bench) -> Result:
    """One frame, or the boxes, or a store: other bytes of equal length where possible, dates put back."""
    whole, draw = bench.whole(1), bench.draw("contents")
    tally = Tally(
        "R14",
        "contents changed behind equal dates",
        "after the digests were remembered, a frame, the annotations or a store gets other bytes and its old "
        "dates and size back: what depends on it is stale or damaged, and the next run makes the right bytes",
        3 * bench.counts.clocks,
    )
    recipe = _labelled(bench, whole, remembered=True)
    item = items(recipe)[0]
    frames = sorted((recipe.data / whole.names[0] / "img1").iterdir())
    for number in range(bench.counts.clocks):
        frame = draw.choice(frames)
        store = draw.choice((item.evidence_path, item.mask_path))
        boxes = item.sequence.annotation_files[0]
        for path, seen in ((frame, "frames changed"), (boxes, "annotations changed"), (store, "damaged")):
            before = path.read_bytes()
            _replace_quietly(path, _other(path, before))
            plan = _plan(recipe)
            problems = (
                [] if seen in f"{plan.evidence} {plan.masks}" else [f"unseen: {plan.evidence}, {plan.masks}"]
            )
            _replace_quietly(path, before)
            after = _plan(recipe)
            problems += [] if after.idle else [f"put back: {after.evidence}, {after.masks}"]
            tally.record(f"{path.name}, {number + 1}", problems)
    return tally.result()


def _other(path: Path, content: bytes) -> bytes:
    """Other bytes of the same meaning class: another image, other boxes, a damaged store."""
    if path.suffix == ".txt":
        return content.replace(b",14,12,", b",13,12,")
    if path.suffix == ".jpg":
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        done, data = cv2.imencode(".jpg", 255 - image)
        assert done
        return bytes(data.tobytes())
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


def _replace_quietly(path: Path, content: bytes) -> None:
    """Other bytes in the same file, under the old dates."""
    stat = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
