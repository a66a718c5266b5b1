"""Whether two mask stores were made from the same inputs: then only what made them can make them differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from spotlabel.pipeline.compare.stores import Comparison
from spotlabel.pipeline.store import MaskReader


def equal_origin(a: MaskReader, b: MaskReader) -> bool:
    """Whether frames, boxes, settings and versions of two stores are the same, down to their evidence's.

    The evidence itself, which stands between them and the masks, may differ.

    Raises:
        StoreError: a store does not say what it was made from.
    """
    return _origin(a) == _origin(b)


def _origin(masks: MaskReader) -> dict[str, Any]:
    parts = {part: value for part, value in masks.fingerprint.items() if part != "evidence"}
    return {**parts, "made from": masks.structure("evidence_fingerprint")}


def told_origin(part: Comparison) -> str:
    """A line about masks of equal origin; empty if they are equal themselves."""
    counts = part.frames.counts
    pixels = int(counts.sum())
    differing = pixels - int(np.trace(counts.sum(axis=0)))
    if not differing:
        return ""
    return (
        f"{part.sequence}: frames, boxes, settings and versions are equal in A and B; {differing} of "
        f"{pixels} pixels differ all the same, as they may where another processor made them "
        "(docs/processors.md)"
    )
