"""Painting of world polygons into the picture and the instance map at once."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.synthetic.pinhole import NEAR, Float, Pinhole, clip

Colour = Sequence[float]
Image = npt.NDArray[np.uint8]
Instances = npt.NDArray[np.uint16]
SUBPIXEL_BITS = 4
"""Corners are rounded to 1/16 px, so that the last bits of a sine cannot move an edge."""


class Canvas:
    """A picture under a camera, painted from far to near.

    Attributes:
        image: uint8 (H, W, 3) BGR.
        instances: uint16 (H, W), who is seen in each pixel; 0 is background.
        camera: where the world appears.
    """

    def __init__(self, image: Image, camera: Pinhole) -> None:
        self.image = image
        self.instances: Instances = np.zeros(image.shape[:2], np.uint16)
        self.camera = camera

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.image.shape[0], self.image.shape[1]

    def polygon(self, points: Float, colour: Colour, instance: int = 0) -> None:
        """Paint a convex planar world polygon (n, 3); hides whatever was painted there before."""
        pixels = self.visible(points)
        if len(pixels) >= 3:
            self.fill(fixed_point(pixels), colour, instance)

    def fill(self, corners: npt.NDArray[np.int32], colour: Colour, instance: int) -> None:
        """Paint a convex polygon of :func:`fixed_point` corners (n, 2)."""
        cv2.fillConvexPoly(self.image, corners, colour, cv2.LINE_8, SUBPIXEL_BITS)
        cv2.fillConvexPoly(self.instances, corners, (instance,), cv2.LINE_8, SUBPIXEL_BITS)

    def visible(self, points: Float) -> Float:
        """Pixels (m, 2) of the part of a world polygon in front of the camera."""
        pixels, depth = self.camera.project(points)
        if depth.min() >= NEAR:
            return pixels
        part = clip(points, depth - NEAR)
        return self.camera.project(part)[0] if len(part) else np.zeros((0, 2))

    def window(self, pixels: Float) -> tuple[slice, slice] | None:
        """Rows and columns that pixels (n, 2) span inside the image; None where they span nothing."""
        height, width = self.size
        low, high = np.floor(pixels.min(axis=0)) - 1, np.ceil(pixels.max(axis=0)) + 1
        left, right = int(max(low[0], 0)), int(min(high[0], width))
        top, bottom = int(max(low[1], 0)), int(min(high[1], height))
        return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None

    def quad(self, corners: Float, texture: Image) -> None:
        """Paint a picture on a world quadrilateral (4, 3): top left, top right, bottom right, bottom left.

        Quadrilaterals that reach behind the camera are left out.
        """
        pixels, depth = self.camera.project(corners)
        window = self.window(pixels)
        if depth.min() < NEAR or window is None:
            return
        origin = np.array([window[1].start, window[0].start], np.float64)
        extent = np.ceil(np.ptp(pixels, axis=0)).astype(int) + 1
        texture = _shrunk(texture, int(extent[0]), int(extent[1]))
        high, wide = texture.shape[:2]
        source = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32) - 0.5
        warp = cv2.getPerspectiveTransform(source, (pixels - origin - 0.5).astype(np.float32))
        shape = (window[1].stop - window[1].start, window[0].stop - window[0].start)
        painted = cv2.warpPerspective(texture, warp, shape, borderMode=cv2.BORDER_REPLICATE)
        inside = np.zeros(shape[::-1], np.uint8)
        cv2.fillConvexPoly(inside, fixed_point(pixels - origin), (1,), cv2.LINE_8, SUBPIXEL_BITS)
        self.stamp(window, painted, inside)

    def stamp(self, window: tuple[slice, slice], patch: Image, inside: Image) -> None:
        """Paint ``patch`` (h, w, 3) into a window where ``inside`` (h, w) is not 0; hides what is behind."""
        cv2.copyTo(patch, inside, self.image[window])
        self.instances[window][inside > 0] = 0


def _shrunk(texture: Image, width: int, height: int) -> Image:
    """The texture averaged down to about the size it will have in the picture, against aliasing."""
    size = (max(1, min(texture.shape[1], width)), max(1, min(texture.shape[0], height)))
    return np.asarray(cv2.resize(texture, size, interpolation=cv2.INTER_AREA), np.uint8)


def fixed_point(pixels: Float) -> npt.NDArray[np.int32]:
    """Pixel edges (n, 2) as the drawing functions want them: pixel centres at integers, 1/16 px steps."""
    return np.rint((pixels - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32)
