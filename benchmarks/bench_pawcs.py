"""Compare PAWCS with pybgs on the same frames: CPU time per frame, two threads, memory, F on CDnet.

Prints a Markdown table. Both run in one fresh process per sequence, frame by frame in turn, so that what else
the machine does slows both alike; figures are medians over frames, first frames left out.

    python benchmarks/bench_pawcs.py DATA [--frames 200] [--words 50] [--quality] [--seeds 1]

DATA holds ``cdnet/baseline`` and ``ua-detrac``.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from labelers.pawcs.engine import PawcsEngine
from labelers.pawcs.settings import PawcsSettings

Image = npt.NDArray[np.uint8]

SEQUENCES = {
    "MVI_40201": "ua-detrac/DETRAC-Images/MVI_40201/*.jpg",
    "highway": "cdnet/baseline/highway/input/*.jpg",
    "office": "cdnet/baseline/office/input/*.jpg",
}
_LEFT_OUT = 5


def main() -> None:
    """Run the comparison, one child process per sequence."""
    parser = argparse.ArgumentParser(description="Compare PAWCS with pybgs.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--frames", type=int, default=200, help="frames per sequence to time")
    parser.add_argument("--words", type=int, default=50, help="local words per pixel")
    parser.add_argument("--quality", action="store_true", help="also F on whole CDnet sequences (minutes)")
    parser.add_argument("--seeds", type=int, default=1, help="seeds for F")
    parser.add_argument("--child", choices=SEQUENCES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    data = args.data.resolve()
    if args.child:
        print(json.dumps(_time_sequence(_files(data, args.child)[: args.frames], args.words)))
        return
    print(
        "| sequence | pybgs ms | ours ms | ratio | 2 threads, wall ms | speed-up | first frame s | model MB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in SEQUENCES:
        print(_row(name, _in_child(name, args)), flush=True)
    if args.quality:
        _print_quality(data, args.words, args.seeds)


def _files(data: Path, name: str) -> list[Path]:
    """Frame files of a sequence.

    Raises:
        SystemExit: there are none.
    """
    files = sorted(data.glob(SEQUENCES[name]))
    if not files:
        raise SystemExit(
            f"{data / SEQUENCES[name]}: no frames; give the folder that holds cdnet/ and ua-detrac/"
        )
    return files


def _in_child(name: str, args: argparse.Namespace) -> dict[str, float]:
    """Time one sequence in a fresh process with an empty working directory, which pybgs needs."""
    script = str(Path(__file__).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, script, str(args.data.resolve()), "--child", name]
        command += ["--frames", str(args.frames), "--words", str(args.words)]
        answer = subprocess.run(command, cwd=scratch, stdout=subprocess.PIPE, check=True, text=True)
    lines = [line for line in answer.stdout.splitlines() if line.startswith("{")]
    result: dict[str, float] = json.loads(lines[-1])
    return result


def _row(name: str, result: dict[str, float]) -> str:
    """Line of the table."""
    ratio = result["reference"] / result["ours"]
    gain = result["one_thread"] / result["two_threads"]
    return (
        f"| {name} | {result['reference']:.0f} | {result['ours']:.1f} | {ratio:.1f}x "
        f"| {result['two_threads']:.1f} | "
        f"{gain:.2f}x | {result['first']:.1f} | {result['memory']:.0f} |"
    )


def _time_sequence(files: list[Path], words: int) -> dict[str, float]:
    """Medians over frames: CPU ms of both on one thread, wall ms of ours on one and on two."""
    import pybgs  # noqa: PLC0415

    cv2.setNumThreads(1)
    images = [cv2.imread(str(path)) for path in files]
    _compile(images[0])
    ctypes.CDLL(None).srand(1)
    reference = pybgs.PAWCS()
    engines = {
        threads: PawcsEngine(images[0], PawcsSettings(words=words, threads=threads)) for threads in (1, 2)
    }
    first = time.process_time()
    PawcsEngine(images[0], PawcsSettings(words=words))
    first = time.process_time() - first
    times: dict[str, list[float]] = {"reference": [], "ours": [], "one_thread": [], "two_threads": []}
    for image in images:
        start = time.process_time()
        reference.apply(image)
        times["reference"].append(time.process_time() - start)
        for threads, name in ((1, "one_thread"), (2, "two_threads")):
            start, wall = time.process_time(), time.perf_counter()
            engines[threads].apply(image)
            times[name].append(time.perf_counter() - wall)
            if threads == 1:
                times["ours"].append(time.process_time() - start)
    medians = {name: float(np.median(values[_LEFT_OUT:])) * 1e3 for name, values in times.items()}
    return medians | {"first": first, "memory": engines[1].memory / 1e6}


def _compile(image: Image) -> None:
    """Load or build the compiled code before the clock runs."""
    crop = np.ascontiguousarray(image[:64, :64])
    PawcsEngine(crop, PawcsSettings()).apply(crop)


def _print_quality(data: Path, words: int, seeds: int) -> None:
    """F of ours on the evaluated frames of highway and office, for several seeds."""
    print("\n| sequence | seed | F |\n|---|---|---|")
    for name in ("highway", "office"):
        for seed in range(seeds):
            score = f_measure(data, name, PawcsSettings(words=words, seed=seed))
            print(f"| {name} | {seed} | {score:.4f} |", flush=True)


def f_measure(data: Path, name: str, settings: PawcsSettings) -> float:
    """F by CDnet's rule: 255 is foreground, 0 and 50 background, 85 and 170 are not counted."""
    folder = data / "cdnet/baseline" / name
    start, stop = (int(word) for word in (folder / "temporalROI.txt").read_text().split())
    counts = np.zeros(3)
    for number, mask in enumerate(_masks(_files(data, name), settings), start=1):
        if not start <= number <= stop:
            continue
        truth = cv2.imread(str(folder / "groundtruth" / f"gt{number:06d}.png"), cv2.IMREAD_GRAYSCALE)
        positive, negative = truth == 255, (truth == 0) | (truth == 50)
        found = mask > 0
        counts += (found & positive).sum(), (found & negative).sum(), (~found & positive).sum()
    hits, false_alarms, misses = counts
    return float(2 * hits / (2 * hits + false_alarms + misses))


def _masks(files: list[Path], settings: PawcsSettings) -> Iterator[Image]:
    """Masks of a sequence."""
    engine = PawcsEngine(cv2.imread(str(files[0])), settings)
    for path in files:
        yield engine.apply(cv2.imread(str(path)))


if __name__ == "__main__":
    main()
