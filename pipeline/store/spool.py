"""The file HDF5 writes into, made so that HDF5 never sees a write fail.

On a full disk HDF5 may accept frames that read back as zeros, raise from a destructor, or crash the process
when the file is closed. So writes go through this object: the first error is kept for us, everything after it
is dropped with a straight face, HDF5 closes in peace, and the writer raises the error itself.
"""

from __future__ import annotations

import io
import os
from typing import Any


class Spool(io.RawIOBase):
    """A seekable file for h5py's file-object driver that remembers its first error.

    Attributes:
        error: the first error of a write or truncation; None while all went well.
    """

    def __init__(self, path: os.PathLike[str]) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_RDWR)
        self._position = 0
        self.error: OSError | None = None

    def check(self) -> None:
        """Raise the error that was kept, if any."""
        if self.error is not None:
            raise self.error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position; returns it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._descriptor).st_size}
        self._position = base[whence] + offset
        return self._position

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the position on; returns the number of bytes read."""
        view = memoryview(buffer).cast("B")
        data = os.pread(self._descriptor, len(view), self._position)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def write(self, buffer: Any) -> int:
        """Write at the position; always claims to have written everything."""
        view = memoryview(buffer).cast("B")
        if self.error is None:
            try:
                self._write_all(view)
            except OSError as error:
                self.error = error
        self._position += len(view)
        return len(view)

    def _write_all(self, view: memoryview) -> None:
        done = 0
        while done < len(view):  # a nearly full disk takes a part first
            done += os.pwrite(self._descriptor, view[done:], self._position + done)

    def truncate(self, size: int | None = None) -> int:
        """Set the file's length; returns it."""
        size = self._position if size is None else size
        if self.error is None:
            try:
                os.ftruncate(self._descriptor, size)
            except OSError as error:
                self.error = error
        return size

    def close(self) -> None:
        """Close the descriptor; may be called twice."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()
