"""Affine maps between image and network canvas; all 2x3 matrices act on (x, y, 1)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]


def padded_size(height: int, width: int, multiple: int = 128) -> tuple[int, int]:
    """Canvas that an image is centred on at test time: the next multiple strictly above each side.

    A side that is a multiple already grows by a whole one, as in CenterNet's test code.

    Args:
        height: image height in pixels.
        width: image width in pixels.
        multiple: what the network needs; a power of two.

    Returns:
        Height and width of the canvas.
    """
    return (height | (multiple - 1)) + 1, (width | (multiple - 1)) + 1


def padding_matrix(size: tuple[int, int], canvas: tuple[int, int]) -> Matrix:
    """Shift from the integer centre of an image of ``size`` (H, W) to the centre of ``canvas`` (H, W)."""
    shift_x = canvas[1] // 2 - size[1] // 2
    shift_y = canvas[0] // 2 - size[0] // 2
    return np.array([[1, 0, shift_x], [0, 1, shift_y]], np.float64)


def letterbox_matrix(centre: tuple[float, float], extent: float, canvas: tuple[int, int]) -> Matrix:
    """Isotropic map that takes ``centre`` to the middle of the canvas and ``extent`` to its width.

    Args:
        centre: x, y in image pixels.
        extent: image pixels that fill the canvas's width.
        canvas: height and width of the canvas.

    Returns:
        float64 (2, 3).
    """
    scale = canvas[1] / extent
    shift_x = canvas[1] / 2 - scale * centre[0]
    shift_y = canvas[0] / 2 - scale * centre[1]
    return np.array([[scale, 0, shift_x], [0, scale, shift_y]], np.float64)


def inverse(matrix: Matrix) -> Matrix:
    """The map back, float64 (2, 3)."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], axis=1)


def transform_boxes(boxes: Floats, matrix: Matrix) -> npt.NDArray[np.float64]:
    """Boxes (N, 4) as x0, y0, x1, y1, mapped by their two corners; float64 (N, 4)."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 2, 2)
    return (corners @ matrix[:, :2].T + matrix[:, 2]).reshape(-1, 4)
