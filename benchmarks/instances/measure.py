"""Rendered scenes labelled with their exact foreground, and how many owners are right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks import MaskSettings, OwnerSettings, draft_mask, finish_mask
from spotlabel.labelers.masks.owners import NO_OWNER, Claimed, owner_plane, with_owners
from spotlabel.labelers.masks.owners.claims import claiming_boxes
from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.synthetic.scene import Scene, Truth

Owners = npt.NDArray[np.uint16]


@dataclass
class Score:
    """What was found of one rule.

    Attributes:
        right: pixels that two boxes claim and whose owner is right.
        pixels: all pixels that two boxes claim and an annotated object owns.
        ious: IoU of each believed box's mask with its object.
        shared: the same of boxes that share foreground with others.
    """

    right: int = 0
    pixels: int = 0
    ious: list[float] = field(default_factory=list)
    shared: list[float] = field(default_factory=list)

    def add(self, claimed: Claimed, owners: Owners, truth: Owners) -> None:
        """Add a frame."""
        count = np.zeros(truth.shape, np.int64)
        rows = np.flatnonzero(claimed.claims).tolist()
        for row in rows:
            x0, y0, x1, y1 = claimed.rects[row].tolist()
            count[y0:y1, x0:x1] += 1
        contested = (count > 1) & (claimed.mask == 1)
        judged = contested & (truth != NO_OWNER)
        self.right += int(np.count_nonzero(owners[judged] == truth[judged]))
        self.pixels += int(np.count_nonzero(judged))
        for row in rows:
            x0, y0, x1, y1 = claimed.rects[row].tolist()
            found, wanted = owners[y0:y1, x0:x1] == row, truth[y0:y1, x0:x1] == row
            iou = np.count_nonzero(found & wanted) / max(np.count_nonzero(found | wanted), 1)
            self.ious.append(iou)
            if contested[y0:y1, x0:x1].any():
                self.shared.append(iou)


def labelled(scene: Scene, settings: MaskSettings) -> list[tuple[Claimed, Owners]]:
    """Masks of a scene from its exact foreground, and the true owner of each pixel."""
    return [_labelled(scene.truth(index), settings) for index in range(len(scene))]


def _labelled(truth: Truth, settings: MaskSettings) -> tuple[Claimed, Owners]:
    kept = ~truth.ignored
    selected, boxes = np.ones(int(kept.sum()), np.bool_), truth.xyxy[kept]
    draft = draft_mask(truth.instances > 0, EvidenceKind.BINARY, boxes, selected, settings)
    made = finish_mask(draft, None, np.zeros((0, 4), np.float32), settings)
    number = np.full(len(kept) + 1, NO_OWNER, np.uint16)
    number[1:][kept] = np.arange(int(kept.sum()))
    claimed = Claimed(
        mask=made.mask,
        rects=draft.rects,
        claims=claiming_boxes(selected, made.believed, draft.rects, settings),
        shapes=draft.shapes,
        tracks=truth.track_id[kept],
        occluded=(truth.flags[kept] & BoxFlag.OCCLUDED) > 0,
        overlap=draft.cues.overlap,
    )
    return claimed, number[truth.instances]


def planes(frames: list[Claimed], owners: OwnerSettings) -> Iterator[Owners]:
    """Owner planes by a rule."""
    for one, found in zip(frames, with_owners(frames, owners), strict=True):
        assert found is not None
        yield owner_plane(one.mask, one.rects, found.claims, found.runs)


def best_possible(one: Claimed, plane: Owners, truth: Owners) -> Owners:
    """The owners of a plane with the truth where two boxes claim a pixel: what no rule can beat."""
    count = np.zeros(truth.shape, np.int64)
    for x0, y0, x1, y1 in one.rects[one.claims].tolist():
        count[y0:y1, x0:x1] += 1
    return np.where((count > 1) & (truth != NO_OWNER) & (plane != NO_OWNER), truth, plane).astype(np.uint16)
