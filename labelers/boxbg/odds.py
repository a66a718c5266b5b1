"""Log-odds of object against background for each joint bin of the cues, learnt from the video itself.

The surroundings of boxes show background alone, with its noise, its moving leaves and the shadows that
objects throw out of their boxes. The inside of boxes shows a mixture of background and objects. What a
mixture has in excess of its one known part is the other part (learning from positive and unlabelled examples;
Elkan and Noto, KDD 2008): so each video tells, without any annotated pixel, which differences from the
background mean an object there and which are shadow, reflection or noise.

Shadows that never leave their boxes are found by another excess. What is brighter than the background is
object alone, so there it shows how often objects are plain: without texture or colour that the background
would not have. Darker than the background are objects and shadows, and what is plain there beyond what
objects are is shadow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled
from spotlabel.labelers.boxbg.cues import (
    BIN_COUNT,
    BIN_SHAPE,
    DEVIATION_EDGES,
    PLAIN_COLOUR,
    PLAIN_TEXTURE,
    RATIO_EDGES,
)

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
"""The lowest bins of deviation: background in unchanged light, the same inside and outside boxes."""
_MAX_SHADOW = 0.5
"""Soft shadows are no larger than the objects that cast them."""
_MIN_OBJECT = 0.02
"""Share of the pixels of any bin inside boxes that is at least granted to objects."""
_BRIGHT, _SHADED, _DARK = np.log(1.1), np.log(0.95), np.log(0.6)
"""Logarithm of the brightness ratio beyond which there are no shadows; below which there may be; and
below which a plain object is as likely: shadows that stay near what casts them are soft."""


class BinCounts:
    """Histograms over the joint bins of the pixels inside boxes and around them."""

    def __init__(self) -> None:
        self.inside: Float64 = np.zeros(BIN_COUNT)
        self.around: Float64 = np.zeros(BIN_COUNT)

    def add(
        self, bins: npt.NDArray[np.int32], inside: npt.NDArray[np.bool_], around: npt.NDArray[np.bool_]
    ) -> None:
        """Count the pixels of a patch.

        Args:
            bins: int32 (H, W), from :func:`spotlabel.labelers.boxbg.cues.measure_cues`.
            inside: bool (H, W), well inside a box.
            around: bool (H, W), in the surroundings of boxes and in none.
        """
        _count(bins, inside, around, (self.inside, self.around))


@compiled
def _count(
    bins: npt.NDArray[np.int32],
    inside: npt.NDArray[np.bool_],
    around: npt.NDArray[np.bool_],
    counts: tuple[Float64, Float64],
) -> None:
    height, width = bins.shape
    for y in range(height):
        for x in range(width):
            if inside[y, x]:
                counts[0][bins[y, x]] += 1
            if around[y, x]:
                counts[1][bins[y, x]] += 1


def log_odds(counts: BinCounts, shadow_excess: float, plain_excess: float) -> npt.NDArray[np.float32]:
    """Logarithm of the odds of object against background for each joint bin: float32 (BIN_COUNT,).

    Args:
        counts: of the video.
        shadow_excess: how many times more often background deviates inside boxes than around them.
        plain_excess: how many times more often objects are plain where they are dark than where bright.
    """
    prior_background, prior_inside = _priors()
    inside = _density(counts.inside + _PRIOR_PIXELS * prior_inside)
    around = _density(counts.around + _PRIOR_PIXELS * prior_background)
    # Plain background is as dense inside boxes as around them, times the share of background in boxes.
    share = min(inside[:, :_LIT_BINS].sum() / around[:, :_LIT_BINS].sum(), 1.0)
    background = share * around
    background[:, _LIT_BINS:] *= shadow_excess
    objects = np.maximum(inside - background, _MIN_OBJECT * inside)
    lit_objects = objects * (1 - _shadow_share(objects, plain_excess))
    background = np.maximum(background, inside - lit_objects)
    objects = np.maximum(lit_objects, _MIN_OBJECT * inside)
    odds: npt.NDArray[np.float32] = np.clip(np.log(objects / background), -LIMIT, LIMIT).astype(np.float32)
    return odds.ravel()


def _shadow_share(objects: Float64, plain_excess: float) -> Float64:
    """Share of shadow in what is taken for objects: float64, as :data:`BIN_SHAPE` but 1 for deviation."""
    deviating = objects[:, _LIT_BINS:].sum(axis=1)  # by light, texture, colour
    step = RATIO_EDGES[1] - RATIO_EDGES[0]
    log_ratio = np.concatenate([[RATIO_EDGES[0] - step], RATIO_EDGES]) + step / 2  # middle of each bin
    appearance = deviating[log_ratio > _BRIGHT].sum(axis=0)
    appearance /= appearance.sum()
    plain = np.zeros(appearance.shape, np.bool_)
    plain[:PLAIN_TEXTURE, :PLAIN_COLOUR] = True
    evident = deviating[:, ~plain].sum(axis=1) / appearance[~plain].sum()
    expected = plain_excess * evident[:, None, None] * appearance
    shadow = np.maximum(1 - expected / deviating, 0)
    shadow[(log_ratio >= _SHADED) | (log_ratio < _DARK)] = 0
    shadow[:, ~plain] = 0
    if (shadow * deviating).sum() > _MAX_SHADOW * deviating.sum():
        shadow[:] = 0  # then the objects of this video are plain and dark themselves
    return np.asarray(shadow[:, None])


def _priors() -> tuple[Float64, Float64]:
    """Shares of each joint bin assumed of background, and of what is inside boxes."""
    assert len(_PRIOR_BACKGROUND) == len(DEVIATION_EDGES) + 1
    rest = BIN_COUNT // BIN_SHAPE[1]
    flat = np.full(len(_PRIOR_BACKGROUND), 1 / len(_PRIOR_BACKGROUND))
    mixed = _PRIOR_COVER * flat + (1 - _PRIOR_COVER) * _PRIOR_BACKGROUND
    spread = []
    for by_deviation in (_PRIOR_BACKGROUND, mixed):
        full = np.broadcast_to(by_deviation[None, :, None, None] / rest, BIN_SHAPE)
        spread.append(np.ascontiguousarray(full).ravel())
    return spread[0], spread[1]


def _density(counts: Float64) -> Float64:
    """Shares, float64 of :data:`BIN_SHAPE`, smoothed over neighbouring bins of light, texture and colour.

    Of deviation, a bin decides.
    """
    table = counts.reshape(BIN_SHAPE)
    for axis in (0, 2, 3):
        padded = np.concatenate([table.take([0], axis), table, table.take([-1], axis)], axis=axis)
        size = table.shape[axis]
        low, middle, high = (padded.take(range(k, k + size), axis) for k in range(3))
        table = 0.25 * low + 0.5 * middle + 0.25 * high
    smooth: Float64 = table / table.sum() + _FLAT / BIN_COUNT
    return smooth
