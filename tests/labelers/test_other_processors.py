"""What is promised of other processors (docs/processors.md), with libraries told to be on one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.processors.__main__ import labelled
from benchmarks.processors.child import SavedScene
from benchmarks.processors.emulation import EMULATIONS, absent_flags
from tests.helpers.boxbg_videos import Actor, Video
from tests.helpers.clips import Replayed
from tests.helpers.moving_scenes import Scene, leaning

EQUAL = ("fixed:mog2", "fixed:knn")
"""Equal bytes from SSE 4.1 to AVX-512."""
CLOSE = ("fixed:boxbg", "fixed:farneback", "moving:egoflow", "moving:egoflow-cut")
"""Equal bytes from AVX2 on; below it few pixels are apart."""
FEW = 2e-3
"""Share of pixels that may be apart."""
FINE = ("AVX2 and FMA",)
"""Emulations that give equal bytes with every labeler."""


def saved(clip: Replayed, path: Path) -> None:
    frames = list(clip)
    ends = np.cumsum([len(frame.boxes) for frame in frames])
    images = np.stack([frame.image for frame in frames])
    SavedScene(images, np.concatenate([frame.boxes for frame in frames]), ends).save(path)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The scenes, and what this processor makes of them."""
    folder = tmp_path_factory.mktemp("scenes")
    saved(Video(Actor(lambda index: (4 + 5 * index, 50)), frames=24, shake=1.5), folder / "fixed.npz")
    saved(Scene(leaning, count=6), folder / "moving.npz")
    host = labelled(folder, [*EQUAL, *CLOSE], {})
    for pair in (*EQUAL, *CLOSE):
        np.save(folder / f"{pair}.npy", host[f"{pair}.evidence"])
    return folder, host


@pytest.mark.parametrize("name", ["AVX2 and FMA", "SSE 4.1"])
def test_another_processor_gives_what_is_promised(name: str, scenes: tuple[Path, dict[str, Any]]) -> None:
    """numba's code is this processor's own here: other code is for `make test-processors`, which compiles."""
    emulation, (folder, host) = EMULATIONS[name], scenes
    if absent_flags(emulation):
        pytest.skip("nothing can be emulated that this processor has not")
    told = {key: value for key, value in emulation.environment().items() if not key.startswith("NUMBA")}
    there = labelled(folder, [*EQUAL, *CLOSE], told)
    assert there["opencv"] == emulation.opencv_level
    for pair in (*EQUAL, *CLOSE):
        evidence, other = host[f"{pair}.evidence"], there[f"{pair}.evidence"]
        assert evidence.any(), pair
        assert np.array_equal(host[f"{pair}.masks"], there[f"{pair}.masks of host's evidence"]), pair
        if pair in EQUAL or name in FINE:
            assert np.array_equal(evidence, other), pair
        else:
            assert (evidence != other).mean() < FEW, pair
            assert (host[f"{pair}.masks"] != there[f"{pair}.masks"]).mean() < FEW, pair


def test_this_processor_gives_equal_bytes_each_time(scenes: tuple[Path, dict[str, Any]]) -> None:
    folder, host = scenes
    again = labelled(folder, [*EQUAL, *CLOSE], {"PYTHONHASHSEED": str(os.getpid())})
    for pair in (*EQUAL, *CLOSE):
        assert np.array_equal(host[f"{pair}.evidence"], again[f"{pair}.evidence"]), pair
