"""Reading stores: for the mask stage, for pictures and for training. numpy in, numpy out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.labelers.masks.corrected import Decision
from spotlabel.labelers.masks.figures import FIGURES
from spotlabel.labelers.masks.owners import owner_plane
from spotlabel.labelers.masks.settings import MaskSettings
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
        if self.figure_names:
            offsets, columns = self._figures
            hasher.update(offsets.tobytes())
            for name, figures in columns.items():
                hasher.update(f"{name} {len(figures)}\n".encode() + figures.tobytes())
        return hasher.hexdigest()

    @cached_property
    def figure_names(self) -> tuple[str, ...]:
        """Figures of boxes that the labeler gave, by name; none of a labeler that has none."""
        group = f"{schema.FIGURES}/"
        found = sorted(name.removeprefix(group) for name in self.table_crc32 or {} if name.startswith(group))
        return tuple(name for name in found if name != "offsets")

    def figures(self, index: int, boxes: int) -> dict[str, npt.NDArray[np.float32]]:
        """What the labeler said of the boxes of a frame that has pixels, float32 (N,) by name.

        Args:
            index: position of the frame.
            boxes: how many it has.

        Raises:
            StoreError: the labeler was given other boxes, or the file is damaged.
        """
        if not self.figure_names:
            return {}
        offsets, columns = self._figures
        rows = slice(int(offsets[index]), int(offsets[index + 1]))
        if rows.stop - rows.start != boxes:
            raise StoreError(
                f"{self.path}: speaks of {rows.stop - rows.start} boxes in frame {self.numbers[index]}, "
                f"the annotations have {boxes}; run `spotlabel label` again"
            )
        return {name: column[rows] for name, column in columns.items()}

    @cached_property
    def _figures(self) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float32]]]:
        """Offsets of the frames, and the figures of all boxes."""
        offsets = self.table(f"{schema.FIGURES}/offsets", np.int64, (len(self) + 1,))
        names = [f"{schema.FIGURES}/{name}" for name in self.figure_names]
        columns = [self.table(name, np.float32, (None,)) for name in names]
        for column in columns:
            check_offsets(offsets, len(column), self.path)
        check_shares(dict(zip(names, columns, strict=True)), self.path)
        return offsets, dict(zip(self.figure_names, columns, strict=True))

    def check_facts(self) -> None:
        """Also the figures of boxes."""
        super().check_facts()
        assert not self.figure_names or self._figures

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

        ``fill``, ``believed``, and those of :data:`spotlabel.pipeline.store.schema.CUE_COLUMNS` and
        :data:`spotlabel.pipeline.store.schema.OWNER_COLUMNS`; a file of an older version may have fewer.
        Where the labeler had figures of boxes also those of
        :data:`spotlabel.labelers.masks.figures.FIGURES`, and where a person corrected boxes
        :data:`spotlabel.pipeline.store.schema.MANUAL_COLUMN`.
        """
        group, known = self._quality_columns(), ("fill", *schema.CUE_COLUMNS, *FIGURES, *schema.OWNER_COLUMNS)
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
        assert self.manual is not None
        if self.has_owners:
            assert self._owner_tables is not None

    @property
    def fill(self) -> npt.NDArray[np.float32]:
        """Share of each box that is foreground, float32 (N,), in the order of :attr:`boxes`."""
        return self.quality["fill"]

    @property
    def believed(self) -> npt.NDArray[np.bool_]:
        """Whether the rules of the masks believed the box's evidence, bool (N,)."""
        return self.quality["believed"]

    @cached_property
    def manual(self) -> npt.NDArray[np.uint8]:
        """What a person said of each box, uint8 (N,): a :class:`Decision`, 0 where the rules decided."""
        column = self.quality.get(schema.MANUAL_COLUMN, np.zeros(len(self.boxes.xyxy), np.float32))
        if not np.isin(column, (0, *Decision)).all():
            raise damaged(self.path, f"{schema.MANUAL_COLUMN} of a box is no decision")
        return column.astype(np.uint8)

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

    @property
    def has_owners(self) -> bool:
        """Whether the store says whose each foreground pixel is; stores of mask version 1 and 2 do not."""
        return schema.OWNER_CLAIMS in (self.table_crc32 or {})

    def owners(self, index: int) -> npt.NDArray[np.uint16]:
        """The box that each foreground pixel of a frame belongs to.

        Args:
            index: position of the frame.

        Returns:
            uint16 (H, W): row of the box among those of the frame (``boxes.at(index)[row]``);
            :data:`spotlabel.labelers.masks.owners.NO_OWNER` where the pixel is not foreground, or, by masks
            made with ``boxes_first``, outside all boxes. A pixel has one owner, which is a box that holds it.

        Raises:
            StoreError: the store has no owners, or is damaged.
        """
        offsets, runs, claims = self._owner_tables
        rows = self.boxes.rows(index)
        rects = pixel_rects(self.boxes.at(index), self.size, *self._rounding)
        mine = runs[offsets[index] : offsets[index + 1]]
        with making_sense(self.path, f"owners of frame {self.numbers[index]}"):
            return owner_plane(self.read(index), rects, claims[rows], mine)

    def instance(self, index: int, row: int) -> npt.NDArray[np.bool_]:
        """Mask of one box: the foreground that belongs to it, also where other boxes overlap it.

        Args:
            index: position of the frame.
            row: of the box among those of the frame, 0-based: ``boxes.at(index)[row]``.

        Returns:
            bool (H, W); empty for a box without foreground.

        Raises:
            IndexError: the frame has no such box.
            StoreError: the store has no owners, or is damaged.
        """
        rows = self.boxes.rows(index)
        if not 0 <= row < rows.stop - rows.start:
            raise IndexError(f"box {row} of a frame of {rows.stop - rows.start} boxes")
        own: npt.NDArray[np.bool_] = self.owners(index) == row
        return own

    def instances(self, index: int) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
        """Masks of all boxes of a frame that own foreground, in the order of the boxes.

        Yields:
            Row of the box among those of the frame, and its mask as :meth:`instance` gives it. The masks of a
            frame have no pixel in common.

        Raises:
            StoreError: the store has no owners, or is damaged.
        """
        owners = self.owners(index)
        rects = pixel_rects(self.boxes.at(index), self.size, *self._rounding)
        for row, (x0, y0, x1, y1) in enumerate(rects.tolist()):
            own = owners[y0:y1, x0:x1] == row
            if own.any():
                mask = np.zeros(self.size, np.bool_)
                mask[y0:y1, x0:x1] = own
                yield row, mask

    @cached_property
    def _owner_tables(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
        """Offsets of the frames' runs, runs, and which boxes claim foreground."""
        if not self.has_owners:
            raise StoreError(
                f"{self.path}: does not say whose each pixel is; make it again with `spotlabel relabel` and "
                "a recipe whose masks.owners.rule is not none"
            )
        offsets = self.table(schema.OWNER_OFFSETS, np.int64, (len(self) + 1,))
        runs = self.table(schema.OWNER_RUNS, np.uint16, (None, 2))
        check_offsets(offsets, len(runs), self.path)
        claims = self.table(schema.OWNER_CLAIMS, np.uint8, (len(self.boxes.xyxy),))
        return offsets, runs, claims.astype(np.bool_)

    @cached_property
    def _rounding(self) -> tuple[MaskSettings, float]:
        """How the rules of the masks made whole pixels of boxes."""
        with making_sense(self.path, "settings"):
            settings = dict(self.structure("settings"))
            rounding = {name: settings[name] for name in ("box_rounding", "box_padding")}
            return MaskSettings.model_validate(rounding), self.number("native_origin")
