"""What the mask rules said of the boxes of one frame, told from the mask store alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from spotlabel.labelers.masks import MaskSettings
from spotlabel.labelers.masks.believability import PARTS, told_against
from spotlabel.labelers.masks.boxes import inside_rects, pixel_rects, touched_rects
from spotlabel.labelers.masks.corrected import Decision
from spotlabel.labelers.masks.figures import DecidedBy
from spotlabel.labelers.masks.values import BACKGROUND, FOREGROUND, UNKNOWN, Plane, Rects
from spotlabel.pipeline.boxes import BoxFlag, Float32
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store import FrameState, MaskReader
from spotlabel.pipeline.store.schema import MANUAL_COLUMN

TRACK = "track:"
_TOLD = (
    "camera", "class_names", "evidence_fingerprint", "labeler", "labeler_settings", "labeler_version",
    "native_origin", "settings",
)  # fmt: skip


@dataclass(frozen=True)
class BoxFacts:
    """One box of one frame.

    Attributes:
        index: among the boxes of its frame.
        class_name: its class.
        track: -1 where there is none.
        xyxy: pixel edges.
        flags: names of its :class:`BoxFlag` bits, in lower case.
        quality: every column of the store's quality table.
        foreground: pixels of the box (as the mask rules rounded it) that are foreground.
        background: likewise background.
        unknown: likewise unknown.
        why: why the mask is as it is, one line per reason.
    """

    index: int
    class_name: str
    track: int
    xyxy: tuple[float, float, float, float]
    flags: tuple[str, ...]
    quality: dict[str, float | bool]
    foreground: int
    background: int
    unknown: int
    why: tuple[str, ...]

    @property
    def pixels(self) -> int:
        """Pixels of the box."""
        return self.foreground + self.background + self.unknown


def checked(masks: MaskReader) -> MaskReader:
    """The reader, if its store says of itself what is told here.

    Raises:
        StoreError: it does not: it was made by another version, or by hand.
    """
    missing = [name for name in _TOLD if name not in masks.file.attrs]
    if missing:
        raise StoreError(
            f"{masks.path}: does not say {', '.join(missing)}; make it again with `spotlabel relabel`"
        )
    return masks


def box_index(masks: MaskReader, frame: int, text: str) -> int:
    """Index of a box in the frame at a position.

    Args:
        masks: the store.
        frame: position of the frame.
        text: an index, or ``track:ID``.

    Raises:
        StoreError: no such box.
    """
    rows = masks.boxes.rows(frame)
    count, number = rows.stop - rows.start, int(masks.numbers[frame])
    held = f"frame {number} has {count} boxes" + (f", 0 to {count - 1}" if count else "")
    wanted = text.removeprefix(TRACK)
    try:
        value = int(wanted)
    except ValueError as error:
        raise StoreError(f"{masks.path}: box {text!r}: expected a number or track:ID; {held}") from error
    if wanted == text:
        if not 0 <= value < count:
            raise StoreError(f"{masks.path}: no box {value}; {held}")
        return value
    tracks = masks.boxes.track_id[rows].tolist()
    if value < 0 or value not in tracks:
        known = ", ".join(str(track) for track in tracks if track >= 0) or "none"
        raise StoreError(f"{masks.path}: no box of track {wanted} in frame {number}; tracks there: {known}")
    return int(tracks.index(value))


def frame_boxes(masks: MaskReader, frame: int) -> list[BoxFacts]:
    """All boxes of the frame at a position.

    Raises:
        StoreError: the store is damaged.
    """
    settings = dict(masks.structure("settings"))
    table, rows = masks.boxes, masks.boxes.rows(frame)
    columns = {name: column[rows] for name, column in masks.quality.items()}
    names = [masks.class_names[class_id] for class_id in table.class_id[rows].tolist()]
    rects, mask = pixels_of(masks, table.at(frame), settings), masks.read(frame)
    emptied = left_unknown(names, columns["believed"], masks.manual[rows], settings)
    said = _Said(FrameState(int(masks.state[frame])), settings, mask, rects, emptied)
    against = told_against(columns)
    facts = []
    for i, (x0, y0, x1, y1) in enumerate(rects.tolist()):
        crop, row = mask[y0:y1, x0:x1], rows.start + i
        quality = {name: column[i].item() for name, column in columns.items()}
        facts.append(
            BoxFacts(
                index=i,
                class_name=names[i],
                track=int(table.track_id[row]),
                xyxy=tuple(table.xyxy[row].tolist()),
                flags=tuple(flag.name.lower() for flag in BoxFlag(int(table.flags[row])) if flag.name),
                quality=quality,
                foreground=int(np.count_nonzero(crop == FOREGROUND)),
                background=int(np.count_nonzero(crop == BACKGROUND)),
                unknown=int(np.count_nonzero(crop == UNKNOWN)),
                why=said.of_box(i, names[i], quality, against[i]),
            )
        )
    return facts


def pixels_of(masks: MaskReader, boxes: Float32, settings: Mapping[str, Any]) -> Rects:
    """Pixels of boxes as the mask rules took them; with settings of other rules, what the boxes touch.

    Args:
        masks: the store.
        boxes: float32 (N, 4) of it, pixel edges.
        settings: mask settings as stored.

    Returns:
        int64 (N, 4), inside the image.
    """
    try:
        known = MaskSettings.model_validate(settings)
    except ValidationError:
        return touched_rects(boxes, masks.size)
    return pixel_rects(boxes, masks.size, known, masks.number("native_origin"))


def selected(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether boxes of a class hold foreground by the stored mask settings."""
    return settings.get("classes") is None or name in settings["classes"]


def left_unknown(
    names: list[str],
    believed: npt.NDArray[np.bool_],
    manual: npt.NDArray[np.uint8],
    settings: Mapping[str, Any],
) -> npt.NDArray[np.bool_]:
    """Boxes that made their pixels unknown, bool (N,).

    Args:
        names: class of each box.
        believed: bool (N,).
        manual: uint8 (N,), what a person said, as :attr:`MaskReader.manual`.
        settings: mask settings as stored.
    """
    chosen = np.array([selected(name, settings) for name in names], np.bool_)
    not_believed = chosen & ~believed & (settings.get("weak_boxes") == "unknown")
    left = not_believed | (~chosen & (settings.get("other_classes") == "unknown"))
    return np.asarray(left | (manual == Decision.UNKNOWN), np.bool_)


@dataclass(frozen=True)
class _Said:
    """What the rules said of a frame.

    Attributes:
        state: of the frame.
        settings: mask settings.
        mask: uint8 (H, W).
        rects: int64 (N, 4), pixels of the boxes.
        left_unknown: bool (N,), boxes that made their pixels unknown.
    """

    state: FrameState
    settings: Mapping[str, Any]
    mask: Plane
    rects: Rects
    left_unknown: npt.NDArray[np.bool_]

    def of_box(
        self, index: int, class_name: str, quality: Mapping[str, float | bool], against: str
    ) -> tuple[str, ...]:
        """Reasons, the decisive one first; ``against`` is the part that told most against the mask."""
        said = manual_reason(quality)
        if said:
            return (said, *self._unknown_inside(index)) if not self.left_unknown[index] else (said,)
        whole = frame_reason(self.state, self.settings)
        if whole:
            return (whole,)
        x0, y0, x1, y1 = self.rects[index].tolist()
        if x1 <= x0 or y1 <= y0:
            return ("not believed: the box holds no pixel",)
        verdict = box_reason(class_name, quality, self.settings)
        if against and not quality["believed"] and selected(class_name, self.settings):
            verdict += f"; most against it: {against} ({PARTS[against]})"
        sources = evidence_reason(quality)
        if self.left_unknown[index]:
            return (verdict, *sources)
        return (verdict, *self._unknown_inside(index), *owner_reason(quality, self.settings), *sources)

    def _unknown_inside(self, index: int) -> list[str]:
        """Where unknown pixels of a box come from that is not itself left unknown."""
        x0, y0, x1, y1 = self.rects[index].tolist()
        unknown = self.mask[y0:y1, x0:x1] == UNKNOWN
        covers = inside_rects(self.mask.shape, self.rects[self.left_unknown])[y0:y1, x0:x1].astype(np.bool_)
        lines = []
        for pixels, where in (
            (unknown & covers, "overlapped by a box that is not believed or of another class"),
            (unknown & ~covers, "in an ignore region"),
        ):
            if pixels.any():
                lines.append(f"unknown in part ({_share(pixels.mean())} of the box): {where}")
        return lines


def frame_reason(state: FrameState, settings: Mapping[str, Any]) -> str:
    """Why a whole frame is unknown; empty if it is not."""
    if state == FrameState.WARM_UP:
        kept = settings.get("warm_up") != "unknown"
        return "" if kept else "unknown: the labeler did not know the scene yet (frame is warm-up)"
    return {
        FrameState.MISSING: "unknown: the frame is missing",
        FrameState.UNREADABLE: "unknown: the frame could not be read",
        FrameState.UNANNOTATED: "unknown: nobody looked for objects in this frame (dataset.annotated)",
    }.get(state, "")


def box_reason(class_name: str, quality: Mapping[str, float | bool], settings: Mapping[str, Any]) -> str:
    """What the rules made of a box that has pixels, in a frame that has some.

    Args:
        class_name: its class.
        quality: its columns of the quality table.
        settings: mask settings as stored.
    """
    if not selected(class_name, settings):
        wanted = ", ".join(settings["classes"])
        verdict = settings.get("other_classes", "unknown")
        return f"{verdict}: class {class_name} is none of masks.classes ({wanted})"
    filled = f"filled {_share(float(quality['fill']))}"
    least = _least(quality, settings)
    if quality["believed"]:
        if not any(least.values()):
            return f"believed, as every box by these settings: {filled}, the rest is background"
        return "believed: " + _against(quality, least)
    missed = {name: limit for name, limit in least.items() if not float(quality[name]) >= limit}
    kept = settings.get("weak_boxes") != "unknown"
    verdict = "not believed, but kept (masks.weak_boxes is keep)" if kept else "unknown"
    return f"{verdict}: " + (_against(quality, missed) if missed else f"{filled}, but another rule says no")


def manual_reason(quality: Mapping[str, float | bool]) -> str:
    """What a person said of a box; empty if nobody did.

    Args:
        quality: its columns of the quality table.
    """
    if not quality.get(MANUAL_COLUMN):
        return ""
    return {
        Decision.MASK: "manual: a person drew the mask (filled "
        f"{_share(float(quality['fill']))}, the rest is background)",
        Decision.UNKNOWN: "manual: unknown, a person says that nobody can tell",
        Decision.BACKGROUND: "manual: background, a person says that nothing of the object is to be seen",
    }[Decision(int(quality[MANUAL_COLUMN]))]


def evidence_reason(quality: Mapping[str, float | bool]) -> tuple[str, ...]:
    """Whose the evidence of a box is where a network was asked too; nothing elsewhere.

    Args:
        quality: the box's columns of the quality table.
    """
    by = float(quality.get("decided_by", math.nan))
    return (f"evidence: {_DECIDED[DecidedBy(int(by))]}",) if by in set(DecidedBy) else ()


_DECIDED = {
    DecidedBy.LABELER: "the labeler's alone, the network's mask was not used",
    DecidedBy.BOTH: "labeler and network weighed, within what the labeler outlines",
    DecidedBy.OUTWEIGHED: "labeler and network weighed, the network more (here the labeler is not relied on)",
    DecidedBy.NETWORK: "the network's alone",
}


def owner_reason(quality: Mapping[str, float | bool], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What became of the foreground that other boxes claim too; nothing if there is none.

    Args:
        quality: the box's columns of the quality table.
        settings: mask settings as stored.
    """
    contested = float(quality.get("contested", 0))
    if not contested > 0:
        return ()
    rule = dict(settings.get("owners", {})).get("rule", "tracks")
    by_depth = float(quality["by_depth"])
    decided = (
        f"depth order decided {_share(by_depth)} of it, outlines along the tracks {_share(1 - by_depth)}"
        if rule == "tracks"
        else f"masks.owners.rule is {rule}"
    )
    won = _share(float(quality["won"]))
    return (
        f"of its foreground {_share(contested)} lies in other boxes too, it owns {won} of that: {decided}",
    )


def _least(quality: Mapping[str, float | bool], settings: Mapping[str, Any]) -> dict[str, float]:
    """What the settings ask of each column that was judged: ``min_fill`` of ``fill``, and so on."""
    asked = {name: settings.get(f"min_{name}") for name, value in quality.items() if not math.isnan(value)}
    return {name: float(limit) for name, limit in asked.items() if limit}


def _against(quality: Mapping[str, float | bool], least: Mapping[str, float]) -> str:
    """Each value beside the least it may be."""
    return "; ".join(
        f"{'filled' if name == 'fill' else name} {_share(float(quality[name]))}, "
        f"masks.min_{name} is {_share(limit)}"
        for name, limit in least.items()
    )


def _share(value: float) -> str:
    """A share in percent; exact enough that 19.8 is not told as 20."""
    return f"{value:.1%}".replace(".0%", "%")
