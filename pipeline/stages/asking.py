"""What it takes to ask a box segmenter: U2-Net as measured, the network of a folder by its weights."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlabel.labelers.learned.checkpoint import WEIGHTS

SECONDS_A_GIGABYTE = 40.0
"""CPU seconds that an image takes for a gigabyte of weights: 40 for SAM 2 in its smallest size, 48 for SAM's
base, 30 for SAM 2 in its largest, with random weights, 1024 px and one thread."""
MEGABYTES_ENCODING = 2000.0
"""While an image is encoded, beside the weights: 1,750 for SAM's base, 500 for SAM 2."""


@dataclass(frozen=True)
class Asking:
    """What a network takes on a CPU.

    Attributes:
        network: what it is called.
        a_box: CPU seconds for each box.
        a_frame: CPU seconds for each frame of which any box is asked about.
        megabytes: beside the frames.
    """

    network: str
    a_box: float
    a_frame: float
    megabytes: float

    def seconds(self, boxes: int, frames: int) -> float:
        """CPU seconds for so many boxes in so many frames."""
        return self.a_box * boxes + self.a_frame * frames


U2NET = Asking("U2-Net", 1.4, 0.0, 1500.0)
"""With boxes that the image's border cuts, which are asked about thrice. 1.2 GB were seen."""


def asking(settings: Any) -> Asking:
    """What the network of a labeler takes: an ONNX file is counted as U2-Net, whatever it holds.

    Args:
        settings: of a labeler that asks a network.
    """
    weights = Path(os.path.expanduser(settings.network)) / WEIGHTS
    try:
        size = weights.stat().st_size / 1e9
    except OSError:  # a file, or nothing, which is told when it is opened
        return U2NET
    return Asking(str(settings.network), 0.12, SECONDS_A_GIGABYTE * size, MEGABYTES_ENCODING + 1e3 * size)
