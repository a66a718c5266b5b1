"""Measure `spotlabel evaluate uavdt` on synthetic sequences as long and as full as the benchmark's.

``python -m benchmarks.bench_evaluate`` writes the text files of the 20 test sequences (16,592 frames, 100
detections each, as many objects and ignore rectangles as UAVDT has on the mean), then times the whole
evaluation: reading, ignore rules, matching, every subset and kind of object. Give it one core
(``taskset -c 0``) to measure one core.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click
import numpy as np

from spotlabel.detector.evaluation.records import Float64, Int64
from spotlabel.detector.evaluation.traffic.benchmarks import Request, run_uavdt
from spotlabel.detector.evaluation.traffic.report import as_data
from spotlabel.detector.evaluation.traffic.uavdt import TEST_LENGTHS

IMAGE = np.array([1024, 540])
OBJECTS, REGIONS = 23, 2


def boxes(rng: np.random.Generator, count: int) -> Float64:
    """Vehicles: float64 (count, 4), left, top, width, height in whole pixels."""
    sizes = rng.integers(15, 70, (count, 2))
    return np.concatenate([rng.integers(1, IMAGE - 70, (count, 2)), sizes], axis=1).astype(np.float64)


def write_rows(path: Path, frame: Int64, *columns: Float64 | Int64) -> None:
    """Comma-separated rows."""
    table = np.column_stack([frame, *columns])
    np.savetxt(path, table, fmt="%g", delimiter=",")


def write_sequence(truth: Path, found: Path, name: str, rng: np.random.Generator, per_frame: int) -> None:
    """Ground truth and detections of one sequence; most objects are found, with boxes a little off."""
    frames = TEST_LENGTHS[name]
    number = np.arange(1, frames + 1)
    frame = np.repeat(number, OBJECTS)
    objects = boxes(rng, len(frame))
    labels = np.column_stack([rng.integers(1, top + 1, len(frame)) for top in (3, 4, 3)])
    ids = np.tile(np.arange(OBJECTS), frames)
    write_rows(truth / f"{name}_gt_whole.txt", frame, ids, objects, labels)
    areas = np.tile(boxes(rng, REGIONS) * [1, 1, 3, 3], (frames, 1))
    rest = np.full((len(areas), 3), -1)
    write_rows(truth / f"{name}_gt_ignore.txt", np.repeat(number, REGIONS), rest[:, 0], areas, rest)
    stray = boxes(rng, frames * (per_frame - OBJECTS)).reshape(frames, -1, 4)
    near = np.rint(objects + rng.normal(0, 2, objects.shape)).reshape(frames, -1, 4)
    detections = np.concatenate([near, stray], axis=1).reshape(-1, 4)
    likely = np.tile(np.arange(per_frame) < OBJECTS, frames)
    score = np.clip(rng.beta(2, 2, len(detections)) * 0.6 + 0.3 * likely, 0, 1).round(8)
    owner = np.repeat(number, per_frame)
    last = np.tile([1, -1], (len(owner), 1))
    write_rows(found / f"{name}.txt", owner, np.full(len(owner), -1), detections, score, last)


@click.command()
@click.option("--per-frame", default=100, show_default=True, help="Detections per frame.")
def main(per_frame: int) -> None:
    """Write the files, then time the evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        truth, found = Path(folder, "GT"), Path(folder, "found")
        truth.mkdir()
        found.mkdir()
        for seed, name in enumerate(TEST_LENGTHS):
            write_sequence(truth, found, name, np.random.default_rng(seed), per_frame)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.txt")) / 2**20
        wall, cpu = time.perf_counter(), time.process_time()
        figures = as_data(run_uavdt(Request(truth, found)))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    overall = figures["overall"]
    print(f"{sum(TEST_LENGTHS.values())} frames, {overall['objects']} objects, {size:.0f} MiB of text")
    print(f"detections {overall['detections']}, {overall['in_regions']} in regions, AP {overall['ap']:.2f}")
    print(f"evaluation: {wall:.1f} s wall, {cpu:.1f} s CPU (aim: under 30 s on one core)")


if __name__ == "__main__":
    main()
