"""A sheet of test scenes: what each variant finds in them, and where its segmentation looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.ablation.metrics import SURE
from benchmarks.ablation.settings import TEST_SEED
from benchmarks.paired.boxes import as_corner_and_size
from benchmarks.paired.plots import as_png
from benchmarks.paired.scenes import Scene, make_scenes
from spotlabel.detector.evaluation.matching import iou_matrix

Boxes = npt.NDArray[np.float64]
RIGHT, WRONG, TWIN = "#30e030", "#ff3030", "#ffb000"


def draw_scenes(runs: Path, variants: Sequence[str], seed: int) -> bytes:
    """The sheet as PNG: one row per scene; truth, then detections and attention of each variant's run.

    Args:
        runs: folder of the runs' files.
        variants: columns.
        seed: whose runs are shown.
    """
    kept = {variant: _load(runs / f"{variant}-{seed}.npz") for variant in variants}
    rows = min(len(found) for found, _ in kept.values())
    columns = 1 + sum(1 + (len(attention) > 0) for _, attention in kept.values())
    figure = Figure(figsize=(1.9 * columns, 2.0 * rows + 0.5), dpi=100, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for i, scene in enumerate(make_scenes(TEST_SEED, rows)):
        _draw_row(list(grid[i]), scene, {v: (f[i], a[i] if len(a) else None) for v, (f, a) in kept.items()})
    _title(list(grid[0]), kept)
    figure.suptitle(
        f"seed {seed}, score > {SURE}: green vehicle, red false alarm, orange un-annotated twin "
        "(dashed: truth); grey: foreground probability",
        fontsize=9,
    )
    return as_png(figure)


def _load(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["found"], arrays["attention"]


def _title(
    cells: list[Axes], kept: dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]]
) -> None:
    cells[0].set_title("truth", fontsize=8)
    place = 1
    for variant, (_, attention) in kept.items():
        cells[place].set_title(variant, fontsize=8)
        place += 1 + (len(attention) > 0)


def _draw_row(
    cells: list[Axes], scene: Scene, shown: dict[str, tuple[Boxes, npt.NDArray[np.float32] | None]]
) -> None:
    waiting = iter(cells)
    axes = next(waiting)
    axes.imshow(scene.image[:, :, ::-1])
    _draw_boxes(axes, scene.boxes.astype(np.float64), [RIGHT] * len(scene.boxes), "--")
    _draw_boxes(axes, scene.twins.astype(np.float64), [TWIN] * len(scene.twins), "--")
    for found, attention in shown.values():
        axes = next(waiting)
        axes.imshow(scene.image[:, :, ::-1])
        sure = found[found[:, 4] > SURE, :4]
        _draw_boxes(axes, sure, colours(sure, scene), "-")
        if attention is not None:
            next(waiting).imshow(attention, cmap="gray", vmin=0, vmax=1)


def colours(sure: Boxes, scene: Scene) -> list[str]:
    """Colour of each detection (D, 4): what it meets at IoU 0.5 or more."""
    boxes = as_corner_and_size(sure)
    meets = [
        (iou_matrix(boxes, as_corner_and_size(truth.astype(np.float64))) >= 0.5).any(axis=1)
        for truth in (scene.boxes, scene.twins)
    ]
    return [RIGHT if vehicle else TWIN if twin else WRONG for vehicle, twin in zip(*meets, strict=True)]


def _draw_boxes(axes: Axes, boxes: Boxes, edges: Sequence[str], style: str) -> None:
    """Boxes in pixel edges; matplotlib puts the centre of the first pixel at 0."""
    for (x0, y0, x1, y1), edge in zip(boxes, edges, strict=True):
        corner, width, height = (x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0
        axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=edge, linestyle=style))
