"""What all stores have in common for those who read them: the seal, the frames, what they were made from."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.errors import ChangedInputError, DamagedStoreError, OtherStoreError, StoreError
from spotlabel.pipeline.store import schema
from spotlabel.pipeline.store.chunks import crc32
from spotlabel.pipeline.store.plane import Plane, open_frames
from spotlabel.pipeline.store.schema import STATES_WITH_PIXELS, FrameState
from spotlabel.pipeline.store.seal import USER_BLOCK, check_seal, sealed_as
from spotlabel.pipeline.store.sound import (
    check_table,
    damaged,
    frame_size,
    making_sense,
    own_attribute,
    own_dataset,
    table,
)
from spotlabel.pipeline.text import one_line


class SealedReader:
    """A sealed store, opened on first use, once per process.

    Safe to build before a fork and to send to another process: what travels is the path, never the handle. On
    opening, the whole file is compared with its seal; on reading, each chunk with its fletcher32.
    Every table is compared with its checksum when it is read. The frames' own checksums (over unpacked bytes)
    are for :meth:`check_frames`.

    Args:
        path: the store file.
        sealed: true if the caller has just compared the file with its seal.
    """

    schema_name = ""

    def __init__(self, path: Path | str, sealed: bool = False) -> None:
        self.path = Path(path)
        self._known_sealed = sealed
        self._file: h5py.File | None = None
        self._pid = -1
        self._planes: dict[str, Plane] = {}
        self._seal = b""
        self._look: tuple[int, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "sealed": self._known_sealed, "seal": self._seal}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["sealed"])  # type: ignore[misc]
        self._seal = state["seal"]

    def __len__(self) -> int:
        return len(self.numbers)

    def close(self) -> None:
        """Close the handle of this process; the next access opens it again.

        Raises:
            StoreError: the disk failed the close.
        """
        file, self._file = self._file, None
        if file is None or self._pid != os.getpid():
            return
        try:
            file.close()
        except (
            OSError,
            RuntimeError,
        ) as error:  # h5py raises a bare RuntimeError where the disk fails a close
            raise StoreError(f"{self.path}: cannot be closed: {error}") from error

    @property
    def file(self) -> h5py.File:
        """The HDF5 file, open in this process.

        Raises:
            StoreError: missing, damaged, or not a store of this kind.
        """
        if self._file is None or self._pid != os.getpid():
            self._file, self._pid = self._open(), os.getpid()
            self._planes = {}
        return self._file

    def _open(self) -> h5py.File:
        while True:
            before = _signature(self.path)
            if not self._known_sealed:
                check_seal(self.path)
            try:
                file = open_frames(self.path, "r", locking=False)
            except OSError as error:
                raise DamagedStoreError(f"{self.path}: cannot be opened: {error}") from error
            descriptor = file.id.get_vfd_handle()
            seal = os.pread(descriptor, USER_BLOCK, 0)
            if _look(os.fstat(descriptor)) == before:  # else replaced between check and opening
                break
            file.close()
        if self._seal not in (b"", seal):  # tables read from the old file would not fit the new one
            file.close()
            raise StoreError(f"{self.path}: was replaced since this reader first read it; open a new reader")
        self._seal, self._look = seal, before
        with making_sense(self.path, "schema"):
            found = (
                own_attribute(file, "schema", self.path),
                int(own_attribute(file, "schema_version", self.path)),
            )  # fmt: skip
        readable = schema.SCHEMA_VERSIONS[self.schema_name]
        if found[0] != self.schema_name or found[1] not in readable:
            file.close()
            raise OtherStoreError(
                f"{self.path}: holds {one_line(str(found[0]))} version {found[1]}, "
                f"expected {self.schema_name} version {' or '.join(map(str, readable))}"
            )
        return file

    @property
    def digest(self) -> str:
        """Hex digest of the file that is open, as ``check_seal`` gives it."""
        assert self.file
        return sealed_as(self._seal)

    def check_unchanged(self) -> None:
        """A last look: whether the file under this name still is the one that was read.

        Raises:
            ChangedInputError: it was written over, replaced or taken away since it was opened.
        """
        try:
            same = _look(os.stat(self.path)) == self._look
        except OSError:
            same = False
        if not same:
            raise ChangedInputError(f"{self.path}: was made again while it was being read; run again")

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return frame_size(self.file, self.path)

    @cached_property
    def sequence(self) -> str:
        """The sequence's own name."""
        return self.text("sequence")

    @cached_property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Frame numbers, int64 (T,), rising."""
        numbers = self.table(schema.FRAME, np.int64, (None,))
        if (np.diff(numbers) <= 0).any():
            raise damaged(self.path, "frame numbers do not rise")
        return numbers

    @cached_property
    def state(self) -> npt.NDArray[np.uint8]:
        """:class:`FrameState` per frame, uint8 (T,)."""
        state = self.table(schema.STATE, np.uint8, (len(self),))
        if len(state) and int(state.max()) > max(FrameState):
            raise damaged(self.path, f"a frame in state {int(state.max())}")
        return state

    @cached_property
    def crc32(self) -> npt.NDArray[np.uint32]:
        """CRC-32 of each frame's unpacked bytes, uint32 (T,); 0 for frames without pixels."""
        return self.table(schema.CRC, np.uint32, (len(self),))

    @cached_property
    def table_crc32(self) -> dict[str, int] | None:
        """Checksum of each table by its name; None in a file of a version that had none."""
        if self.number("schema_version") < schema.TABLE_CRC_SINCE[self.schema_name]:
            return None
        with making_sense(self.path, schema.TABLE_CRC):
            return dict(self.structure(schema.TABLE_CRC))

    def table(self, name: str, dtype: npt.DTypeLike, shape: tuple[int | None, ...]) -> npt.NDArray[Any]:
        """All of a small dataset, compared with its checksum.

        Args:
            name: of the dataset, with its groups.
            dtype: of its numbers.
            shape: expected; None for any number of rows.

        Raises:
            DamagedStoreError: it is not there, of another kind, or not what was written.
        """
        values = table(self.file, name, dtype, shape, self.path)
        if self.table_crc32 is not None:
            check_table(name, values, self.table_crc32, self.path)
        return values

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """What the content depends on, as recorded when it was made."""
        with making_sense(self.path, "fingerprint"):
            return dict(self.structure("fingerprint"))

    def text(self, name: str) -> str:
        """A further attribute that was written as text.

        Raises:
            DamagedStoreError: there is none.
        """
        with making_sense(self.path, name):
            return str(own_attribute(self.file, name, self.path))

    def structure(self, name: str) -> Any:
        """A further attribute that was written as a structure; raises as :meth:`text`."""
        text = self.text(name)
        with making_sense(self.path, name):
            return json.loads(text)

    def number(self, name: str) -> float:
        """A further attribute that was written as a number; raises as :meth:`text`."""
        with making_sense(self.path, name):
            return float(own_attribute(self.file, name, self.path))

    def index_of(self, number: int) -> int:
        """Position of a frame number.

        Raises:
            StoreError: the store has no such frame.
        """
        index = int(np.searchsorted(self.numbers, number))
        if index == len(self.numbers) or self.numbers[index] != number:
            raise StoreError(
                f"{self.path}: no frame {number}; it holds {self.numbers[0]} to {self.numbers[-1]}"
                if len(self.numbers)
                else f"{self.path}: no frame {number}; it holds none"
            )
        return index

    def has_pixels(self, index: int) -> bool:
        """True if the frame was read and labelled, false if it is missing or unreadable."""
        return FrameState(int(self.state[index])) in STATES_WITH_PIXELS

    def packed(self, name: str, index: int) -> npt.NDArray[np.uint8]:
        """One frame of a dataset as stored, uint8 (H, B); StoreError if it cannot be read."""
        file = self.file
        if name not in self._planes:  # looking a dataset up by name costs as much as reading a small mask
            self._planes[name] = self._plane(own_dataset(file, name, self.path))
        try:
            return self._planes[name].read(index)
        except OSError as error:  # fletcher32 or inflate failed: the file changed after it was opened
            raise DamagedStoreError(
                f"{self.path}: frame {self.numbers[index]}: {name} cannot be read: {error}"
            ) from error

    def _plane(self, dataset: h5py.Dataset) -> Plane:
        """A dataset of as many frames as there are, of their height; a row has a bit or a byte a pixel."""
        count, (height, width) = len(self), self.size
        wanted = [(count, height, row) for row in (-(-width // 8), width)]
        if dataset.dtype != np.uint8 or dataset.shape not in wanted:
            raise damaged(self.path, f"{dataset.name} is {dataset.dtype} {dataset.shape}")
        return Plane(dataset)

    def check_frames(self) -> None:
        """Read all that is in the store, every frame against its checksum, then close.

        Raises:
            StoreError: the first frame that does not read back as it was written.
        """
        self.check_facts()
        for index in range(len(self)):
            if self.has_pixels(index) and crc32(self.read(index)) != self.crc32[index]:
                raise DamagedStoreError(
                    f"{self.path}: frame {self.numbers[index]}: checksum differs from the one written; "
                    "delete the file and run `spotlabel label` again"
                )
        self.close()

    def check_facts(self) -> None:
        """Read what is not pixels: raises :class:`DamagedStoreError` where it makes no sense."""
        assert self.sequence is not None
        assert self.fingerprint is not None
        assert len(self.state) == len(self.crc32)

    def read(self, index: int) -> npt.NDArray[Any]:
        """One frame; see the subclasses."""
        raise TypeError(f"{type(self).__name__} holds no pixels")


def _signature(path: Path) -> tuple[int, ...]:
    try:
        return _look(path.stat())
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be opened ({error.strerror}); run `spotlabel label` first"
        ) from error


def _look(stat: os.stat_result) -> tuple[int, ...]:
    # ctime: whoever writes a file over can give it its old dates, but not this one.
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
