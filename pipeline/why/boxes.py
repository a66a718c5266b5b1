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
from spotlabel.labelers.masks.boxes import inside_rects, pixel_rects, touched_rects
from spotlabel.labelers.masks.values import BACKGROUND, FOREGROUND, UNKNOWN, Plane, Rects
from spotlabel.pipeline.boxes import BoxFlag
from spotlabel.pipeline.errors import StoreError
from spotlabel.pipeline.store import FrameState, MaskReader

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
    rects, mask = _rects(masks, frame, settings), masks.read(frame)
    left_unknown = _left_unknown(names, columns["believed"], settings)
    said = _Said(FrameState(int(masks.state[frame])), settings, mask, rects, left_unknown)
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
                why=said.of_box(i, names[i], quality),
            )
        )
    return facts


def _rects(masks: MaskReader, frame: int, settings: Mapping[str, Any]) -> Rects:
    """Pixels of a frame's boxes as the rules took them; with settings of other rules, what they touch."""
    boxes = masks.boxes.at(frame)
    try:
        known = MaskSettings.model_validate(settings)
    except ValidationError:
        return touched_rects(boxes, masks.size)
    return pixel_rects(boxes, masks.size, known, masks.number("native_origin"))


def _selected(name: str, settings: Mapping[str, Any]) -> bool:
    return settings.get("classes") is None or name in settings["classes"]


def _left_unknown(
    names: list[str], believed: npt.NDArray[np.bool_], settings: Mapping[str, Any]
) -> npt.NDArray[np.bool_]:
    """Boxes that made their pixels unknown, bool (N,)."""
    selected = np.array([_selected(name, settings) for name in names], np.bool_)
    not_believed = selected & ~believed & (settings.get("weak_boxes") == "unknown")
    return np.asarray(not_believed | (~selected & (settings.get("other_classes") == "unknown")), np.bool_)


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

    def of_box(self, index: int, class_name: str, quality: Mapping[str, float | bool]) -> tuple[str, ...]:
        """Reasons, the decisive one first."""
        whole = frame_reason(self.state, self.settings)
        if whole:
            return (whole,)
        x0, y0, x1, y1 = self.rects[index].tolist()
        if x1 <= x0 or y1 <= y0:
            return ("not believed: the box holds no pixel",)
        verdict = box_reason(class_name, quality, self.settings)
        if self.left_unknown[index]:
            return (verdict,)
        return (verdict, *self._unknown_inside(index), *owner_reason(quality, self.settings))

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
    if not _selected(class_name, settings):
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
