"""What is in a store file: names, versions, the meaning of each number."""

from __future__ import annotations

import zlib
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.values import BACKGROUND, FOREGROUND, UNKNOWN

__all__ = ["BACKGROUND", "FOREGROUND", "UNKNOWN"]

EVIDENCE_SCHEMA = "spotlabel-evidence"
MASK_SCHEMA = "spotlabel-mask"
MANUAL_SCHEMA = "spotlabel-manual"
SCHEMA_VERSIONS = {EVIDENCE_SCHEMA: (1, 2), MASK_SCHEMA: (1, 2, 3), MANUAL_SCHEMA: (1,)}
"""Versions of each schema that can be read, rising; the last one is written.

A version that only adds is read like the one before, without what it adds. Mask version 2 added the columns
of :data:`CUE_COLUMNS` to the quality table; evidence version 2 and mask version 3 added :data:`TABLE_CRC`,
mask version 3 also the columns of :data:`OWNER_COLUMNS` and the tables below ``owners``.
"""
TABLE_CRC_SINCE = {EVIDENCE_SCHEMA: 2, MASK_SCHEMA: 3, MANUAL_SCHEMA: 1}
"""First version of each schema whose tables carry checksums."""

UNKNOWN_PLANE = "unknown"
FOREGROUND_PLANE = "foreground"
EVIDENCE_DATA = "evidence"
FIGURES = "figures"
"""Tables of evidence, only where its labeler has figures of boxes: float32 (N,) by name, see
:data:`spotlabel.labelers.masks.figures.FIGURES`, and ``offsets``, int64 (T + 1,): frame ``i`` has rows
``offsets[i]:offsets[i + 1]``, one for each of its boxes, none where it has no pixels."""
FRAME = "frame"
STATE = "state"
CRC = "crc32"
TABLE_CRC = "table_crc32"
"""Attribute of the file: a JSON object of :func:`table_crc32` by name of the table, of all tables."""
QUALITY = "quality"
OWNER_OFFSETS = "owners/offsets"
"""int64 (T + 1,): frame ``i`` has rows ``offsets[i]:offsets[i + 1]`` of :data:`OWNER_RUNS`."""
OWNER_RUNS = "owners/runs"
"""uint16 (R, 2): number of pixels, and the box among those of the frame that owns them. The runs of a frame
are its foreground pixels that two or more boxes claim, row by row from the upper left corner."""
OWNER_CLAIMS = "owners/claims"
"""uint8 (N,): 1 if the box claims the foreground inside it. A foreground pixel that one box claims is its."""
CUE_COLUMNS = ("contact", "agreement", "temporal", "overlap", "own_fill", "size", "believability")
"""Columns of the quality table beside ``fill`` and ``believed``, float32 (N,), NaN where there is nothing to
say; described in :class:`spotlabel.labelers.masks.cues.Cues` and
:class:`spotlabel.labelers.masks.frame.FrameMask`."""


OWNER_COLUMNS = ("contested", "won", "by_depth")
"""Further columns of the quality table, float32 (N,); described in
:class:`spotlabel.labelers.masks.owners.FrameOwners`."""
MANUAL_COLUMN = "manual"
"""A further column of the quality table, float32 (N,), only where a box was corrected by a person: its
:class:`spotlabel.labelers.masks.corrected.Decision`, 0 for the others."""


class FrameState(IntEnum):
    """What is known of a frame. 0 means missing, so a hole never reads as "all background"."""

    MISSING = 0
    OK = 1
    UNREADABLE = 2
    WARM_UP = 3
    UNANNOTATED = 4
    """Masks only: nobody looked for objects in this frame, whatever its pixels say."""


STATES_WITH_PIXELS = (FrameState.OK, FrameState.WARM_UP)


def table_crc32(name: str, values: npt.NDArray[Any]) -> int:
    """Checksum of a table: CRC-32 of a line with its name, type and shape, then of its numbers.

    Args:
        name: of the dataset, with its groups.
        values: all of it, of any shape; counted in C order and little-endian.
    """
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return zlib.crc32(plain.tobytes(), zlib.crc32(f"{name} {plain.dtype.str} {values.shape}\n".encode()))


def pack_rows(plane: npt.NDArray[np.bool_] | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bit-pack along rows, first pixel in the highest bit.

    Args:
        plane: (H, W), bool or uint8 where non-zero means set.

    Returns:
        uint8 (H, ceil(W / 8)).
    """
    return np.packbits(plane, axis=1)


def unpack_rows(packed: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    """Inverse of :func:`pack_rows`: uint8 (H, width) of 0 and 1."""
    return np.unpackbits(packed, axis=1, count=width)
