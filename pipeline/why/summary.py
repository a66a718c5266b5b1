"""Facts of a mask store in words, and as plain data."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from spotlabel.labelers.masks import PRESETS
from spotlabel.pipeline.store import FrameState, MaskReader
from spotlabel.pipeline.store.schema import MANUAL_COLUMN
from spotlabel.pipeline.why.boxes import BoxFacts, frame_reason
from spotlabel.pipeline.why.origin import Origin

Lines = list[tuple[str, str]]
"""A name and what stands behind it."""


def store_lines(masks: MaskReader) -> Lines:
    """About a whole mask store: its sequence, frames by state, boxes by class."""
    boxes = len(masks.boxes.xyxy)
    counts = np.bincount(masks.boxes.class_id, minlength=len(masks.class_names)).tolist()
    by_class = ", ".join(f"{name} {n}" for name, n in zip(masks.class_names, counts, strict=False) if n)
    states = [(state, int(np.count_nonzero(masks.state == state))) for state in FrameState]
    believed, manual = int(np.count_nonzero(masks.believed)), int(np.count_nonzero(masks.manual))
    by_hand = f", {manual} manual" if manual else ""
    return [
        ("store", str(masks.path)),
        ("sequence", f"{masks.sequence}, {masks.size[1]}x{masks.size[0]} px, {masks.text('camera')} camera"),
        ("frames", _held(masks) + ": " + ", ".join(f"{n} {_word(state)}" for state, n in states if n)),
        ("boxes", f"{boxes}" + (f" ({by_class}), {believed} believed{by_hand}" if boxes else "")),
    ]


def frame_lines(masks: MaskReader, index: int) -> Lines:
    """About one frame: its state, why it is so, and its number of boxes."""
    state = FrameState(int(masks.state[index]))
    reason = frame_reason(state, masks.structure("settings"))
    boxes = masks.boxes.rows(index)
    return [
        ("store", str(masks.path)),
        (
            "frame",
            f"{masks.numbers[index]} of {masks.sequence}: {_word(state)}, {boxes.stop - boxes.start} boxes",
        ),
        *([("why", reason)] if reason else []),
    ]


def box_lines(box: BoxFacts) -> Lines:
    """About one box: where it is, its pixels, its quality figures, and why its mask is as it is."""
    x0, y0, x1, y1 = box.xyxy
    track = f", track {box.track}" if box.track >= 0 else ""
    flags = f" ({', '.join(box.flags)})" if box.flags else ""
    counts = {"foreground": box.foreground, "background": box.background, "unknown": box.unknown}
    shares = [f"{name} {n} ({n / box.pixels:.0%})" for name, n in counts.items() if box.pixels]
    return [
        ("box", f"{box.index}: {box.class_name}{track}{flags}, x {x0:g} to {x1:g}, y {y0:g} to {y1:g}"),
        *(("" if rank else "why", reason) for rank, reason in enumerate(box.why)),
        ("pixels", ", ".join(shares) or "none"),
        (
            "quality",
            ", ".join(
                f"{name} {quality_text(value)}"
                for name, value in box.quality.items()
                if name != MANUAL_COLUMN
            ),
        ),
    ]


def origin_lines(origin: Origin) -> Lines:
    """The evidence store, and how everything stands to the recipe."""
    lines = [("evidence", origin.evidence)]
    if origin.verdict is not None:
        evidence, masks = origin.verdict
        lines += [("now", f"evidence {evidence}"), ("", f"masks {masks}")]
    return lines


def quality_text(value: float | bool) -> str:
    """A value of the quality table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if math.isnan(value) else f"{value:.3g}"


def preset_of(settings: dict[str, Any]) -> str:
    """Mask settings as the preset they are nearest to and what differs from it."""
    differing = {
        name: {key: value for key, value in settings.items() if preset.get(key) != value}
        for name, preset in ((name, preset.model_dump(mode="json")) for name, preset in PRESETS.items())
    }
    name = min(differing, key=lambda name: len(differing[name]))
    changed = ", ".join(f"{key}={value}" for key, value in differing[name].items())
    return f"preset {name}" + (f" with {changed}" if changed else "")


def as_data(masks: MaskReader, index: int | None, boxes: list[BoxFacts], origin: Origin) -> dict[str, Any]:
    """Everything as plain data; a quality without a value is null."""
    data: dict[str, Any] = {
        "store": str(masks.path),
        "schema_version": int(masks.number("schema_version")),
        "sequence": masks.sequence,
        "camera": masks.text("camera"),
        "height": masks.size[0],
        "width": masks.size[1],
        "labeler": masks.text("labeler"),
        "labeler_version": int(masks.number("labeler_version")),
        "labeler_settings": masks.structure("labeler_settings"),
        "mask_settings": masks.structure("settings"),
        "made_from": [dataclasses.asdict(part) for part in origin.parts],
        "evidence_store": origin.evidence,
    }
    if origin.verdict is not None:
        stages = zip(("evidence", "masks"), origin.verdict, strict=True)
        data["now"] = {stage: {"state": str(need.state), "reason": need.reason} for stage, need in stages}
    if index is None:
        data["frames"] = {
            state.name.lower(): int(np.count_nonzero(masks.state == state)) for state in FrameState
        }
        columns = {"believed": masks.believed, "manual": masks.manual}
        counts = {name: int(np.count_nonzero(column)) for name, column in columns.items()}
        data["boxes"] = {"count": len(masks.believed), **counts}
    else:
        data["frame"] = {
            "number": int(masks.numbers[index]),
            "state": FrameState(int(masks.state[index])).name.lower(),
        }
        data["boxes"] = [_box_data(box) for box in boxes]
    return data


def _box_data(box: BoxFacts) -> dict[str, Any]:
    quality = {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in box.quality.items()
    }
    return {**dataclasses.asdict(box), "pixels": box.pixels, "quality": quality}


def _held(masks: MaskReader) -> str:
    return f"{masks.numbers[0]} to {masks.numbers[-1]}" if len(masks) else "none"


def _word(state: FrameState) -> str:
    return state.name.lower().replace("_", "-")
