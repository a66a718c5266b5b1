"""Tables of ``spotlabel why``."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.registry import load
from spotlabel.pipeline.cli.options import table
from spotlabel.pipeline.store import MaskReader
from spotlabel.pipeline.terminal import escape
from spotlabel.pipeline.upkeep.freshness import SHARED
from spotlabel.pipeline.why.boxes import BoxFacts
from spotlabel.pipeline.why.origin import Origin, Part
from spotlabel.pipeline.why.summary import Lines, preset_of, quality_text

_DIGESTS = ("annotations", "evidence", "frames", "manual")
_DIGEST_SHOWN = 16
_LONGEST_RECORDED = 80
_LONGEST_CHANGE = 160


def facts_table(lines: Lines) -> Table:
    """Names on the left, facts on the right."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, text in lines:
        made.add_row(name, escape(text))
    return made


def boxes_table(boxes: list[BoxFacts]) -> Table:
    """The boxes of a frame, a row each."""
    columns = list(boxes[0].quality) if boxes else []
    numbers = ("box", "track", "x0", "y0", "x1", "y1", *columns, "foreground", "unknown")
    made = table("box", "class", *numbers[1:], "why", numbers=numbers)
    for box in boxes:
        shares = [f"{n / box.pixels:.0%}" if box.pixels else "-" for n in (box.foreground, box.unknown)]
        made.add_row(
            str(box.index), escape(box.class_name), "" if box.track < 0 else str(box.track),
            *(f"{v:g}" for v in box.xyxy), *(quality_text(v) for v in box.quality.values()), *shares,
            escape("; ".join(box.why)),
        )  # fmt: skip
    return made


def origin_table(masks: MaskReader, origin: Origin) -> Table:
    """What the masks were made from; with a recipe also what it would make otherwise."""
    judged = origin.verdict is not None
    made = table("made from", "", "stale as soon as this changes", *(["now"] if judged else []))
    stage = ""
    for part in origin.parts:
        row = ["" if part.stage == stage else part.stage, part.name, escape(_recorded(masks, part))]
        made.add_row(*row, *([escape(_change(part))] if judged else []))
        stage = part.stage
    return made


def _change(part: Part) -> str:
    """How a part differs, short: the row names it already."""
    if not part.change:
        return "same"
    if part.recorded is None:
        return "matters now"
    return _cut(part.change.removeprefix(f"{part.name}: ").replace(f"{part.name}.", ""), _LONGEST_CHANGE)


def _recorded(masks: MaskReader, part: Part) -> str:
    value = part.recorded
    if value is None:
        return "-"
    if part.name in _DIGESTS:
        return str(value)[:_DIGEST_SHOWN]
    if part.name == SHARED and isinstance(value, dict):
        return _cut(f"taught on {', '.join(value)}", _LONGEST_RECORDED)
    if part.name == "settings":
        return preset_of(value) if part.stage == "masks" else _labeler_settings(masks, value)
    return _pairs(value) if isinstance(value, dict) else str(value)


def _labeler_settings(masks: MaskReader, settings: dict[str, Any]) -> str:
    """What differs from the labeler's defaults; everything if the labeler is not at hand."""
    try:
        defaults = load(masks.text("labeler")).settings_type().model_dump(mode="json")
    except (LabelerError, ImportError, ValueError):
        return _pairs(settings)
    changed = {key: value for key, value in settings.items() if defaults.get(key) != value}
    return f"the labeler's defaults with {_pairs(changed)}" if changed else "the labeler's defaults"


def _pairs(values: dict[str, Any]) -> str:
    """A mapping in one short line."""
    return _cut(", ".join(f"{key} {value}" for key, value in values.items()), _LONGEST_RECORDED)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}..."
