"""Writing stores: frame by frame into a partial file, sealed and checked at the end."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from labelers.base import EvidenceKind
from pipeline.boxes import BoxTable
from pipeline.errors import StoreError
from pipeline.store import schema
from pipeline.store.reader import EvidenceReader, MaskReader
from pipeline.store.schema import FrameState, canonical_json
from pipeline.store.seal import USER_BLOCK, publishing
from pipeline.store.spool import Spool


@dataclass(frozen=True)
class StoreInfo:
    """What a store says about itself; everything here is a function of inputs, settings and versions.

    Attributes:
        sequence: the sequence's own name.
        size: height and width in pixels.
        numbers: frame numbers, int64 (T,).
        fingerprint: what the content depends on (see :mod:`pipeline.freshness`).
        attributes: further JSON-able facts (labeler, settings, class names...).
    """

    sequence: str
    size: tuple[int, int]
    numbers: npt.NDArray[np.int64]
    fingerprint: Mapping[str, object]
    attributes: Mapping[str, object] = field(default_factory=dict)


class _Writer:
    """Common part: state and checksum per frame, attributes, the closing tables."""

    schema_name = ""

    def __init__(self, target: tuple[h5py.File, Spool], info: StoreInfo) -> None:
        self._file, self._spool = target
        self._info = info
        self.state = np.zeros(len(info.numbers), np.uint8)
        self.crc32 = np.zeros(len(info.numbers), np.uint32)
        self._declare()

    def _declare(self) -> None:
        attributes = {
            "schema": self.schema_name,
            "schema_version": schema.SCHEMA_VERSION,
            "sequence": self._info.sequence,
            "height": self._info.size[0],
            "width": self._info.size[1],
            "fingerprint": canonical_json(self._info.fingerprint),
        }
        for name, value in self._info.attributes.items():
            attributes[name] = value if isinstance(value, (str, int, float)) else canonical_json(value)
        for name in sorted(attributes):
            self._file.attrs[name] = attributes[name]

    def _create(self, name: str, row_bytes: int) -> h5py.Dataset:
        """One dataset of T frames, one chunk a frame: a random read touches one chunk only."""
        shape = (len(self._info.numbers), self._info.size[0], row_bytes)
        return self._file.create_dataset(
            name,
            shape,
            np.uint8,
            chunks=(1, *shape[1:]) if shape[0] else None,
            **(schema.FILTERS if shape[0] else {}),
        )

    def mark(self, index: int, state: FrameState) -> None:
        """Record a frame that has no pixels (missing or unreadable)."""
        self.state[index] = state

    def _record(self, index: int, state: FrameState, values: npt.NDArray[np.uint8]) -> None:
        if values.shape != self._info.size:
            raise ValueError(f"frame {index}: shape {values.shape}, the store holds {self._info.size}")
        self._spool.check()  # stop at the first failed write, not hours later
        self.state[index] = state
        self.crc32[index] = zlib.crc32(np.ascontiguousarray(values).data)

    def finish(self) -> None:
        """Write the per-frame tables; called once, before the file is closed."""
        self._file.create_dataset(schema.FRAME, data=self._info.numbers.astype(np.int64))
        self._file.create_dataset(schema.STATE, data=self.state)
        self._file.create_dataset(schema.CRC, data=self.crc32)


class EvidenceWriter(_Writer):
    """Writes the evidence of one sequence; make one with :meth:`writing`."""

    schema_name = schema.EVIDENCE_SCHEMA

    def __init__(self, target: tuple[h5py.File, Spool], info: StoreInfo, kind: EvidenceKind) -> None:
        super().__init__(target, info)
        self._packed = kind == EvidenceKind.BINARY
        width = info.size[1]
        self._data = self._create(schema.EVIDENCE_DATA, -(-width // 8) if self._packed else width)

    def put(
        self, index: int, values: npt.NDArray[np.bool_] | npt.NDArray[np.uint8], state: FrameState
    ) -> None:
        """Store one frame.

        Args:
            index: position of the frame.
            values: (H, W): bool for binary evidence, uint8 otherwise.
            state: ``OK`` or ``WARM_UP``.
        """
        wanted = np.bool_ if self._packed else np.uint8
        if values.dtype != wanted:
            raise ValueError(f"evidence of type {values.dtype}, this labeler declared {np.dtype(wanted)}")
        self._record(index, state, values.view(np.uint8))
        self._data[index] = schema.pack_rows(values) if self._packed else values

    @classmethod
    @contextmanager
    def writing(
        cls, path: Path, info: StoreInfo, kind: EvidenceKind, neutral: int = 0
    ) -> Iterator[EvidenceWriter]:
        """Open a writer whose file appears at ``path`` when the block ends without an error.

        Raises:
            StoreError: the disk is full or what was written cannot be read back; ``path`` is untouched.
        """
        info = replace(info, attributes={**info.attributes, "kind": str(kind), "neutral": neutral})
        with _publish(path, lambda partial: EvidenceReader(partial).check_frames()) as target:
            writer = cls(target, info, kind)
            yield writer
            writer.finish()


class MaskWriter(_Writer):
    """Writes the masks of one sequence; make one with :meth:`writing`."""

    schema_name = schema.MASK_SCHEMA

    def __init__(self, target: tuple[h5py.File, Spool], info: StoreInfo, boxes: BoxTable) -> None:
        super().__init__(target, info)
        row_bytes = -(-info.size[1] // 8)
        self._foreground = self._create(schema.FOREGROUND_PLANE, row_bytes)
        self._unknown = self._create(schema.UNKNOWN_PLANE, row_bytes)
        self._boxes = boxes
        self._fill = np.zeros(len(boxes.xyxy), np.float32)
        self._believed = np.zeros(len(boxes.xyxy), np.uint8)

    def put(
        self,
        index: int,
        mask: npt.NDArray[np.uint8],
        state: FrameState,
        fill: npt.NDArray[np.float32],
        believed: npt.NDArray[np.bool_],
    ) -> None:
        """Store one frame.

        Args:
            index: position of the frame.
            mask: uint8 (H, W) of ``BACKGROUND``, ``FOREGROUND``, ``UNKNOWN``.
            state: ``OK`` or ``WARM_UP``.
            fill: float32 (n,), share of each of the frame's boxes that is foreground.
            believed: bool (n,), false where the box's evidence was too weak to believe.
        """
        self._record(index, state, mask)
        self._foreground[index] = schema.pack_rows(mask == schema.FOREGROUND)
        unknown = mask == schema.UNKNOWN
        if unknown.any():  # a chunk never written reads as zeros, and costs nothing
            self._unknown[index] = schema.pack_rows(unknown)
        rows = self._boxes.rows(index)
        self._fill[rows] = fill
        self._believed[rows] = believed

    def finish(self) -> None:
        """Write box and quality tables after the per-frame tables."""
        super().finish()
        columns = {
            "boxes/offsets": self._boxes.offsets, "boxes/xyxy": self._boxes.xyxy,
            "boxes/class_id": self._boxes.class_id, "boxes/track_id": self._boxes.track_id,
            "boxes/flags": self._boxes.flags, "quality/fill": self._fill, "quality/believed": self._believed,
        }  # fmt: skip
        for name, column in columns.items():
            self._file.create_dataset(name, data=column)

    @classmethod
    @contextmanager
    def writing(cls, path: Path, info: StoreInfo, boxes: BoxTable) -> Iterator[MaskWriter]:
        """Open a writer whose file appears at ``path`` when the block ends without an error.

        Raises:
            StoreError: the disk is full or what was written cannot be read back; ``path`` is untouched.
        """
        with _publish(path, lambda partial: MaskReader(partial).check_frames()) as target:
            writer = cls(target, info, boxes)
            yield writer
            writer.finish()


@contextmanager
def _publish(path: Path, check: Callable[[Path], None]) -> Iterator[tuple[h5py.File, Spool]]:
    """Open a partial HDF5 file; on leaving, close, seal, read back and rename it."""
    try:
        with publishing(path, check) as partial, Spool(partial) as spool:
            with h5py.File(spool, "w", userblock_size=USER_BLOCK) as file:
                yield file, spool
            spool.check()
    except OSError as error:
        free = shutil.disk_usage(path.parent).free
        raise StoreError(
            f"{path}: could not be written ({free / 2**20:.1f} MiB free there): {error.strerror or error}; "
            "free some space or set another `out`, then run again"
        ) from error
