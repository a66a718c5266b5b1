"""The three values of a mask, and the array types that masks are made with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BACKGROUND = 0
FOREGROUND = 1
UNKNOWN = 255

Plane = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
Rects = npt.NDArray[np.int64]
