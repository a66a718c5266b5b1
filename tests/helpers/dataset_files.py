"""Small dataset folders for the tests of the readers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from spotlabel.pipeline.datasets.base import Reader
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Sequence

HEIGHT, WIDTH = 40, 60
STRICT = {"bad_boxes": "fail", "repeated_tracks": "fail"}
"""Options with which boxes that cannot be meant are errors."""


def write_images(folder: Path, numbers=range(1, 4), name="img{:05d}.jpg", size=(HEIGHT, WIDTH)) -> None:
    """Plain images of ``size`` (height, width), one per frame number."""
    folder.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(Path(name).suffix, np.full((*size, 3), 90, np.uint8))
    for number in numbers:
        (folder / name.format(number)).write_bytes(encoded.tobytes())


def listed(reader: Reader, root: Path, **options: object) -> dict[str, Sequence]:
    """Sequences of a dataset by name."""
    sequences = reader.sequences(root, reader.options_type(**options), FrameOptions())
    assert len({s.name for s in sequences}) == len(sequences)
    return {s.name: s for s in sequences}


def loaded(reader: Reader, root: Path, **options: object) -> Annotations:
    """Annotations of a dataset's only sequence."""
    (sequence,) = listed(reader, root, **options).values()
    return sequence.load()


def all_loaded(reader: Reader, root: Path, **options: object) -> list[Annotations]:
    """Annotations of all sequences; raises what makes one of them unusable."""
    return [sequence.load() for sequence in listed(reader, root, **options).values()]


def boxes_of(annotations: Annotations) -> list[list[list[float]]]:
    """Boxes of every frame as lists."""
    return [annotations.boxes.at(i).tolist() for i in range(len(annotations.boxes))]


def regions_of(annotations: Annotations) -> list[list[list[float]]]:
    """Ignore regions of every frame as lists."""
    return [annotations.regions.at(i).tolist() for i in range(len(annotations.regions))]
