"""Deterministic test tensors: the same numbers on every machine and in every library, from a name alone."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def hash_bits(name: str, count: int) -> np.ndarray:
    """uint32 (count,): golden-ratio counter from crc32(name), mixed by murmur3's finaliser."""
    x = np.arange(count, dtype=np.uint32)
    x *= np.uint32(0x9E3779B1)
    x += np.uint32(zlib.crc32(name.encode()))
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x


def uniform(name: str, count: int) -> np.ndarray:
    """float64 (count,) in [0, 1)."""
    return hash_bits(name, count) / 2.0**32


def tensor(name: str, shape: tuple[int, ...], low: float, high: float) -> torch.Tensor:
    """float64 tensor in [low, high)."""
    values = low + (high - low) * uniform(name, int(np.prod(shape)))
    return torch.from_numpy(values.reshape(shape))


def parameter(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """float64 value of the parameter or buffer with this public name."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    centred = uniform(name, int(np.prod(shape))) - 0.5
    if name.endswith("running_var"):
        centred = 1 + 0.4 * centred
    elif name.endswith(("running_mean", "bias")):
        centred = 0.2 * centred
    elif len(shape) == 1:
        centred = 0.5 + 0.4 * centred
    else:
        centred = centred * np.sqrt(12) * np.sqrt(2 / np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(centred).reshape(shape))
