"""The eight ways in which a stored picture can be meant to be seen, numbered as EXIF numbers them.

EXIF (CIPA DC-008, tag 0x0112, "Orientation"): 1 as stored; 2, 4, 5, 7 are mirrored; 5 to 8 exchange width and
height. The display matrix of a video (ISO 14496-12, 6.2.2) says the same with more freedom.
"""

from __future__ import annotations

import cv2
import numpy as np

from spotlabel.pipeline.sequence import Image

AS_STORED = 1
TURNS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "mirrored along its diagonal",
    6: "turned by 90 degrees clockwise",
    7: "mirrored along its other diagonal",
    8: "turned by 90 degrees counterclockwise",
}
"""What has to be done to a stored picture to see it upright."""

_TRANSPOSED = (5, 6, 7, 8)
_FLIPS = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}  # as cv2.flip numbers them; after transposing
_INVERSE = {6: 8, 8: 6}  # all others undo themselves
_OF_SIGNS = {  # (a, b, c, d) of the matrix, which takes a point (x, y) to (a x + c y, b x + d y)
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_SKEW = 0.0175  # sine of 1 degree: FFmpeg takes what is closer for a right angle


def upright(image: Image, orientation: int) -> Image:
    """A picture as it is to be seen.

    Args:
        image: uint8 (H, W, C) as stored.
        orientation: 1 to 8.

    Returns:
        uint8, (H, W, C), or (W, H, C) for 5 to 8; contiguous.
    """
    if orientation == AS_STORED:
        return image
    turned = cv2.transpose(image) if orientation in _TRANSPOSED else image
    if orientation in _FLIPS:
        turned = cv2.flip(turned, _FLIPS[orientation])
    return np.asarray(turned, np.uint8).reshape(*upright_size(image.shape[:2], orientation), *image.shape[2:])


def as_stored(image: Image, orientation: int) -> Image:
    """Undo :func:`upright`."""
    return upright(image, _INVERSE.get(orientation, orientation))


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Height and width as seen, of a height and width as stored; its own inverse."""
    return (size[1], size[0]) if orientation in _TRANSPOSED else size


def of_matrix(matrix: bytes) -> int | None:
    """The orientation that a display matrix asks for; scaling and shifting are not followed.

    Args:
        matrix: nine int32 of the machine's byte order, row by row, as FFmpeg hands it out.

    Returns:
        1 to 8, or None for a matrix that turns by another angle than a multiple of 90 degrees, or is none.
    """
    if len(matrix) != 36:
        return None
    linear = np.frombuffer(matrix, np.int32)[[0, 1, 3, 4]].astype(np.float64)
    largest = np.abs(linear).reshape(2, 2).max(axis=1).repeat(2)
    signs = np.where(np.abs(linear) <= _SKEW * largest, 0, np.sign(linear)).astype(int)
    return _OF_SIGNS.get(tuple(signs.tolist()))
