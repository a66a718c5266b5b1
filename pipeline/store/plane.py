"""One dataset of T frames, read and written a frame at a time."""

from __future__ import annotations

from math import prod
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.store.chunks import unpacked

# Built into every HDF5 library, so a store opens without plugins.
_FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "fletcher32": True}

_INDEX_BYTES = 128 << 10
"""Of a file's index (where each frame's chunk lies) kept in memory, counted as on disk; decoded it takes
about nine times as much, and HDF5's own limit is 32 MiB."""


def open_frames(target: Any, mode: str, **options: Any) -> h5py.File:
    """Open an HDF5 file of frames so that its memory does not grow with the length of the video.

    A frame is one chunk, so a cache of chunks would only collect frames that are not asked for again.

    Args:
        target: path or file object.
        mode: as for :class:`h5py.File`.
        options: likewise.

    Raises:
        OSError: it cannot be opened.
    """
    file = h5py.File(target, mode, rdcc_nbytes=0, **options)
    config = file.id.get_mdc_config()
    config.set_initial_size = True
    config.initial_size = config.max_size = config.min_size = _INDEX_BYTES
    file.id.set_mdc_config(config)
    return file


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
        self._plain = _is_plain(dataset)

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
        values = self._unpacked(index) if self._plain else None
        if values is None:  # never written, or damaged: HDF5 knows what to say
            values = np.empty(self._shape, np.uint8)
            self._id.read(self._memory, self._frame(index), values)
        return values

    def _unpacked(self, index: int) -> npt.NDArray[np.uint8] | None:
        """One frame by way of its packed bytes; None if they are not as this module writes them."""
        size = prod(self._shape)
        room = np.empty(_most_packed(size), np.uint8)
        try:  # asking for the chunk's size beforehand would walk through all chunks of the plane
            skipped, chunk = self._id.read_direct_chunk((index, 0, 0), out=room)
        except (
            OSError,
            RuntimeError,
            ValueError,
        ):  # never written, a damaged index, more than there is room for
            return None
        values = None if skipped else unpacked(bytes(chunk), size)
        return None if values is None else values.reshape(self._shape)

    def _frame(self, index: int) -> h5py.h5s.SpaceID:
        """One frame selected, in a copy: threads may share a reader."""
        space = self._space.copy()
        space.select_hyperslab((index, 0, 0), (1, *self._shape))
        return space


def _is_plain(dataset: h5py.Dataset) -> bool:
    """Whether a dataset's chunks are single frames that went through the filters of this module alone."""
    if dataset.chunks != (1, *dataset.shape[1:]) or dataset.dtype != np.uint8:
        return False
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
    return filters == [h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32]


def _most_packed(size: int) -> int:
    """Deflate stores what it cannot pack, with five bytes a block and a head: more bytes are damage."""
    return size + size // 1000 + 64
