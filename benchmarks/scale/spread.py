"""Videos of unequal length, and orders to start them in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.detector.evaluation.traffic.uavdt import TEST_LENGTHS

Frames = npt.NDArray[np.float64]
CAMERAS = 100


def log_normal(videos: int, frames: float, sigma: float, rng: np.random.Generator) -> Frames:
    """Lengths of ``videos`` videos with ``frames`` frames in all: float64 (videos,)."""
    return _scaled(rng.lognormal(0.0, sigma, videos), frames)


def like_uavdt(videos: int, frames: float, rng: np.random.Generator) -> Frames:
    """Lengths drawn from those of UAVDT's 20 test sequences, scaled to ``frames`` frames in all."""
    return _scaled(rng.choice(np.array(sorted(TEST_LENGTHS.values()), np.float64), videos), frames)


def as_listed(lengths: Frames, rng: np.random.Generator) -> Frames:
    """The lengths as a listing may have them: camera by camera, each with videos of similar length."""
    cameras = np.array_split(np.sort(lengths), CAMERAS)
    return np.concatenate([cameras[k] for k in rng.permutation(len(cameras))])


def _scaled(lengths: Frames, frames: float) -> Frames:
    scaled: Frames = np.maximum(1.0, lengths * (frames / lengths.sum()))
    return scaled
