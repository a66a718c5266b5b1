"""The mask of one frame: the rules of masks, in their order.

1. Foreground is thresholded, cleaned evidence inside the selected boxes. The steps: evidence outside boxes
   erased (``boxes_first`` only); blur; threshold; median; opening; closing; what is outside boxes erased
   (unless ``boxes_first``); holes filled; small blobs removed. Holes and blobs are therefore those of what is
   left inside the boxes of the frame, whichever boxes they belong to: neighbouring boxes act as one.
2. Everything else is background.
3. Unknown overrides both: boxes that are not believed and boxes of other classes, except where a believed
   box has foreground; ignore regions, even inside boxes; warm-up frames, whole.

All of it is worked out in patches around the boxes (:func:`spotlabel.labelers.masks.boxes.patches`), which
gives the same as working on the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.masks.believability import believability
from spotlabel.labelers.masks.believed import believed_boxes, make_unknown, unknown_boxes
from spotlabel.labelers.masks.boxes import (
    has_pixels,
    inside_rects,
    paint,
    patches,
    pixel_rects,
    touched_rects,
)
from spotlabel.labelers.masks.cleaning import foreground, large_blobs, solid_blobs, threshold_level
from spotlabel.labelers.masks.cues import Column, Cues, box_cues
from spotlabel.labelers.masks.figures import NO_FIGURES, Figures
from spotlabel.labelers.masks.settings import MaskSettings
from spotlabel.labelers.masks.shapes import Shapes, box_shapes
from spotlabel.labelers.masks.values import UNKNOWN, Boxes, Plane, Rects

MASK_RULES_VERSION = 5
"""Changes whenever the same evidence, boxes and settings would give another mask or other box qualities."""
FOREGROUND_RULES_VERSION = 4
"""Changes, and the other with it, whenever :func:`foreground_in_boxes` would give another mask."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Foreground of one frame, before anything became unknown, and what there is to say about its N boxes.

    Attributes:
        mask: uint8 (H, W), background or foreground.
        rects: int64 (N, 4), pixels of the boxes.
        selected: bool (N,), the box is of one of ``settings.classes``.
        shapes: uint8 (N, GRID, GRID), the foreground of each box on its own grid.
        cues: what mask and evidence tell about each box.
    """

    mask: Plane
    rects: Rects
    selected: npt.NDArray[np.bool_]
    shapes: Shapes
    cues: Cues


@dataclass(frozen=True, slots=True)
class FrameMask:
    """Mask of one frame and what it says about each of its N boxes.

    Attributes:
        mask: uint8 (H, W): 0 background, 1 foreground, 255 unknown.
        cues: as of the draft: of the foreground before anything became unknown.
        temporal: float32 (N,), IoU with neighbouring frames' masks along the track; NaN if there is none.
        believability: float32 (N,), 0 to 1; see :mod:`spotlabel.labelers.masks.believability`.
        believed: bool (N,), see :func:`spotlabel.labelers.masks.believed.believed_boxes`; false for every box
            of a frame that is unknown because of warm-up.
        figures: as given.
    """

    mask: Plane
    cues: Cues
    temporal: Column
    believability: Column
    believed: npt.NDArray[np.bool_]
    figures: Figures

    @property
    def fill(self) -> Column:
        """Share of each box's pixels that were foreground, float32 (N,); 0 for a box without pixels."""
        return self.cues.fill


def make_mask(  # noqa: PLR0917 - the inputs of the mask stage, in the order of the rules
    evidence: npt.NDArray[np.bool_] | npt.NDArray[np.uint8],
    kind: EvidenceKind,
    boxes: Boxes,
    selected: npt.NDArray[np.bool_],
    regions: Boxes,
    settings: MaskSettings,
    *,
    neutral: int = 0,
    warm_up: bool = False,
    native_origin: float = 0.0,
) -> FrameMask:
    """Mask of one frame by itself; for a frame without evidence see :func:`unknown_mask`.

    Arguments and errors as in :func:`draft_mask` and :func:`finish_mask`, which a video goes through with
    each frame's neighbours in between.
    """
    draft = draft_mask(
        evidence, kind, boxes, selected, settings, neutral=neutral, native_origin=native_origin
    )
    return finish_mask(draft, None, regions, settings, warm_up=warm_up)


def draft_mask(
    evidence: npt.NDArray[np.bool_] | npt.NDArray[np.uint8],
    kind: EvidenceKind,
    boxes: Boxes,
    selected: npt.NDArray[np.bool_],
    settings: MaskSettings,
    *,
    neutral: int = 0,
    native_origin: float = 0.0,
) -> Draft:
    """Rules 1 and 2 on one frame, and the cues of its boxes.

    Args:
        evidence: (H, W), bool if ``kind`` is binary, else uint8.
        kind: what the evidence means.
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges, 0-based, half-open.
        selected: bool (N,), the box is of one of ``settings.classes``.
        settings: see :class:`MaskSettings`.
        neutral: the labeler's neutral value; read for distance evidence without a ``distance_threshold``.
        native_origin: native coordinate of the left and top image edge; read for ``truncate`` rounding.

    Raises:
        ValueError: evidence, boxes or selection have the wrong dtype or shape.
    """
    _check(evidence, kind, boxes, selected)
    plane = evidence.view(np.uint8)
    rects = pixel_rects(boxes, (evidence.shape[0], evidence.shape[1]), settings, native_origin)
    mask = foreground_in_boxes(plane, kind, rects[selected], settings, neutral)
    shapes = box_shapes(mask, rects)
    cues = box_cues(plane, kind, (mask, shapes), rects, threshold_level(kind, settings, neutral))
    return Draft(mask, rects, selected, shapes, cues)


def finish_mask(
    draft: Draft,
    temporal: Column | None,
    regions: Boxes,
    settings: MaskSettings,
    figures: Figures = NO_FIGURES,
    *,
    warm_up: bool = False,
) -> FrameMask:
    """Rule 3: decide which boxes are believed, and make unknown what is.

    Args:
        draft: its mask is changed in place and handed on.
        temporal: float32 (N,), IoU with the masks of neighbouring frames along the track, NaN where there is
            none; None if there is none for any box.
        regions: float32 (M, 4), ignore regions, as boxes.
        settings: see :class:`MaskSettings`.
        figures: what the labeler said of the boxes, each float32 (N,).
        warm_up: the labeler did not know the scene yet.
    """
    mask, rects, selected, cues = draft.mask, draft.rects, draft.selected, draft.cues
    if temporal is None:
        temporal = np.full(len(rects), np.nan, np.float32)
    score = believability(cues, temporal, figures)
    if warm_up and settings.warm_up == "unknown":
        none = np.zeros(len(rects), np.bool_)
        return FrameMask(unknown_mask((mask.shape[0], mask.shape[1])), cues, temporal, score, none, figures)
    believed = believed_boxes(selected, rects, cues.fill, score, settings)
    unknown = unknown_boxes(selected, believed, settings)
    if unknown.any():
        make_unknown(mask, rects[unknown], rects[believed])
    if settings.ignore_regions == "unknown" and len(regions):
        paint(mask, touched_rects(regions, (mask.shape[0], mask.shape[1])), UNKNOWN)
    return FrameMask(mask, cues, temporal, score, believed, figures)


def unknown_mask(shape: tuple[int, int]) -> Plane:
    """Mask of a frame whose state is not ok: uint8 (H, W), unknown everywhere."""
    return np.full(shape, UNKNOWN, np.uint8)


def foreground_in_boxes(
    evidence: Plane, kind: EvidenceKind, rects: Rects, settings: MaskSettings, neutral: int
) -> Plane:
    """Rule 1 and 2 on a whole frame.

    Args:
        evidence: uint8 (H, W); 0 or 1 if binary.
        kind: what the evidence means.
        rects: int64 (N, 4), pixels of the selected boxes.
        settings: see :class:`MaskSettings`.
        neutral: the labeler's neutral value.

    Returns:
        uint8 (H, W), background or foreground.
    """
    shape = (evidence.shape[0], evidence.shape[1])
    mask = np.zeros(shape, np.uint8)
    inside = inside_rects(shape, rects)
    level = threshold_level(kind, settings, neutral)
    for x0, y0, x1, y1 in patches(rects[has_pixels(rects)], settings.reach + 1, shape):
        place = np.s_[y0:y1, x0:x1]
        if cv2.minMaxLoc(evidence[place])[1] > level:
            mask[place] = clean_foreground(evidence[place], inside[place], kind, settings, level)
    return mask


def clean_foreground(
    evidence: Plane, inside: Plane, kind: EvidenceKind, settings: MaskSettings, level: int
) -> Plane:
    """Rule 1 and 2 on an array, whole frame or patch.

    Args:
        evidence: uint8 (H, W); 0 or 1 if binary.
        inside: uint8 (H, W), 1 in the selected boxes, else 0.
        kind: what the evidence means.
        settings: see :class:`MaskSettings`.
        level: the evidence value above which a pixel is foreground.

    Returns:
        uint8 (H, W), background or foreground.
    """
    if settings.boxes_first:
        plane = foreground(evidence * inside, kind, level, settings)
    else:
        plane = foreground(evidence, kind, level, settings) & inside
    if settings.fill_holes:
        solid = solid_blobs(plane, settings.min_blob)
        return solid if settings.boxes_first else solid & inside
    if settings.min_blob > 1:
        return large_blobs(plane, settings.min_blob)
    return plane


def _check(
    evidence: npt.NDArray[np.bool_] | npt.NDArray[np.uint8],
    kind: EvidenceKind,
    boxes: Boxes,
    selected: npt.NDArray[np.bool_],
) -> None:
    """Refuse arrays that the rules would misread."""
    dtype = np.dtype(np.bool_ if kind == EvidenceKind.BINARY else np.uint8)
    if evidence.ndim != 2 or evidence.dtype != dtype:
        raise ValueError(f"{kind} evidence must be {dtype} (H, W), got {evidence.dtype} {evidence.shape}")
    if boxes.shape != (len(selected), 4) or selected.dtype != np.bool_:
        raise ValueError(f"boxes {boxes.shape} and selected {selected.dtype} {selected.shape} disagree")
