"""Reading stores: for the mask stage, for pictures and for training. numpy in, numpy out."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import EvidenceKind
from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store import schema
from spotlabel.pipeline.store.schema import FrameState
from spotlabel.pipeline.store.sealed import SealedReader
from spotlabel.pipeline.store.sound import (
    check_boxes,
    check_offsets,
    check_shares,
    damaged,
    making_sense,
    own_names,
)

_BOX_COLUMNS: dict[str, tuple[npt.DTypeLike, tuple[int | None, ...]]] = {
    "offsets": (np.int64, (None,)),
    "xyxy": (np.float32, (None, 4)),
    "class_id": (np.int16, (None,)),
    "track_id": (np.int64, (None,)),
    "flags": (np.uint8, (None,)),
}


class EvidenceReader(SealedReader):
    """Evidence of one sequence."""

    schema_name = schema.EVIDENCE_SCHEMA

    @cached_property
    def kind(self) -> EvidenceKind:
        """What the numbers mean."""
        with making_sense(self.path, "kind"):
            return EvidenceKind(self.text("kind"))

    @cached_property
    def neutral(self) -> int:
        """For ``distance`` evidence: foreground is what lies above this value."""
        neutral = self.number("neutral")
        if neutral not in range(256):
            raise damaged(self.path, f"a neutral value of {neutral}")
        return int(neutral)

    @cached_property
    def content(self) -> str:
        """Digest of what the evidence says, as hex; equal for equal evidence, however it was compressed."""
        facts = f"{self.kind} {self.neutral} {self.size}".encode()
        hasher = hashlib.blake2b(facts, digest_size=32)
        for column in (self.numbers, self.state, self.crc32):
            hasher.update(column.tobytes())
        return hasher.hexdigest()

    def read(self, index: int) -> npt.NDArray[np.bool_] | npt.NDArray[np.uint8]:
        """Evidence of the frame at a position.

        Returns:
            (H, W): bool for binary evidence, uint8 for motion (1/16 px per frame) and distance.

        Raises:
            StoreError: the frame has no pixels (see :attr:`state`), or is damaged.
        """
        if not self.has_pixels(index):
            state = FrameState(int(self.state[index])).name.lower()
            raise StoreError(f"{self.path}: frame {self.numbers[index]} is {state}; it has no evidence")
        plane = self.packed(schema.EVIDENCE_DATA, index)
        if self.kind != EvidenceKind.BINARY:
            return plane
        return schema.unpack_rows(plane, self.size[1]).view(np.bool_)


class MaskReader(SealedReader):
    """Masks of one sequence, with the boxes they were made from."""

    schema_name = schema.MASK_SCHEMA

    @cached_property
    def boxes(self) -> BoxTable:
        """Boxes of all frames."""
        columns = {
            name: self.table(f"boxes/{name}", dtype, shape) for name, (dtype, shape) in _BOX_COLUMNS.items()
        }
        if len({len(column) for name, column in columns.items() if name != "offsets"}) > 1:
            raise damaged(self.path, "columns of the box table differ in length")
        if len(columns["offsets"]) != len(self) + 1:
            raise damaged(self.path, "the box table has another number of frames")
        check_offsets(columns["offsets"], len(columns["xyxy"]), self.path)
        check_boxes(columns["xyxy"], self.size, self.path)
        return BoxTable(**columns)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names that the boxes' class ids point into."""
        with making_sense(self.path, "class_names"):
            return tuple(str(name) for name in self.structure("class_names"))

    @cached_property
    def quality(self) -> dict[str, npt.NDArray[Any]]:
        """What is known of each box's mask: columns by name, each (N,), in the order of :attr:`boxes`.

        ``fill``, ``believed`` and :data:`spotlabel.pipeline.store.schema.CUE_COLUMNS`; a file of an older
        version may have fewer.
        """
        group, known = self._quality_columns(), ("fill", *schema.CUE_COLUMNS)
        names = [*(name for name in known if name in group), *(name for name in group if name not in known)]
        if missing := {"fill", "believed"} - {*names}:
            raise damaged(self.path, f"it has no {schema.QUALITY}/{min(missing)}")
        rows = (len(self.boxes.xyxy),)
        columns = {
            name: self.table(f"{schema.QUALITY}/{name}", np.uint8 if name == "believed" else np.float32, rows)
            for name in names
        }
        check_shares(columns, self.path)
        with making_sense(self.path, f"{schema.QUALITY}/believed"):
            columns["believed"] = columns["believed"].astype(np.bool_)
        return columns

    def _quality_columns(self) -> list[str]:
        """Those written, by the list of checksums; a file without one has those that are found."""
        if self.table_crc32 is None:
            return own_names(self.file, schema.QUALITY, self.path)
        group = f"{schema.QUALITY}/"
        return [name.removeprefix(group) for name in self.table_crc32 if name.startswith(group)]

    def check_facts(self) -> None:
        """Also the tables, and that every box has a class."""
        super().check_facts()
        classes, used = len(self.class_names), self.boxes.class_id
        if len(used) and not 0 <= used.min() <= used.max() < classes:
            raise damaged(self.path, f"a box of class {used.max()}, of {classes}")
        assert self.quality is not None

    @property
    def fill(self) -> npt.NDArray[np.float32]:
        """Share of each box that is foreground, float32 (N,), in the order of :attr:`boxes`."""
        return self.quality["fill"]

    @property
    def believed(self) -> npt.NDArray[np.bool_]:
        """Whether the rules of the masks believed the box's evidence, bool (N,)."""
        return self.quality["believed"]

    def read(self, index: int) -> npt.NDArray[np.uint8]:
        """Mask of the frame at a position.

        Returns:
            uint8 (H, W): 0 background, 1 foreground, 255 unknown. All unknown if the frame has no pixels.

        Raises:
            StoreError: the file is damaged.
        """
        if not self.has_pixels(index):
            return np.full(self.size, schema.UNKNOWN, np.uint8)
        width = self.size[1]
        mask = schema.unpack_rows(self.packed(schema.FOREGROUND_PLANE, index), width)
        packed = self.packed(schema.UNKNOWN_PLANE, index)
        if packed.any():
            unknown = schema.unpack_rows(packed, width)
            np.negative(unknown, out=unknown)  # 1 becomes 255, the value of UNKNOWN, which takes precedence
            np.bitwise_or(mask, unknown, out=mask)
        return mask
