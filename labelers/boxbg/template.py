"""Template of the background for registration: points of strong gradient, and Gauss-Newton over them.

Inverse compositional alignment (Baker and Matthews, IJCV 2004): the steepest descent images, here values at
points, are those of the background, which is the same for every frame.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spotlabel.labelers.boxbg.compiled import compiled
from spotlabel.labelers.boxbg.samples import OCCLUDED

Float = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.intp]

MOTION = 4
"""Parameters of a motion: zoom, turn, shift in x, shift in y. A column for brightness comes after theirs."""
_POINTS = 4000
"""Points of a template at most."""
_CELLS = 24
"""The points are spread over so many cells along the longer side of the image."""
_STEPS = 8
"""Gauss-Newton steps at most."""
_OUTLIER = 3.0
"""Residuals beyond this many standard deviations count less and less (Huber)."""
_BINS = 8
"""The median of residuals is found to within 1 / this of a grey level."""


class Template(NamedTuple):
    """Some points of the background.

    Attributes:
        x: float32 (N,), column.
        y: float32 (N,), row.
        level: float32 (N,), grey level there.
        steepest_descent: float32 (N, 5), derivative of the level by zoom, turn (radians), shifts (px) and
            brightness.
        centre: x and y of the centre of the image, about which is zoomed and turned.
    """

    x: Float
    y: Float
    level: Float
    steepest_descent: Float
    centre: tuple[float, float]


def make_template(grey: Float, gx: Float, gy: Float, known: npt.NDArray[np.bool_]) -> Template:
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
    steepest_descent = np.stack([dx * x + dy * y, dy * x - dx * y, dx, dy, np.ones_like(dx)], axis=1)
    x, y = columns.astype(np.float32), rows.astype(np.float32)
    return Template(x, y, grey[rows, columns], steepest_descent.astype(np.float32), centre)


def visible_template(template: Template, use: npt.NDArray[np.bool_], exposure: Float) -> Template:
    """The part of a template that a frame shows, in the frame's exposure.

    Args:
        template: N points.
        use: bool (N,), the points that the frame shows.
        exposure: float32 (256,), level in the frame of each level of the background.
    """
    level = exposure[template.level[use].astype(np.intp)]
    return Template(template.x[use], template.y[use], level, template.steepest_descent[use], template.centre)


@compiled
def exposure_ratios(
    image: UInt8, visibility: UInt8, points: tuple[Indices, Indices], levels: Float, ratios: Float
) -> int:
    """Levels of a frame over the background's, per channel, at the points that it shows; and their number.

    Args:
        image: uint8 (H, W, 3).
        visibility: uint8 (H, W), see :func:`spotlabel.labelers.boxbg.samples.visibility_mask`.
        points: rows and columns, (N,) each.
        levels: float32 (N, 3), the background there.
        ratios: float32 (3, N), whose first columns are written.
    """
    rows, columns = points
    count = 0
    for i in range(len(rows)):
        if visibility[rows[i], columns[i]] != OCCLUDED:
            for c in range(3):
                ratios[c, count] = np.float32(image[rows[i], columns[i], c]) / levels[i, c]
            count += 1
    return count


@compiled
def similarity_matrix(motion: Float64, centre: tuple[float, float]) -> Any:
    """Zoom and turn about the centre of the image, then the shift: float64 (2, 3), from (4,)."""
    zoom, turn, dx, dy = motion[0], motion[1], motion[2], motion[3]
    cx, cy = centre
    matrix = np.empty((2, 3))
    matrix[0, 0], matrix[0, 1], matrix[0, 2] = 1 + zoom, -turn, dx - zoom * cx + turn * cy
    matrix[1, 0], matrix[1, 1], matrix[1, 2] = turn, 1 + zoom, dy - turn * cx - zoom * cy
    return matrix


@compiled
def largest_displacement(matrix: Float64, centre: tuple[float, float]) -> float:
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
def sample_template(image: UInt8 | Float, template: Template, matrix: Float64, values: Float) -> None:
    """Write an image (H, W) at a template's points under a transform, bilinear, clamped at the border."""
    height, width = image.shape
    right, foot = np.float32(width - 1), np.float32(height - 1)
    a, b, c = np.float32(matrix[0, 0]), np.float32(matrix[0, 1]), np.float32(matrix[0, 2])
    d, e, f = np.float32(matrix[1, 0]), np.float32(matrix[1, 1]), np.float32(matrix[1, 2])
    for i in range(len(values)):
        x = _clamped(a * template.x[i] + b * template.y[i] + c, right)
        y = _clamped(d * template.x[i] + e * template.y[i] + f, foot)
        x0, y0 = np.intp(x), np.intp(y)
        x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
        u, v = x - np.float32(x0), y - np.float32(y0)
        top, low = np.float32(image[y0, x0]), np.float32(image[y1, x0])
        top += u * (np.float32(image[y0, x1]) - top)
        low += u * (np.float32(image[y1, x1]) - low)
        values[i] = top + v * (low - top)


@compiled
def _clamped(value: Any, largest: Any) -> Any:
    """A number cut to 0 and another; 0 for NaN."""
    if not value > 0:
        return np.float32(0)
    return min(value, largest)


@compiled
def mean_residual(grey: UInt8, template: Template, matrix: Float64) -> float:
    """Mean absolute difference of a frame, uint8 (H, W), from the template under a transform, grey levels."""
    error = np.empty(len(template.level), np.float32)
    sample_template(grey, template, matrix, error)
    total = 0.0
    for i in range(len(error)):
        total += abs(error[i] - template.level[i])
    return total / len(error)


@compiled
def gauss_newton(
    grey: UInt8, template: Template, motion: Float64, first: int, limits: tuple[float, float]
) -> Any:
    """Refine a motion by Gauss-Newton steps: float64 (4,).

    Args:
        grey: uint8 (H, W).
        template: what it should show; at least one point.
        motion: float64 (4,), where to start.
        first: parameters from this one on are free.
        limits: contrast of the frame over the background's; and the step, px, that is too small to go on.
    """
    contrast, small = limits
    motion = motion.copy()
    error = np.empty(len(template.level), np.float32)
    for _ in range(_STEPS):
        sample_template(grey, template, similarity_matrix(motion, template.centre), error)
        for i in range(len(error)):
            error[i] -= template.level[i]
        limit = np.float32(_OUTLIER * (1.4826 * _median_absolute(error) + 1.0))
        normal, right = _normal_equations(template.steepest_descent, error, limit, first)
        if not _solve_in_place(normal, right):
            break
        step = np.zeros(MOTION)
        for k in range(first, MOTION):  # assigned as a slice, it takes a quarter of the labeler's compilation
            step[k] = right[k] / contrast
            motion[k] -= step[k]
        if largest_displacement(similarity_matrix(step, template.centre), template.centre) < small:
            break
    return motion


@compiled
def _median_absolute(error: Float) -> float:
    """Median of the absolute residuals, to half a bin."""
    counts = np.zeros(256 * _BINS + 1, np.int32)
    for i in range(len(error)):
        counts[np.intp(min(abs(error[i]) * np.float32(_BINS), np.float32(256 * _BINS)))] += 1
    below, bin_ = 0, -1
    while 2 * below < len(error):
        bin_ += 1
        below += counts[bin_]
    return (bin_ + 0.5) / _BINS


@compiled
def _normal_equations(steepest_descent: Float, error: Float, limit: Any, first: int) -> Any:
    """Normal equations with Huber weights: float64 (5, 5), its lower half, and (5,); from ``first`` on."""
    size = steepest_descent.shape[1]
    normal, right = np.zeros((size, size)), np.zeros(size)
    for i in range(len(error)):
        weight = min(np.float32(1), limit / max(abs(error[i]), np.float32(1e-6)))
        for j in range(first, size):
            weighted = np.float64(weight * steepest_descent[i, j])
            right[j] += weighted * error[i]
            for k in range(first, j + 1):
                normal[j, k] += weighted * steepest_descent[i, k]
    for j in range(size):
        normal[j, j] += 1e-6 if j >= first else 1.0
    return normal, right


@compiled
def _solve_in_place(normal: Float64, right: Float64) -> bool:
    """Solve symmetric equations, of which the lower half is read, in place; false if they are singular."""
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


def _strong_points(strength: Float) -> tuple[Indices, Indices]:
    """Rows and columns of the strongest pixels, the same number at most from every cell of a grid."""
    height, width = strength.shape
    side = max(-(-max(height, width) // _CELLS), 4)
    cells = -(-height // side) * -(-width // side)
    each = max(_POINTS // cells, 1)
    rows, columns = [], []
    for top in range(0, height, side):
        for left in range(0, width, side):
            cell = strength[top : top + side, left : left + side]
            flat = cell.ravel()
            last = min(each, len(flat))
            least = np.partition(flat, -last)[-last]
            among = np.flatnonzero((flat >= least) & (flat > 2))  # sorting all takes ten times as long
            order = among[np.argsort(flat[among], kind="stable")[::-1][:each]]
            y, x = np.unravel_index(order, cell.shape)
            rows.append(y + top)
            columns.append(x + left)
    return np.concatenate(rows), np.concatenate(columns)
