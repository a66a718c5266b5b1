"""Colour: jitter, PCA lighting (Krizhevsky et al., NIPS 2012, section 4.1) and normalisation, all in BGR."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.detector.data.views import Rng

Float32 = npt.NDArray[np.float32]

GREY = np.array([0.114, 0.587, 0.299], np.float32)
EIGENVALUES = np.array([0.2141788, 0.01817699, 0.00341571])
EIGENVECTORS = np.array(
    [
        [-0.58752847, -0.69563484, 0.41340352],
        [-0.5832747, 0.00994535, -0.81221408],
        [-0.56089297, 0.71832671, 0.41158938],
    ]
)
STRENGTH = 0.4
LIGHTING = 0.1


@dataclass(frozen=True)
class Colours:
    """Mean and deviation of each channel, BGR, of values in [0, 1]; subtracted and divided by."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


CENTERNET_COLOURS = Colours((0.40789654, 0.44719302, 0.47026115), (0.28863828, 0.27408164, 0.27809835))
"""Of CenterNet's releases."""
IMAGENET_COLOURS = Colours((0.406, 0.456, 0.485), (0.225, 0.224, 0.229))
"""Of public ImageNet weights; they matter where batch normalisation is frozen."""


def jitter(image: Float32, rng: Rng) -> Float32:
    """Brightness, contrast and saturation in random order, then PCA lighting; nothing is clipped.

    Args:
        image: (H, W, 3) BGR in [0, 1].
        rng: draws the order, three factors and three lighting weights.

    Returns:
        (H, W, 3), a new array; may leave [0, 1].
    """
    grey: Float32 = image @ GREY  # (H, W), of the image as it came: later steps do not update it
    mean = grey.mean(dtype=np.float64)
    towards = (np.float32(0), np.float32(mean), grey)
    planes = cv2.split(np.ascontiguousarray(image))  # loops over three numbers would be slow
    for step in rng.permutation(3):
        factor = np.float32(1 + rng.uniform(-STRENGTH, STRENGTH))
        added = towards[step] * (1 - factor)
        for plane in planes:
            np.multiply(plane, factor, out=plane)
            np.add(plane, added, out=plane)
    shift = EIGENVECTORS @ (EIGENVALUES * rng.normal(0, LIGHTING, 3))
    for plane, step in zip(planes, shift.astype(np.float32), strict=True):
        np.add(plane, step, out=plane)
    merged: Float32 = cv2.merge(planes)
    return merged


def normalise(image: Float32, colours: Colours = CENTERNET_COLOURS) -> Float32:
    """Subtract the mean and divide by the deviation of each channel: (H, W, 3) BGR to float32 (H, W, 3)."""
    width = image.shape[1]
    mean, std = (np.tile(np.array(channels, np.float32), width) for channels in (colours.mean, colours.std))
    row_by_row = (image.reshape(len(image), -1) - mean) / std  # loops over three numbers would be slow
    return row_by_row.reshape(image.shape)
