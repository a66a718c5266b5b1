"""Corrections as values: one for a box of a frame, and all of a video's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.corrected import Decision, Vouched
from spotlabel.labelers.masks.values import Plane
from spotlabel.pipeline.boxes import Float32

Key = tuple[int, int, tuple[float, ...]]
"""What a correction is told by: number of the frame, track, and the box where there is no track."""

_NOTHING = np.zeros((0, 0), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What a person says of one box of one frame.

    Attributes:
        frame: the dataset's number of the frame.
        track: of the box, -1 if it has none.
        box: float32 (4,), ``x0, y0, x1, y1`` as the annotations had them when it was corrected.
        decision: in one word.
        mask: uint8 (h, w), 1 where the object is, else 0; empty unless ``decision`` is ``MASK``.
        x: column of its first column in the image.
        y: row of its first row.
    """

    frame: int
    track: int
    box: Float32
    decision: Decision
    mask: Plane = field(default_factory=lambda: _NOTHING)
    x: int = 0
    y: int = 0

    def __post_init__(self) -> None:
        """Refuse what no person can have said.

        Raises:
            ValueError: says what.
        """
        x0, y0, x1, y1 = self.box.tolist()
        if self.box.dtype != np.float32 or not (0 <= x0 < x1 < np.inf and 0 <= y0 < y1 < np.inf):
            raise ValueError(f"box {self.box.dtype} {self.box.tolist()}: no box inside an image")
        if self.track < -1:
            raise ValueError(f"track {self.track}: expected -1 or more")
        if self.mask.dtype != np.uint8 or self.mask.ndim != 2 or (self.mask > 1).any():
            raise ValueError(f"mask {self.mask.dtype} {self.mask.shape}: expected uint8 (h, w) of 0 and 1")
        if (self.decision == Decision.MASK) != bool(self.mask.any()) or min(self.x, self.y) < 0:
            raise ValueError(f"{self.decision.name} with {int(self.mask.sum())} pixels at {self.x}, {self.y}")

    @classmethod
    def of(cls, frame: int, track: int, box: Float32, plane: npt.NDArray[Any]) -> Correction:
        """A person's mask.

        Args:
            frame: number of the frame.
            track: of the box, -1 if it has none.
            box: float32 (4,).
            plane: bool or uint8 (H, W), not 0 where the object is; of the whole image. Without any pixel the
                decision is ``BACKGROUND``.
        """
        rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
        if not len(rows):
            return cls(frame, track, box, Decision.BACKGROUND)
        y, x = int(rows[0]), int(columns[0])
        mask = (plane[y : rows[-1] + 1, x : columns[-1] + 1] != 0).astype(np.uint8)
        return cls(frame, track, box, Decision.MASK, mask, x, y)

    @property
    def key(self) -> Key:
        """A later correction of the same key replaces this one."""
        return self.frame, self.track, () if self.track >= 0 else tuple(self.box.tolist())

    @property
    def vouched(self) -> Vouched:
        """As the rules of masks take it."""
        return Vouched(self.decision, self.mask, self.x, self.y)


class Corrections(Mapping[Key, Correction]):
    """All corrections of a video by their keys, in the order of these: frame, then track, then box."""

    def __init__(self, corrections: Iterable[Correction] = ()) -> None:
        found = {correction.key: correction for correction in corrections}
        self._by_key = dict(sorted(found.items()))

    def __getitem__(self, key: Key) -> Correction:
        return self._by_key[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    @cached_property
    def digest(self) -> str:
        """Of what is said, as hex; equal for equal corrections however they are stored, empty without any."""
        if not self._by_key:
            return ""
        hasher = hashlib.blake2b(digest_size=32)
        for name, column in self.columns().items():
            hasher.update(f"{name} {column.shape}\n".encode() + column.tobytes())
        return hasher.hexdigest()

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as K rows.

        Returns:
            By name: ``frame`` and ``track`` int64 (K,), ``xyxy`` float32 (K, 4), ``decision`` uint8 (K,),
            ``place`` int64 (K, 4) as column, row, width and height of the mask, ``offsets`` int64 (K + 1,)
            into ``bits``, uint8 (B,): each mask row by row, packed, beginning with a new byte.
        """
        all_of = list(self.values())
        bits = [np.packbits(correction.mask) for correction in all_of]
        places = [(one.x, one.y, one.mask.shape[1], one.mask.shape[0]) for one in all_of]
        return {
            "frame": np.array([one.frame for one in all_of], np.int64),
            "track": np.array([one.track for one in all_of], np.int64),
            "xyxy": np.array([one.box for one in all_of], np.float32).reshape(-1, 4),
            "decision": np.array([one.decision for one in all_of], np.uint8),
            "place": np.array(places, np.int64).reshape(-1, 4),
            "offsets": np.cumsum([0, *map(len, bits)], dtype=np.int64),
            "bits": np.concatenate([np.zeros(0, np.uint8), *bits]),
        }

    @classmethod
    def from_columns(cls, columns: Mapping[str, npt.NDArray[Any]]) -> Corrections:
        """Inverse of :meth:`columns`.

        Raises:
            ValueError: they make no sense.
        """
        offsets, bits = columns["offsets"], columns["bits"]
        if offsets[0] != 0 or offsets[-1] != len(bits) or (np.diff(offsets) < 0).any():
            raise ValueError(f"offsets do not divide {len(bits)} bytes")
        found = []
        for row, (x, y, width, height) in enumerate(columns["place"].tolist()):
            packed = bits[offsets[row] : offsets[row + 1]]
            if min(width, height) < 0 or len(packed) != -(-width * height // 8):
                raise ValueError(f"{len(packed)} bytes for {width} x {height} pixels")
            mask = np.unpackbits(packed, count=width * height).reshape(height, width)
            found.append(
                Correction(
                    frame=int(columns["frame"][row]),
                    track=int(columns["track"][row]),
                    box=columns["xyxy"][row],
                    decision=Decision(int(columns["decision"][row])),
                    mask=mask,
                    x=x,
                    y=y,
                )
            )
        return cls(found)
