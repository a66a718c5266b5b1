"""Measure the label path: mask stage, stores, the rim of the evidence stage, a worker's memory.

``python -m benchmarks.bench_labels`` renders its own 960x540 scene, so it runs anywhere; with ``--data`` it
uses UA-DETRAC's MVI_40201 instead. Times are process CPU seconds unless said otherwise; ratios are of two
figures from the same run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median

import click
import cv2
import numpy as np
import psutil

from spotlabel.labelers.base import ClipFrame
from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.sequence import Annotations, FrameSource, Image
from spotlabel.pipeline.stages.evidence import make_evidence
from spotlabel.pipeline.stages.masks import make_masks
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.upkeep.plan import Item, items


@dataclass
class Row:
    """One line of the result: what, the figure seen, the aim."""

    what: str
    seen: str
    aim: str = ""


def _nothing(done: int, total: int) -> None:
    """Progress nobody looks at."""


def recipe_for(data: Path | None, out: Path, labeler: str, frames: int) -> Recipe:
    """A one-video recipe: MVI_40201 if there is data, else a rendered scene of the same size."""
    if data is not None:
        dataset: dict[str, object] = {"reader": "ua-detrac"}
    else:
        scene = {"name": "bench", "camera": "fixed", "width": 960, "height": 540, "frames": frames}
        dataset = {"reader": "synthetic", "scenes": [scene]}
    return build_recipe({"data": str(data or "."), "out": str(out), "dataset": dataset, "labeler": labeler})


def bench_masks(recipe: Recipe, item: Item, annotations: Annotations) -> float:
    """Frames per second of CPU time of the mask stage."""
    started = time.process_time()
    make_masks(recipe, item, annotations, _nothing)
    return len(annotations.boxes) / (time.process_time() - started)


def without_owners(recipe: Recipe) -> Recipe:
    """The same recipe, in which nobody is told whose a pixel is."""
    tree = recipe.masks.model_dump()
    masks = type(recipe.masks).model_validate({**tree, "owners": {"rule": "none"}})
    return replace(recipe, masks=masks)


def mask_rows(recipe: Recipe, item: Item, annotations: Annotations, repeats: int, aim: int) -> list[Row]:
    """The mask stage with owners and without, in turns; the best of each, for what disturbs costs time."""
    plain, told = 0.0, 0.0
    for _ in range(repeats):
        plain = max(plain, bench_masks(without_owners(recipe), item, annotations))
        told = max(told, bench_masks(recipe, item, annotations))
    kind = item.labeler.kind
    return [
        Row(f"mask stage from {kind} evidence, frames/s of CPU", f"{told:.0f}", f">= {aim}"),
        Row(f"the same without owners ({kind})", f"{plain:.0f}"),
        Row(f"with owners over without ({kind})", f"{told / plain:.2f}", ">= 0.85"),
    ]


def bench_reads(path: Path, reads: int) -> tuple[float, float]:
    """Bytes per frame of a mask store, and the median milliseconds of CPU of one random read."""
    reader = MaskReader(path)
    order = np.random.default_rng(0).integers(0, len(reader), reads)
    reader.read(0)
    spent = []
    for index in order:
        started = time.thread_time()
        reader.read(int(index))
        spent.append(time.thread_time() - started)
    return path.stat().st_size / len(reader), median(spent) * 1e3


class _Preloaded:
    """A clip held in memory: what a labeler costs by itself."""

    def __init__(self, frames: list[ClipFrame], size: tuple[int, int]) -> None:
        self._frames = frames
        self.size = size
        self.step = 1

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[ClipFrame]:
        return iter(self._frames)

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        return iter(self._frames[::every])


def bench_rim(recipe: Recipe, item: Item, annotations: Annotations, frames: int, repeats: int) -> float:
    """Wall time of the evidence stage over that of the labeler alone on frames in memory; median ratio.

    Both see the same first frames; the two are timed in turn, so that a drifting machine drifts for both.
    """
    short = _shortened(item, frames)
    source = short.sequence.frames
    none = np.zeros((0, 4), np.float32)
    numbers = source.numbers
    preloaded = [ClipFrame(int(numbers[i]), source.read(i), none) for i in range(len(source))]
    clip = _Preloaded(preloaded, source.size)
    ratios = []
    for _ in range(repeats):
        started = time.perf_counter()
        for _evidence in short.labeler(short.settings).label(clip):
            pass
        alone = time.perf_counter() - started
        started = time.perf_counter()
        make_evidence(recipe, short, annotations, _nothing)
        ratios.append((time.perf_counter() - started) / alone)
    return median(ratios)


def _shortened(item: Item, frames: int) -> Item:
    """The item with only its first frames."""
    return replace(item, sequence=replace(item.sequence, frames=_First(item.sequence.frames, frames)))


class _First:
    """The first frames of a source."""

    def __init__(self, source: FrameSource, frames: int) -> None:
        self._source = source
        self._frames = min(frames, len(source))
        self.size, self.step = source.size, source.step
        self.numbers = source.numbers[: self._frames]

    def __len__(self) -> int:
        return self._frames

    def files(self) -> list[Path]:
        return self._source.files()[: self._frames]

    def identity(self) -> dict[str, object]:
        return {"first": self._frames}

    def read(self, index: int) -> Image:
        return self._source.read(index)

    def stream(self, every: int = 1) -> Iterator[Image | FrameError]:
        return islice(self._source.stream(every), len(range(0, self._frames, every)))


def write_video(folder: Path, frames: int) -> None:
    """A MOT folder of small noise images, one box in the first frame."""
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    (folder / "gt" / "gt.txt").write_text("1,1,10,10,30,20,1,3,1\n")
    random = np.random.default_rng(0)
    images = [cv2.imencode(".jpg", random.integers(0, 255, (120, 160, 3), np.uint8))[1] for _ in range(50)]
    for number in range(1, frames + 1):
        (folder / "img1" / f"{number:06}.jpg").write_bytes(images[number % 50].tobytes())


def bench_memory(frames: int) -> tuple[float, float]:
    """Resident MiB of a worker after a fifth of a long video and at its end."""
    process, seen = psutil.Process(), {}

    def watch(done: int, total: int) -> None:
        if done in (total // 5, total):
            seen[done] = process.memory_info().rss / 2**20

    with tempfile.TemporaryDirectory() as folder:
        write_video(Path(folder, "data", "long"), frames)
        tree = {"data": f"{folder}/data", "out": f"{folder}/out", "dataset": {"reader": "mot"}}
        recipe = build_recipe({**tree, "labeler": "mog2"})
        (item,) = items(recipe)
        make_evidence(recipe, item, item.sequence.load(), watch)
    return seen[frames // 5], seen[frames]


def measure(data: Path | None, out: Path, frames: int, repeats: int, long_video: int) -> list[Row]:
    """All figures, in the order of the table."""
    rows = []
    for labeler, aim in (("mog2", 450), ("boxbg", 300), ("farneback", 150)):
        recipe = recipe_for(data, out / labeler, labeler, frames)
        (item,) = items(recipe)
        annotations = item.sequence.load()
        make_evidence(recipe, item, annotations, _nothing)
        rows += mask_rows(recipe, item, annotations, repeats, aim)
        size, read = bench_reads(item.mask_path, 500)
        rows.append(Row(f"mask store after {labeler}, KiB a frame", f"{size / 1024:.2f}", "<= 5"))
        rows.append(Row(f"random read of one mask after {labeler}, ms of CPU", f"{read:.2f}", "<= 0.25"))
    for labeler, count in (("mog2", 200), ("farneback", 60), ("pawcs-pybgs", 12)):
        recipe = recipe_for(data, out / "rim", labeler, frames)
        (item,) = items(recipe)
        ratio = bench_rim(recipe, item, item.sequence.load(), count, repeats)
        rows.append(Row(f"evidence stage wall / {labeler} alone", f"{ratio:.3f}", "<= 1.1"))
    early, late = bench_memory(long_video)
    rows.append(Row(f"resident MiB at frame {long_video // 5} and {long_video}",
                    f"{early:.0f}, {late:.0f} ({late / early - 1:+.1%})", "flat within 5 %"))  # fmt: skip
    return rows


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="UA-DETRAC root with MVI_40201.")
@click.option("--frames", default=200, show_default=True, help="Frames of the rendered scene.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--long-video", default=10_000, show_default=True, help="Frames of the memory test.")
def main(data: Path | None, frames: int, repeats: int, long_video: int) -> None:
    """Measure and print a Markdown table."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(data, Path(folder), frames, repeats, long_video)
    click.echo(
        f"| {'MVI_40201' if data else 'rendered scene'}, 960x540, one thread | seen | aim |\n|---|---|---|"
    )
    for row in rows:
        click.echo(f"| {row.what} | {row.seen} | {row.aim} |")


if __name__ == "__main__":
    main()
