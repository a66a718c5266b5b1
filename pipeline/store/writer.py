"""Writing stores: frame by frame into a partial file, sealed and checked at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks.figures import FIGURES
from spotlabel.labelers.masks.owners import FrameOwners, Runs
from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.hashing import canonical_json
from spotlabel.pipeline.store import schema
from spotlabel.pipeline.store.chunks import crc32
from spotlabel.pipeline.store.plane import Plane
from spotlabel.pipeline.store.published import published, storable
from spotlabel.pipeline.store.reader import EvidenceReader, MaskReader
from spotlabel.pipeline.store.schema import FrameState
from spotlabel.pipeline.store.spool import Spool

_NEVER_WRITTEN = -1
_WHERE_GIVEN = {schema.MANUAL_COLUMN: 0.0, **dict.fromkeys(FIGURES, np.nan)}
"""Columns of the quality table that are there if a frame gives them, and what the boxes of others have."""


@dataclass(frozen=True)
class StoreInfo:
    """What a store says about itself; everything here is a function of inputs, settings and versions.

    Attributes:
        sequence: the sequence's own name.
        size: height and width in pixels.
        numbers: frame numbers, int64 (T,).
        fingerprint: what the content depends on (see :mod:`spotlabel.pipeline.upkeep.freshness`).
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
    reader_type: type[EvidenceReader] | type[MaskReader]

    def __init__(self, target: tuple[h5py.File, Spool], info: StoreInfo) -> None:
        self._file, self._spool = target
        self._info = info
        self.state = np.zeros(len(info.numbers), np.uint8)
        self.crc32 = np.zeros(len(info.numbers), np.uint32)
        self._planes: dict[str, Plane] = {}
        self._written: dict[str, npt.NDArray[np.int64]] = {}
        self._tables: dict[str, npt.NDArray[Any]] = {}
        self._declare()

    def _declare(self) -> None:
        attributes = {
            "schema": self.schema_name,
            "schema_version": schema.SCHEMA_VERSIONS[self.schema_name][-1],
            "sequence": self._info.sequence,
            "height": self._info.size[0],
            "width": self._info.size[1],
            "fingerprint": canonical_json(self._info.fingerprint),
        }
        for name, value in self._info.attributes.items():
            attributes[name] = value if isinstance(value, (str, int, float)) else canonical_json(value)
        for name in sorted(attributes):
            self._file.attrs[name] = storable(name, attributes[name])

    def _create(self, name: str, row_bytes: int) -> None:
        shape = (len(self._info.numbers), self._info.size[0], row_bytes)
        self._planes[name] = Plane.create(self._file, name, shape)
        self._written[name] = np.full(shape[0], _NEVER_WRITTEN, np.int64)

    def _write(self, name: str, index: int, packed: npt.NDArray[np.uint8]) -> None:
        """Write one frame of a dataset and remember its checksum for the reading back."""
        self._planes[name].write(index, packed)
        self._written[name][index] = crc32(packed)

    def read_back(self, partial: Path) -> None:
        """Compare every chunk and every table on disk with what was written.

        Raises:
            StoreError: the first frame or table that differs.
        """
        reader = self.reader_type(partial)
        for name, values in self._tables.items():
            reader.table(name, values.dtype, values.shape)
        for name, checksums in self._written.items():
            for index in np.flatnonzero(checksums != _NEVER_WRITTEN).tolist():
                if crc32(reader.packed(name, index)) != checksums[index]:
                    number = reader.numbers[index]
                    raise StoreError(f"{partial}: {name} of frame {number} reads back differently")
        reader.close()

    def mark(self, index: int, state: FrameState) -> None:
        """Record a frame that has no pixels (missing or unreadable)."""
        self._spool.check()
        self.state[index] = state

    def _record(self, index: int, state: FrameState, values: npt.NDArray[np.uint8]) -> None:
        if values.shape != self._info.size:
            raise ValueError(f"frame {index}: shape {values.shape}, the store holds {self._info.size}")
        self._spool.check()  # stop at the first failed write, not hours later
        self.state[index] = state
        self.crc32[index] = crc32(values)

    def finish(self) -> None:
        """Write the tables and their checksums; called once, before the file is closed."""
        self._tables = self._all_tables()
        for name, values in self._tables.items():
            self._file.create_dataset(name, data=values)
        checksums = {name: schema.table_crc32(name, values) for name, values in self._tables.items()}
        self._file.attrs[schema.TABLE_CRC] = canonical_json(checksums)

    def _all_tables(self) -> dict[str, npt.NDArray[Any]]:
        """By name, in the order in which they are written."""
        numbers = self._info.numbers.astype(np.int64)
        return {schema.FRAME: numbers, schema.STATE: self.state, schema.CRC: self.crc32}


class EvidenceWriter(_Writer):
    """Writes the evidence of one sequence; make one with :meth:`writing`."""

    schema_name = schema.EVIDENCE_SCHEMA
    reader_type = EvidenceReader

    def __init__(
        self, target: tuple[h5py.File, Spool], info: StoreInfo, kind: EvidenceKind, figures: Iterable[str]
    ) -> None:
        super().__init__(target, info)
        self._names, self._figures = sorted(figures), dict[int, npt.NDArray[np.float32]]()
        self._packed = kind == EvidenceKind.BINARY
        width = info.size[1]
        row_bytes = -(-width // 8) if self._packed else width
        self._create(schema.EVIDENCE_DATA, row_bytes)

    def put(
        self,
        index: int,
        values: npt.NDArray[np.bool_] | npt.NDArray[np.uint8],
        state: FrameState,
        figures: Mapping[str, npt.NDArray[np.float32]] = MappingProxyType({}),
    ) -> None:
        """Store one frame.

        Args:
            index: position of the frame.
            values: (H, W): bool for binary evidence, uint8 otherwise.
            state: ``OK`` or ``WARM_UP``.
            figures: float32 (N,) of the frame's boxes, by the names that the store was opened with.

        Raises:
            ValueError: evidence or figures are not what was declared.
        """
        if sorted(figures) != self._names:
            raise ValueError(f"figures of boxes {sorted(figures)}, this labeler declared {self._names}")
        if figures:
            self._figures[index] = np.stack([figures[name] for name in self._names]).astype(np.float32)
        wanted = np.bool_ if self._packed else np.uint8
        if values.dtype != wanted:
            raise ValueError(f"evidence of type {values.dtype}, this labeler declared {np.dtype(wanted)}")
        plane = values.view(np.uint8)
        self._record(index, state, plane)
        self._write(schema.EVIDENCE_DATA, index, schema.pack_rows(plane) if self._packed else plane)

    def _all_tables(self) -> dict[str, npt.NDArray[Any]]:
        tables = super()._all_tables()
        if not self._names:
            return tables
        none = np.zeros((len(self._names), 0), np.float32)
        parts = [self._figures.get(index, none) for index in range(len(self._info.numbers))]
        offsets = np.cumsum([0, *(part.shape[1] for part in parts)], dtype=np.int64)
        columns = np.concatenate([none, *parts], axis=1)
        named = zip(self._names, columns, strict=True)
        return (
            tables
            | {f"{schema.FIGURES}/offsets": offsets}
            | {f"{schema.FIGURES}/{name}": column for name, column in named}
        )

    @classmethod
    @contextmanager
    def writing(
        cls, path: Path, info: StoreInfo, kind: EvidenceKind, neutral: int = 0, figures: Iterable[str] = ()
    ) -> Iterator[EvidenceWriter]:
        """Open a writer whose file appears at ``path`` when the block ends without an error.

        Args:
            path: of the store.
            info: what it says about itself.
            kind: what the numbers mean.
            neutral: foreground of ``distance`` evidence is what lies above.
            figures: names of the figures of boxes that come with each frame.

        Raises:
            StoreError: the disk is full or what was written cannot be read back; ``path`` is untouched.
        """
        info = replace(info, attributes={**info.attributes, "kind": str(kind), "neutral": neutral})
        with published(path, lambda target: cls(target, info, kind, figures)) as writer:
            yield writer


class MaskWriter(_Writer):
    """Writes the masks of one sequence; make one with :meth:`writing`."""

    schema_name = schema.MASK_SCHEMA
    reader_type = MaskReader

    def __init__(self, target: tuple[h5py.File, Spool], info: StoreInfo, boxes: BoxTable) -> None:
        super().__init__(target, info)
        row_bytes = -(-info.size[1] // 8)
        for name in (schema.FOREGROUND_PLANE, schema.UNKNOWN_PLANE):
            self._create(name, row_bytes)
        self._boxes = boxes
        self._fill = np.zeros(len(boxes.xyxy), np.float32)
        self._believed = np.zeros(len(boxes.xyxy), np.uint8)
        self._cues = {name: np.full(len(boxes.xyxy), np.nan, np.float32) for name in schema.CUE_COLUMNS}
        self._owners: dict[int, Runs] = {}
        self._claims = np.zeros(len(boxes.xyxy), np.uint8)

    def put(  # noqa: PLR0917 - one frame's row of every table
        self,
        index: int,
        mask: npt.NDArray[np.uint8],
        state: FrameState,
        fill: npt.NDArray[np.float32],
        believed: npt.NDArray[np.bool_],
        cues: Mapping[str, npt.NDArray[np.float32]] = MappingProxyType({}),
    ) -> None:
        """Store one frame.

        Args:
            index: position of the frame.
            mask: uint8 (H, W) of ``BACKGROUND``, ``FOREGROUND``, ``UNKNOWN``.
            state: ``OK`` or ``WARM_UP``.
            fill: float32 (n,), share of each of the frame's boxes that is foreground.
            believed: bool (n,), whether the rules of the masks believed the box's evidence.
            cues: further columns, float32 (n,), by names of
                :data:`spotlabel.pipeline.store.schema.CUE_COLUMNS`; those left out are NaN. The column
                :data:`spotlabel.pipeline.store.schema.MANUAL_COLUMN` and those of
                :data:`spotlabel.labelers.masks.figures.FIGURES` are there if a frame gives them.

        Raises:
            ValueError: a cue of another name.
        """
        self._record(index, state, mask)
        self._write(schema.FOREGROUND_PLANE, index, schema.pack_rows(mask == schema.FOREGROUND))
        unknown = mask == schema.UNKNOWN
        if unknown.any():  # a chunk never written reads as zeros, and costs nothing
            self._write(schema.UNKNOWN_PLANE, index, schema.pack_rows(unknown))
        rows = self._boxes.rows(index)
        self._fill[rows] = fill
        self._believed[rows] = believed
        for name, column in cues.items():
            if name in _WHERE_GIVEN and name not in self._cues:
                self._cues[name] = np.full(len(self._boxes.xyxy), _WHERE_GIVEN[name], np.float32)
            if name not in self._cues:
                raise ValueError(f"no column {name!r} in the quality table; it has {', '.join(self._cues)}")
            self._cues[name][rows] = column

    def put_owners(self, index: int, owners: FrameOwners) -> None:
        """Store the owners of one frame, in any order; without any the store has no owners.

        Args:
            index: position of the frame.
            owners: of the frame's foreground.
        """
        rows = self._boxes.rows(index)
        self._owners[index] = owners.runs
        self._claims[rows] = owners.claims
        for name in schema.OWNER_COLUMNS:
            if name not in self._cues:
                self._cues[name] = np.full(len(self._boxes.xyxy), np.nan, np.float32)
            self._cues[name][rows] = getattr(owners, name)

    def _owner_tables(self) -> dict[str, npt.NDArray[Any]]:
        """Nothing if no owners were given."""
        if not self._owners:
            return {}
        none = np.zeros((0, 2), np.uint16)
        runs = [self._owners.get(index, none) for index in range(len(self._info.numbers))]
        offsets = np.cumsum([0, *(len(part) for part in runs)], dtype=np.int64)
        return {
            schema.OWNER_OFFSETS: offsets,
            schema.OWNER_RUNS: np.concatenate(runs),
            schema.OWNER_CLAIMS: self._claims,
        }

    def mark(self, index: int, state: FrameState) -> None:
        """Record a frame that has no pixels: unknown everywhere, also for whoever reads the bare planes."""
        super().mark(index, state)
        everything = np.ones(self._info.size, np.uint8)
        self._write(schema.UNKNOWN_PLANE, index, schema.pack_rows(everything))

    def _all_tables(self) -> dict[str, npt.NDArray[Any]]:
        tables = super()._all_tables() | {
            "boxes/offsets": self._boxes.offsets, "boxes/xyxy": self._boxes.xyxy,
            "boxes/class_id": self._boxes.class_id, "boxes/track_id": self._boxes.track_id,
            "boxes/flags": self._boxes.flags, "quality/fill": self._fill, "quality/believed": self._believed,
        }  # fmt: skip
        tables |= {f"{schema.QUALITY}/{name}": column for name, column in self._cues.items()}
        return tables | self._owner_tables()

    @classmethod
    @contextmanager
    def writing(cls, path: Path, info: StoreInfo, boxes: BoxTable) -> Iterator[MaskWriter]:
        """Open a writer whose file appears at ``path`` when the block ends without an error.

        Raises:
            StoreError: the disk is full or what was written cannot be read back; ``path`` is untouched.
        """
        with published(path, lambda target: cls(target, info, boxes)) as writer:
            yield writer
