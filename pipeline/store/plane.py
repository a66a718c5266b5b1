"""One dataset of T frames, read and written a frame at a time."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

# Built into every HDF5 library, so a store opens without plugins.
_FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "fletcher32": True}


class Plane:
    """Frame access to a dataset uint8 (T, H, B) whose chunks are single frames.

    Goes through h5py's low-level calls: its indexing spends half a millisecond a frame on selections, as much
    as inflating a mask.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._id = dataset.id
        self._shape = tuple(dataset.shape[1:])
        self._space = self._id.get_space()
        self._memory = h5py.h5s.create_simple((1, *self._shape))

    @classmethod
    def create(cls, file: h5py.File, name: str, shape: tuple[int, int, int]) -> Plane:
        """Make a dataset of T frames, one chunk a frame: a random read touches one chunk only."""
        chunked = {"chunks": (1, *shape[1:]), **_FILTERS} if shape[0] else {}
        return cls(file.create_dataset(name, shape, np.uint8, **chunked))

    def write(self, index: int, values: npt.NDArray[np.uint8]) -> None:
        """Write one frame, uint8 (H, B)."""
        self._id.write(self._memory, self._frame(index), np.ascontiguousarray(values))

    def read(self, index: int) -> npt.NDArray[np.uint8]:
        """Read one frame, uint8 (H, B); OSError if its checksum fails."""
        values = np.empty(self._shape, np.uint8)
        self._id.read(self._memory, self._frame(index), values)
        return values

    def _frame(self, index: int) -> h5py.h5s.SpaceID:
        """One frame selected, in a copy: threads may share a reader."""
        space = self._space.copy()
        space.select_hyperslab((index, 0, 0), (1, *self._shape))
        return space
