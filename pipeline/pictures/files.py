"""Pictures as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.atomic import write_atomically

QUALITY = 92


def write_image(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write a picture, grey or BGR, in the format of its suffix; it appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if path.suffix == ".jpg" else []
    done, content = cv2.imencode(path.suffix, image, options)
    if not done:
        raise OSError(f"{path}: the picture could not be encoded")
    write_atomically(path, content.tobytes())
