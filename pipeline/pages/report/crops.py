"""Single boxes as pictures: image, evidence and mask, with what the mask rules said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.pages.report.choose import Int64
from spotlabel.pipeline.pages.report.columns import BoxColumns
from spotlabel.pipeline.pictures.layers import draw_evidence
from spotlabel.pipeline.pictures.render import empty_panel, frame_image, owned_pixels
from spotlabel.pipeline.pictures.tiles import evidence_tile
from spotlabel.pipeline.sequence import FrameSource, Image
from spotlabel.pipeline.store import EvidenceReader, MaskReader
from spotlabel.pipeline.why.boxes import BoxFacts, frame_boxes

WIDTHS = (240, 200, 160, 128, 96)
"""Widths of a panel in px, the widest that a page has room for being taken; three make a picture."""
QUALITY = 80


@dataclass(frozen=True)
class Crop:
    """One box with its picture.

    Attributes:
        group: why it is shown, a key of :data:`spotlabel.pipeline.pages.report.choose.GROUPS`.
        frame: number of its frame.
        facts: what the rules said of it.
        tile: uint8 BGR, three panels of the largest of :data:`WIDTHS`.
    """

    group: str
    frame: int
    facts: BoxFacts
    tile: Image

    @property
    def title(self) -> str:
        """Which box it is."""
        track = f", track {self.facts.track}" if self.facts.track >= 0 else ""
        return f"frame {self.frame}, box {self.facts.index}: {self.facts.class_name}{track}"

    @property
    def believability(self) -> float | None:
        """From 0 to 1; None where the store has none."""
        value = float(self.facts.quality.get("believability", np.nan))
        return value if np.isfinite(value) else None

    @property
    def doubt(self) -> tuple[float, float]:
        """Sorts the most doubtful first: by believability (by fill where there is none), then by size."""
        value = self.believability
        return (float(self.facts.quality["fill"]) if value is None else value, -self.facts.pixels)

    def as_data(self) -> dict[str, Any]:
        """As plain data, without the picture."""
        facts, value = self.facts, self.believability
        return {
            "group": self.group,
            "frame": self.frame,
            "box": facts.index,
            "class": facts.class_name,
            "track": facts.track,
            "xyxy": list(facts.xyxy),
            "flags": list(facts.flags),
            "fill": round(float(facts.quality["fill"]), 4),
            "believability": None if value is None else round(value, 4),
            "believed": bool(facts.quality["believed"]),
            "why": list(facts.why),
        }


def crops(
    frames: FrameSource,
    masks: MaskReader,
    evidence: EvidenceReader | None,
    boxes: BoxColumns,
    chosen: Mapping[str, Int64],
) -> list[Crop]:
    """Pictures of the chosen boxes, in the order of the groups; every frame is read once.

    A frame or evidence that is no longer there, or a frame of another size than the masks, leaves an empty
    panel that says so.

    Args:
        frames: of the video.
        masks: its masks.
        evidence: what these were made from; None if that is gone.
        boxes: of the store.
        chosen: rows by group.

    Raises:
        StoreError: a store is damaged.
    """
    rows = np.concatenate([np.zeros(0, np.int64), *chosen.values()])
    groups = [group for group, found in chosen.items() for _ in found.tolist()]
    made: dict[int, Crop] = {}
    for index in np.unique(boxes.frame[rows]).tolist():
        image = frame_image(frames, int(masks.numbers[index]), masks.size)
        shown, mask = _evidence(evidence, masks, index), masks.read(index)
        owned = owned_pixels(masks, index)
        facts, first = frame_boxes(masks, index), boxes.table.rows(index).start
        for place in np.flatnonzero(boxes.frame[rows] == index).tolist():
            tile = evidence_tile(
                image, shown, mask, boxes.table.xyxy[rows[place]], width=WIDTHS[0], owned=owned
            )
            box = facts[int(rows[place]) - first]
            made[place] = Crop(groups[place], int(masks.numbers[index]), box, tile)
    return [made[place] for place in sorted(made)]


def _evidence(evidence: EvidenceReader | None, masks: MaskReader, index: int) -> Image:
    if evidence is not None and evidence.has_pixels(index):
        return draw_evidence(evidence.read(index), evidence.kind)
    return empty_panel(masks.size, "no evidence" if evidence else "evidence is gone")


def encoded(tile: Image, width: int) -> bytes:
    """A tile as JPEG, its panels ``width`` px wide."""
    small: npt.NDArray[Any] = tile
    if width < WIDTHS[0]:
        size = (round(tile.shape[1] * width / WIDTHS[0]), round(tile.shape[0] * width / WIDTHS[0]))
        small = cv2.resize(tile, size, interpolation=cv2.INTER_AREA)
    done, content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise OSError("a picture could not be encoded")
    return content.tobytes()


def encoded_within(
    shown: Sequence[Crop], room: int, cost: Callable[[Crop, bytes], int]
) -> tuple[list[tuple[Crop, bytes]], int]:
    """Pictures at the largest width at which all of them have room; at the smallest, as many as have.

    Args:
        shown: the crops, in the order of their importance.
        room: bytes that there is room for.
        cost: bytes that a crop with its JPEG takes.

    Returns:
        The crops with their JPEGs, and the bytes that those left out would take.
    """
    made: list[tuple[Crop, bytes]] = []
    for width in WIDTHS:
        made = [(crop, encoded(crop.tile, width)) for crop in shown]
        if sum(cost(*pair) for pair in made) <= room:
            return made, 0
    kept = 0
    for pair in made:
        if (room := room - cost(*pair)) < 0:
            break
        kept += 1
    return made[:kept], sum(cost(*pair) for pair in made[kept:])
