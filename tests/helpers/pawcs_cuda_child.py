"""Runs PAWCS in numba's CUDA simulator beside the CPU engine; prints what differs, as JSON.

The simulator is chosen when numba is imported, so this needs a process of its own, started by
``test_pawcs_cuda`` with ``NUMBA_ENABLE_CUDASIM=1``.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from spotlabel.labelers.base import ClipFrame
from spotlabel.labelers.pawcs import PawcsDistance
from spotlabel.labelers.pawcs import engine as engine_module
from spotlabel.labelers.pawcs.cuda.batch import PawcsBatch
from spotlabel.labelers.pawcs.cuda.illumination import TAKES_IF_LIT
from spotlabel.labelers.pawcs.engine import PawcsEngine
from spotlabel.labelers.pawcs.model import CLOCK_LIMIT, Words
from spotlabel.labelers.pawcs.settings import PawcsSettings

HEIGHT, WIDTH = 24, 25
GAP = 8
"""After a frame in which the global words are refined."""
SETTINGS = PawcsSettings(words=10, bootstrap=5, samples=8, reset_difference=30, rate_min=3, resampling=4)


def video(seed: int, frames: int, inverted: tuple[int, ...] = ()) -> list[np.ndarray]:
    """Blocks of colour under changing light; noise; a square crosses them; some frames inverted."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(20, 220, (4, 5, 3)).repeat(6, 0).repeat(6, 1)[:HEIGHT, :WIDTH].astype(float)
    images = []
    for number in range(frames):
        image = blocks * (1 + 0.1 * np.sin(number / 2 + seed))
        if number > 2:
            image[6:15, number % 8 + 3 : number % 8 + 12] = (200, 40, 90)
        if number >= frames - 2 or number in inverted:
            image = 255 - image
        images.append(np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8))
    return images


def held_at(number: int) -> np.ndarray:
    """Pixels not to be learnt."""
    held = np.zeros((HEIGHT, WIDTH), bool)
    held[4:8, 3:12] = number % 3 == 0
    return held


def same_words(one: Words, other: Words) -> bool:
    """Whether the words are the same; the record of their order is the CPU's own."""
    return bool(np.array_equal(one.head, other.head) and np.array_equal(one.tail, other.tail))


def model_equal(cpu: PawcsEngine, batch: PawcsBatch, number: int) -> dict[str, bool]:
    """Which parts of the model are equal."""
    host: Any = batch.videos[number]
    link, own = host._link, cpu._globals
    words = link.fetch_words()
    link.fetch_maps(host._maps)
    link.fetch_globals(host._globals, orders=True)
    parts = {f"maps.{name}": np.array_equal(getattr(host._maps, name), getattr(cpu._maps, name))
             for name in cpu._maps._fields if name != "held"}  # fmt: skip
    parts |= {f"globals.{name}": np.array_equal(getattr(host._globals, name), getattr(own, name))
              for name in own._fields}  # fmt: skip
    return {"words": same_words(words, cpu._words)} | {name: bool(equal) for name, equal in parts.items()}


def count_events(batch: PawcsBatch, events: Counter[str]) -> None:
    """Count what is rare, so that the caller knows that it was put to the test."""
    state: Any = batch._state
    events["light_chain"] += int((state.findings.illumination.copy_to_host() == TAKES_IF_LIT).sum())
    events["illumination"] += int((state.maps.illumination.copy_to_host() > 0).sum())
    events["newcomers"] += int(state.newcomers.asked.copy_to_host().sum())
    events["gains"] += int((state.newcomers.gained.copy_to_host() > 0).sum())
    events["neighbours"] += int((state.findings.target.copy_to_host() >= 0).sum())
    raw, foreground = state.maps.raw.copy_to_host().ravel(), state.findings.foreground.copy_to_host().ravel()
    events["foreground"] += int((raw > 0).sum())
    events["saved"] += int(((raw == 0) & (foreground > 0)).sum())
    hosts: list[Any] = list(batch.videos)
    events["moving"] += sum(host._moving for host in hosts)
    events["refreshed"] += sum(host._cooldown > 0 for host in hosts)


def main(frames: int) -> dict[str, Any]:
    """Two videos, the second without one of the frames, with held pixels in the first."""
    engine_module._global_count = lambda most, height, width: 3  # tiny frames would get one
    videos = [video(1, frames), video(2, frames, inverted=(3, 4, 5))]
    cpus = [PawcsEngine(images[0], SETTINGS, with_level=True) for images in videos]
    answer: dict[str, Any] = {"masks": [], "levels": [], "events": Counter()}
    with PawcsBatch([images[0] for images in videos], SETTINGS, with_level=True) as batch:
        for number in range(frames):
            images = [videos[0][number], None if number == GAP else videos[1][number]]
            masks = batch.apply(images, [held_at(number), None])
            count_events(batch, answer["events"])
            for place, (cpu, image, mask) in enumerate(zip(cpus, images, masks, strict=True)):
                if image is None:
                    assert mask is None
                    continue
                expected = cpu.apply(image, held_at(number) if place == 0 else None)
                answer["masks"].append(int((mask != expected).sum()))
                answer["levels"].append(int((batch.videos[place].level != cpu.level).sum()))
        for engine in (cpus[0], batch.videos[0]):
            engine._clock = CLOCK_LIMIT  # the next frame turns it back
        mask = batch.apply([videos[0][1], None])[0]
        assert mask is not None
        answer["masks"].append(int((mask != cpus[0].apply(videos[0][1])).sum()))
        answer["models"] = [model_equal(cpu, batch, place) for place, cpu in enumerate(cpus)]
    answer["labeler"] = labelled("cuda") == labelled("cpu")
    return answer


class TinyClip:
    """Two frames of one video."""

    size = HEIGHT, WIDTH
    step = 1

    def __len__(self) -> int:
        return 2

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        return islice(iter(self), 0, None, every)

    def __iter__(self) -> Iterator[ClipFrame]:
        for number, image in enumerate(video(3, 2)):
            yield ClipFrame(number + 1, image, np.zeros((0, 4), np.float32))


def labelled(device: str) -> list[bytes]:
    """Evidence of the labeler on a device."""
    settings = SETTINGS.model_copy(update={"device": device})
    return [item.values.tobytes() for item in PawcsDistance(settings).label(TinyClip())]


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # uint64 arithmetic wraps, as it should
    print(json.dumps(main(int(sys.argv[1]))))
