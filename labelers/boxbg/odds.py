"""How much each kind of pixel speaks for an object, learnt from the video itself.

The surroundings of boxes show background alone, with its noise, its moving leaves and the shadows that
objects throw out of their boxes. The inside of boxes shows a mixture of background and objects. What a
mixture has in excess of its one known part is the other part (learning from positive and unlabelled examples;
Elkan and Noto, KDD 2008): so each video tells, without any annotated pixel, which differences from the
background mean an object there and which are shadow, reflection or noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelers.boxbg.cues import DEVIATION_EDGES, KINDS, SHAPE

Float64 = npt.NDArray[np.float64]

LIMIT = 4.0
"""Largest logarithm of the odds that a single pixel may claim."""
_PRIOR_PIXELS = 2000.0
"""Weight, in pixels, of what is assumed before anything is seen: it matters in videos with few boxes only."""
_PRIOR_BACKGROUND = np.array([0.55, 0.28, 0.12, 0.035, 0.01, 0.003, 0.002])
"""Assumed share of background pixels by deviation from the background, in the bins of ``DEVIATION_EDGES``."""
_PRIOR_COVER = 0.6
"""Assumed share of a box that its object covers."""
_FLAT = 0.1
"""Weight of a uniform distribution, which stands for what did not happen to be sampled."""
_LIT_BINS = 2
"""The lowest bins of deviation: background in plain light, the same inside and outside boxes."""


class Counts:
    """Pixels of each kind inside boxes and around them."""

    def __init__(self) -> None:
        self.inside: Float64 = np.zeros(KINDS)
        self.around: Float64 = np.zeros(KINDS)

    def add(
        self, kind: npt.NDArray[np.int32], inside: npt.NDArray[np.bool_], around: npt.NDArray[np.bool_]
    ) -> None:
        """Count the pixels of a patch.

        Args:
            kind: int32 (H, W), from :func:`labelers.boxbg.cues.cues`.
            inside: bool (H, W), well inside a box.
            around: bool (H, W), in the surroundings of boxes and in none.
        """
        self.inside += np.bincount(kind[inside], minlength=KINDS)
        self.around += np.bincount(kind[around], minlength=KINDS)


def log_odds(counts: Counts, shadow_excess: float) -> npt.NDArray[np.float32]:
    """Logarithm of the odds of object against background for each kind of pixel: float32 (KINDS,).

    Args:
        counts: of the video.
        shadow_excess: how many times more often background deviates inside boxes than around them.
    """
    prior_background, prior_inside = _priors()
    inside = _density(counts.inside + _PRIOR_PIXELS * prior_inside)
    around = _density(counts.around + _PRIOR_PIXELS * prior_background)
    lit = np.s_[:, :_LIT_BINS]
    # Plain background is as dense inside boxes as around them, times the share of background in boxes.
    share = min(inside.reshape(SHAPE)[lit].sum() / around.reshape(SHAPE)[lit].sum(), 1.0)
    excess = np.ones(SHAPE)
    excess[:, _LIT_BINS:] = shadow_excess
    background = share * excess.ravel() * around
    thing = np.maximum(inside - background, 0.02 * inside)
    odds: npt.NDArray[np.float32] = np.clip(np.log(thing / background), -LIMIT, LIMIT).astype(np.float32)
    return odds


def _priors() -> tuple[Float64, Float64]:
    """Shares of each kind assumed of background, and of what is inside boxes."""
    assert len(_PRIOR_BACKGROUND) == len(DEVIATION_EDGES) + 1
    rest = KINDS // SHAPE[1]
    flat = np.full(len(_PRIOR_BACKGROUND), 1 / len(_PRIOR_BACKGROUND))
    mixed = _PRIOR_COVER * flat + (1 - _PRIOR_COVER) * _PRIOR_BACKGROUND
    spread = []
    for by_deviation in (_PRIOR_BACKGROUND, mixed):
        full = np.broadcast_to(by_deviation[None, :, None, None] / rest, SHAPE)
        spread.append(np.ascontiguousarray(full).ravel())
    return spread[0], spread[1]


def _density(counts: Float64) -> Float64:
    """Shares, smoothed over neighbouring bins of light, texture and colour (of deviation, a bin decides)."""
    table = counts.reshape(SHAPE)
    for axis in (0, 2, 3):
        padded = np.concatenate([table.take([0], axis), table, table.take([-1], axis)], axis=axis)
        size = table.shape[axis]
        low, middle, high = (padded.take(range(k, k + size), axis) for k in range(3))
        table = 0.25 * low + 0.5 * middle + 0.25 * high
    flat = table.ravel()
    smooth: Float64 = flat / flat.sum() + _FLAT / KINDS
    return smooth
