"""One box to be decided: its surroundings, and the masks it could have."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks import FOREGROUND, UNKNOWN, MaskSettings
from spotlabel.labelers.masks.boxes import pixel_rects
from spotlabel.labelers.masks.owners import owner_plane
from spotlabel.pipeline.manual import Correction, Decision
from spotlabel.pipeline.pages.serving.videos import OpenVideo
from spotlabel.pipeline.stages.frame_masks import MaskSource
from spotlabel.pipeline.store import MaskReader

AROUND, LEAST = 0.5, 24
"""How much is seen around a box: a share of its longer side, at least so many px."""

Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """A box and what is around it.

    Attributes:
        place: ``x0, y0, x1, y1`` of the part of the image that is shown.
        rect: pixels of the box, likewise, in the image.
        candidates: masks of the box by name, uint8 0 or 1 of that part, none twice and none empty: what was
            decided, the present one, those of labelers as if the box were believed.
        unknown: the box's pixels are unknown now.
    """

    place: tuple[int, int, int, int]
    rect: tuple[int, int, int, int]
    candidates: dict[str, Plane]
    unknown: bool


def view(
    video: OpenVideo,
    masks: MaskReader,
    rules: MaskSettings,
    box: tuple[int, int],
    decided: Correction | None,
) -> View:
    """What a person needs to see of a box.

    Args:
        video: the box's.
        masks: its masks as they stand.
        rules: the recipe's.
        box: position of its frame, and its row among the boxes of the frame.
        decided: what was decided of it before.

    Raises:
        StoreError: a store is damaged.
    """
    index, row = box
    boxes, origin = video.annotations.boxes, video.annotations.native_origin
    rects = pixel_rects(boxes.at(index), masks.size, rules, origin)
    rect = tuple(rects[row].tolist())
    place = _around(rect, masks.size)
    inside = np.zeros(masks.size, np.uint8)
    inside[rect[1] : rect[3], rect[0] : rect[2]] = 1
    part = np.s_[place[1] : place[3], place[0] : place[2]]
    found: dict[str, Plane] = {}
    if decided is not None and decided.decision == Decision.MASK:
        plane = np.zeros(masks.size, np.uint8)
        height, width = decided.mask.shape
        plane[decided.y : decided.y + height, decided.x : decided.x + width] = decided.mask
        _add(found, "decided", plane[part])
    mask = masks.read(index)
    if masks.has_owners:
        own = (masks.owners(index) == row).astype(np.uint8)
    else:
        own = (mask == FOREGROUND).astype(np.uint8) & inside
    _add(found, "present", own[part])
    keep = MaskSettings.model_validate(
        {**rules.model_dump(), "weak_boxes": "keep", "ignore_regions": "background", "warm_up": "keep",
         "owners": {"rule": "lower-edge"}}
    )  # fmt: skip
    own_first = sorted(video.evidence, key=lambda name: (name != video.item.labeler.name, name))
    for name in own_first:
        reader = video.evidence[name]
        source = MaskSource(reader, video.annotations, keep)
        made = source.one(index)
        owners = source.one_with_owners(index, lambda *_: None)
        if made is None or owners is None:
            continue
        owned = owner_plane(made.mask.mask, made.claimed.rects, owners.claims, owners.runs)
        _add(found, name, ((owned == row).astype(np.uint8) & inside)[part])
    shown = mask[rect[1] : rect[3], rect[0] : rect[2]]
    return View(place, (rect[0], rect[1], rect[2], rect[3]), found, bool((shown == UNKNOWN).mean() > 0.5))


def _add(found: dict[str, Plane], name: str, plane: Plane) -> None:
    """A mask that has pixels and is not there yet."""
    if plane.any() and not any(np.array_equal(plane, other) for other in found.values()):
        found[name] = np.ascontiguousarray(plane)


def _around(rect: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = rect
    more = max(LEAST, round(AROUND * max(x1 - x0, y1 - y0)))
    return max(0, x0 - more), max(0, y0 - more), min(size[1], x1 + more), min(size[0], y1 + more)


def crop(video: OpenVideo, index: int, place: tuple[int, int, int, int]) -> bytes:
    """The part of a frame as PNG."""
    image = cv2.imdecode(np.frombuffer(video.picture(index), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None  # we have just encoded it
    done, encoded = cv2.imencode(".png", image[place[1] : place[3], place[0] : place[2]])
    assert done
    return encoded.tobytes()
