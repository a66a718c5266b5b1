"""Random numbers that depend on what they are for, never on what was drawn before."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Purpose(IntEnum):
    """Separate streams of one seed."""

    LAYOUT = 1
    TEXTURE = 2
    VEHICLE = 3
    NOISE = 4
    JITTER = 5
    SCENERY = 6


def words(seed: int, purpose: Purpose, index: int, count: int) -> npt.NDArray[np.uint64]:
    """Raw words of the counter-based generator Philox (Salmon et al., SC 2011), uint64 (count,).

    Raw words rather than distributions: NumPy promises the former to stay the same from version to version.
    """
    key = np.array([seed, (int(purpose) << 56) + index], np.uint64)
    return np.random.Philox(key=key).random_raw(count)


def uniforms(seed: int, purpose: Purpose, index: int, count: int) -> npt.NDArray[np.float64]:
    """Uniform numbers in [0, 1), float64 (count,), multiples of 2^-53."""
    return (words(seed, purpose, index, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def bells(seed: int, purpose: Purpose, index: int, count: int) -> npt.NDArray[np.int16]:
    """Bell-shaped integers, mean 0, int16 (count,) in -510..510, deviation :data:`BELL_DEVIATION`.

    Each is the sum of four uniform bytes (close to normal, cut at 3.45 deviations), so that no transcendental
    function can differ from host to host.
    """
    raw = words(seed, purpose, index, (count + 1) // 2).astype("<u8").view(np.uint8)
    quarters = raw.reshape(4, -1)[:, :count]
    low: npt.NDArray[np.int16] = np.add(quarters[0], quarters[1], dtype=np.int16)
    low += np.add(quarters[2], quarters[3], dtype=np.int16)
    low -= np.int16(510)
    return low


BELL_DEVIATION = float(np.sqrt(4 * (256**2 - 1) / 12))
"""Standard deviation of :func:`bells`: four independent bytes of variance (256^2 - 1) / 12."""
