"""R12: images cut at every length; changed annotation files are fuzzed (:mod:`benchmarks.fuzz`)."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames.decode import decode_image


def run(bench: Bench) -> Iterator[Result]:
    """Cut images."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    yield _cut_images(bench)


def _cut_images(bench: Bench) -> Result:
    image = np.random.default_rng(bench.seed).integers(0, 256, (24, 32, 3), np.uint8)
    images = {suffix: _encoded(suffix, image) for suffix in (".jpg", ".png", ".bmp")}
    whole = {suffix: decode_image(data, f"x{suffix}", "refuse") for suffix, data in images.items()}
    lengths = [(suffix, length) for suffix, data in images.items() for length in range(len(data))]
    draw = bench.draw("images")
    chosen = sorted(draw.sample(lengths, min(len(lengths), bench.counts.broken_frames)))
    tally = Tally(
        "R12",
        "image files cut short",
        f"JPEG, PNG and BMP cut at {'every length' if len(chosen) == len(lengths) else 'random lengths'}: an "
        "error with the file's name, or all its pixels, where only a JPEG's end marker is gone",
        len(chosen),
    )
    for suffix, length in chosen:
        problems = []
        try:
            found = decode_image(images[suffix][:length], f"x{suffix}", "refuse")
            if not np.array_equal(found, whole[suffix]):
                problems.append("was taken for an image")
        except FrameError as error:
            problems += [] if f"x{suffix}" in str(error) else [f"names no file: {error}"]
        tally.record(f"{suffix} of {length} bytes", problems)
    return tally.result()


def _encoded(suffix: str, image: npt.NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(suffix, image)
    assert done
    return bytes(data.tobytes())
