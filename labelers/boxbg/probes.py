"""Points at which a frame is compared with the background, and the arithmetic over them, compiled."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled
from spotlabel.labelers.boxbg.samples import HIDDEN

Float = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]

MOTION = 4
"""Columns of motion: zoom, turn, shift in x, shift in y. The column after them is brightness."""
_PROBES = 4000
"""Points at which a frame is compared with the background."""
_CELLS = 24
"""The probes are spread over so many cells along the longer side of the image."""
_STEPS = 8
"""Gauss-Newton steps at most."""
_OUTLIER = 3.0
"""Differences beyond this many typical ones count less and less (Huber)."""
_BINS = 8
"""The median of differences is found to this share of a grey level."""


class Probes(NamedTuple):
    """Some points of the background.

    Attributes:
        x: float32 (N,), column.
        y: float32 (N,), row.
        level: float32 (N,), grey level that is expected there.
        steep: float32 (N, 5), what zoom, turn (radians), shifts (px) and brightness change of it.
        centre: x and y of the centre of the image, about which is zoomed and turned.
    """

    x: Float
    y: Float
    level: Float
    steep: Float
    centre: tuple[float, float]


def probes_on(grey: Float, gx: Float, gy: Float, known: npt.NDArray[np.bool_]) -> Probes:
    """The points of strong gradient, the same number at most from every cell of a grid.

    Args:
        grey: float32 (H, W), the background.
        gx: float32 (H, W), its gradient, grey levels per px.
        gy: float32 (H, W), likewise.
        known: bool (H, W), where the background is known.
    """
    rows, columns = _strong_points(np.where(known, np.hypot(gx, gy), 0))
    centre = (grey.shape[1] / 2, grey.shape[0] / 2)
    x, y = columns - centre[0], rows - centre[1]
    dx, dy = gx[rows, columns], gy[rows, columns]
    # Brightness has a column of its own, lest an offset pass for motion.
    steep = np.stack([dx * x + dy * y, dy * x - dx * y, dx, dy, np.ones_like(dx)], axis=1)
    places = columns.astype(np.float32), rows.astype(np.float32)
    return Probes(*places, grey[rows, columns], steep.astype(np.float32), centre)


def chosen(probes: Probes, use: npt.NDArray[np.bool_], curve: Float) -> Probes:
    """Some of the probes, bool (N,), in another exposure: float32 (256,), level of each level."""
    level = curve[probes.level[use].astype(np.intp)]
    return Probes(probes.x[use], probes.y[use], level, probes.steep[use], probes.centre)


@compiled
def brightness_ratios(
    image: UInt8, sight: UInt8, place: tuple[Places, Places], levels: Float, ratios: Float
) -> int:
    """Levels of a frame over the background's, per channel, at the points that it shows; tells how many.

    Args:
        image: uint8 (H, W, 3).
        sight: uint8 (H, W), see :func:`spotlabel.labelers.boxbg.samples.sight`.
        place: rows and columns of the points, (N,) each.
        levels: float32 (N, 3), the background there.
        ratios: float32 (3, N), whose first columns are written.
    """
    rows, columns = place
    count = 0
    for i in range(len(rows)):
        if sight[rows[i], columns[i]] != HIDDEN:
            for c in range(3):
                ratios[c, count] = np.float32(image[rows[i], columns[i], c]) / levels[i, c]
            count += 1
    return count


@compiled
def matrix_of(motion: Float64, centre: tuple[float, float]) -> Any:
    """Zoom and turn about the centre of the image, then the shift: float64 (2, 3), from (4,)."""
    zoom, turn, dx, dy = motion[0], motion[1], motion[2], motion[3]
    cx, cy = centre
    matrix = np.empty((2, 3))
    matrix[0, 0], matrix[0, 1], matrix[0, 2] = 1 + zoom, -turn, dx - zoom * cx + turn * cy
    matrix[1, 0], matrix[1, 1], matrix[1, 2] = turn, 1 + zoom, dy - turn * cx - zoom * cy
    return matrix


@compiled
def displacement(matrix: Float64, centre: tuple[float, float]) -> float:
    """Largest displacement of a corner of the image, px along x or y."""
    most = 0.0
    for right in range(2):
        for low in range(2):
            x, y = right * 2 * centre[0], low * 2 * centre[1]
            along = abs(matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] - x)
            down = abs(matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] - y)
            most = max(most, along, down)
    return most


@compiled
def sampled(image: UInt8 | Float, probes: Probes, matrix: Float64, values: Float) -> None:
    """An image (H, W) at the probes moved along, bilinear, continued beyond its border."""
    height, width = image.shape
    right, foot = np.float32(width - 1), np.float32(height - 1)
    a, b, c = np.float32(matrix[0, 0]), np.float32(matrix[0, 1]), np.float32(matrix[0, 2])
    d, e, f = np.float32(matrix[1, 0]), np.float32(matrix[1, 1]), np.float32(matrix[1, 2])
    for i in range(len(values)):
        x = _held(a * probes.x[i] + b * probes.y[i] + c, right)
        y = _held(d * probes.x[i] + e * probes.y[i] + f, foot)
        x0, y0 = np.intp(x), np.intp(y)
        x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
        u, v = x - np.float32(x0), y - np.float32(y0)
        top, low = np.float32(image[y0, x0]), np.float32(image[y1, x0])
        top += u * (np.float32(image[y0, x1]) - top)
        low += u * (np.float32(image[y1, x1]) - low)
        values[i] = top + v * (low - top)


@compiled
def _held(value: Any, most: Any) -> Any:
    """A number from 0 to another; 0 for what is none."""
    if not value > 0:
        return np.float32(0)
    return min(value, most)


@compiled
def residual(grey: UInt8, probes: Probes, matrix: Float64) -> float:
    """Mean difference of a frame, uint8 (H, W), from what is expected at the probes, grey levels."""
    error = np.empty(len(probes.level), np.float32)
    sampled(grey, probes, matrix, error)
    total = 0.0
    for i in range(len(error)):
        total += abs(error[i] - probes.level[i])
    return total / len(error)


@compiled
def refined(grey: UInt8, probes: Probes, motion: Float64, first: int, limits: tuple[float, float]) -> Any:
    """Gauss-Newton from a first guess: float64 (4,).

    Args:
        grey: uint8 (H, W).
        probes: what it should show; at least one.
        motion: float64 (4,), the guess.
        first: motions from this column on are free.
        limits: contrast of the frame over the background's; and the step, px, that is too small to go on.
    """
    contrast, small = limits
    motion = motion.copy()
    error = np.empty(len(probes.level), np.float32)
    for _ in range(_STEPS):
        sampled(grey, probes, matrix_of(motion, probes.centre), error)
        for i in range(len(error)):
            error[i] -= probes.level[i]
        limit = np.float32(_OUTLIER * (1.4826 * _median_size(error) + 1.0))
        normal, right = _equations(probes.steep, error, limit, first)
        if not _solved(normal, right):
            break
        step = np.zeros(MOTION)
        step[first:] = right[first:MOTION] / contrast
        motion -= step
        if displacement(matrix_of(step, probes.centre), probes.centre) < small:
            break
    return motion


@compiled
def _median_size(error: Float) -> float:
    """Median of the sizes of differences, to half a bin."""
    counts = np.zeros(256 * _BINS + 1, np.int32)
    for i in range(len(error)):
        counts[np.intp(min(abs(error[i]) * np.float32(_BINS), np.float32(256 * _BINS)))] += 1
    below, bin_ = 0, -1
    while 2 * below < len(error):
        bin_ += 1
        below += counts[bin_]
    return (bin_ + 0.5) / _BINS


@compiled
def _equations(steep: Float, error: Float, limit: Any, first: int) -> Any:
    """Normal equations with Huber weights: float64 (5, 5), its lower half, and (5,); from ``first`` on."""
    size = steep.shape[1]
    normal, right = np.zeros((size, size)), np.zeros(size)
    for i in range(len(error)):
        weight = min(np.float32(1), limit / max(abs(error[i]), np.float32(1e-6)))
        for j in range(first, size):
            weighted = np.float64(weight * steep[i, j])
            right[j] += weighted * error[i]
            for k in range(first, j + 1):
                normal[j, k] += weighted * steep[i, k]
    for j in range(size):
        normal[j, j] += 1e-6 if j >= first else 1.0
    return normal, right


@compiled
def _solved(normal: Float64, right: Float64) -> bool:
    """Solve symmetric equations, of which the lower half is read, in place; false if they do not tell."""
    size = len(right)
    for j in range(size):
        if not normal[j, j] > 0:
            return False
        for i in range(j + 1, size):
            share = normal[i, j] / normal[j, j]
            right[i] -= share * right[j]
            for k in range(j + 1, i + 1):
                normal[i, k] -= share * normal[k, j]
    for j in range(size - 1, -1, -1):
        for i in range(j + 1, size):
            right[j] -= normal[i, j] * right[i]
        right[j] /= normal[j, j]
    return True


def _strong_points(strength: Float) -> tuple[Places, Places]:
    """Rows and columns of the strongest pixels, the same number at most from every cell of a grid."""
    height, width = strength.shape
    side = max(-(-max(height, width) // _CELLS), 4)
    cells = -(-height // side) * -(-width // side)
    each = max(_PROBES // cells, 1)
    rows, columns = [], []
    for top in range(0, height, side):
        for left in range(0, width, side):
            cell = strength[top : top + side, left : left + side]
            order = np.argsort(cell, axis=None, kind="stable")[::-1][:each]
            order = order[cell.ravel()[order] > 2]
            y, x = np.unravel_index(order, cell.shape)
            rows.append(y + top)
            columns.append(x + left)
    return np.concatenate(rows), np.concatenate(columns)
