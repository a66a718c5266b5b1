"""Pictures of a clip's detections as files: one per frame, and a sheet of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from spotlabel.detector.contract import Attention
from spotlabel.detector.evaluation.attention.boxes import BOXES_NAME, write_boxes
from spotlabel.detector.evaluation.attention.maps import attention_greys, normalise_attention
from spotlabel.detector.prediction.draw import (
    add_legend,
    at_width,
    draw_attention,
    draw_detections,
    fitted,
    side_by_side,
)
from spotlabel.detector.prediction.predictor import Prediction
from spotlabel.pipeline.names import file_stem
from spotlabel.pipeline.pictures.files import write_image
from spotlabel.pipeline.pictures.layers import write
from spotlabel.pipeline.pictures.sheet import contact_sheet
from spotlabel.pipeline.sequence import Image

SHEET_FRAMES = 12
"""Most frames on a sheet."""

_PANEL_WIDTH = 480
_COLUMNS = 3


def chosen_positions(frames: int, count: int) -> list[int]:
    """Positions of the middles of ``count`` equal parts of a clip; all of them if it has no more frames."""
    count = min(count, frames)
    return [int((part + 0.5) * frames / count) for part in range(count)]


class AttentionMaps:
    """Attention maps in CDnet's layout: ``<root>/<category>/<sequence>/in000012.png``.

    Where a detector has several, each has such a tree of its own, ``<root>/<map>/<category>/...``. Beside the
    maps lie the boxes that were found with them, ``boxes.json``.
    """

    def __init__(self, root: Path, clip: str, names: Collection[str]) -> None:
        """Make the folders of a clip; parts of its name are folders, as in CDnet."""
        parts = [file_stem(part) for part in PurePosixPath(clip).parts if part != "/"]
        self._folders = {name: root.joinpath(*([name] if len(names) > 1 else []), *parts) for name in names}
        self._boxes: dict[int, npt.NDArray[np.float64]] = {}
        for folder in self._folders.values():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / BOXES_NAME).unlink(missing_ok=True)  # of an earlier run, whose maps are written over

    def put(self, number: int, found: Prediction) -> None:
        """Write one frame's maps, min-max normalised to 8 bits."""
        for name, folder in self._folders.items():
            greys = attention_greys(normalise_attention(found.attention[name]))
            write_image(folder / f"in{number:06d}.png", greys)
        self._boxes[number] = np.column_stack([found.boxes, found.score])

    def finish(self) -> list[Path]:
        """Write the boxes, and return their files."""
        return [write_boxes(folder, self._boxes) for folder in self._folders.values()]


@dataclass
class Pictures:
    """Pictures of some frames of a clip.

    Attributes:
        folder: where ``frame-000012.png`` and ``sheet.png`` go.
        title: what the sheet says of the clip.
        class_names: of the model.
        min_score: detections with a lower score are not drawn.
        frames: number of frames that will be drawn.
        attentions: attention maps that predictions come with, by name.
    """

    folder: Path
    title: str
    class_names: tuple[str, ...]
    min_score: float
    frames: int
    attentions: Mapping[str, Attention] = field(default_factory=dict)
    _rows: list[list[Image]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        for old in self.folder.glob("frame-*.png"):  # of an earlier run that drew other frames
            old.unlink()

    def put(self, number: int, image: Image, found: Prediction) -> None:
        """Draw a frame: boxes, and beside them the attention maps."""
        shown = found.at_least(self.min_score)
        # Labels would hide a small image: it is enlarged, by a whole number.
        width = image.shape[1] * max(1, -(-_PANEL_WIDTH // image.shape[1]))
        self.folder.mkdir(parents=True, exist_ok=True)
        panels = self._drawn_at(width, image, shown)
        write_image(self.folder / f"frame-{number:06d}.png", side_by_side(panels))
        if self._count in chosen_positions(self.frames, SHEET_FRAMES):
            self._rows.append(self._row(f"frame {number}", self._drawn_at(_PANEL_WIDTH, image, shown)))
        self._count += 1

    def finish(self) -> Path | None:
        """Write the sheet and return its path; None if no frame could be drawn."""
        if not self._rows:
            return None
        rows = self._rows
        columns = " | ".join(["boxes", *(attention.title for attention in self.attentions.values())])
        if len(rows[0]) == 1:
            rows = _in_columns([row[0] for row in rows])
        path = self.folder / "sheet.png"
        heading = f"{self.title}   {columns}   score >= {self.min_score:g}"
        write_image(path, contact_sheet(rows, [""] * len(rows), heading, _PANEL_WIDTH))
        return path

    def _drawn_at(self, width: int, image: Image, found: Prediction) -> list[Image]:
        """Boxes, and attention maps, on the image at another width."""
        resized, shown = at_width(image, found, width) if width != image.shape[1] else (image, found)
        panels = [draw_detections(resized, shown, self.class_names)]
        for name, attention in self.attentions.items():
            drawn = draw_attention(resized, shown.attention[name], attention, shown.boxes)
            panels.append(add_legend(drawn, attention))
        return panels

    def _row(self, title: str, panels: list[Image]) -> list[Image]:
        """Panels as high as those of the first row."""
        height = self._rows[0][0].shape[0] if self._rows else panels[0].shape[0]
        fitting = [fitted(panel, (height, _PANEL_WIDTH)) for panel in panels]
        write(fitting[0], title, (6, height - 8), 0.45)
        return fitting


def _in_columns(panels: list[Image]) -> list[list[Image]]:
    """Rows of three; the last one filled up with nothing."""
    columns = min(_COLUMNS, len(panels))
    filled = [*panels, *[np.full_like(panels[0], 24)] * (-len(panels) % columns)]
    return [filled[start : start + columns] for start in range(0, len(filled), columns)]
