"""Small labelled videos for tests of training: rendered scenes whose exact masks stand in sealed stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spotlabel.detector.data.labelled import Labelled, open_labelled
from spotlabel.pipeline.datasets.synthetic import NamedScene, SceneFrames, SyntheticOptions, sequences
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store import UNKNOWN, FrameState, MaskWriter, StoreInfo


def scene(name: str, **settings: object) -> Sequence:
    """A rendered street, 128x96 by default."""
    values = {"width": 128, "height": 96, "frames": 6, "fps": 5.0, "density": 0.4, **settings}
    options = SyntheticOptions(scenes=(NamedScene(name=name, **values),))
    return sequences(Path(), options, FrameOptions())[0]


def write_exact_masks(sequence: Sequence, path: Path, warm_up: int = 0, foreground: bool = True) -> None:
    """A mask store that holds the truth: ignore regions unknown, the first frames called warm-up.

    Without ``foreground``, vehicles are background.
    """
    annotations, frames = sequence.load(), sequence.frames
    assert isinstance(frames, SceneFrames)
    info = StoreInfo(sequence.name, frames.size, frames.numbers, {}, {"class_names": annotations.class_names})
    path.parent.mkdir(parents=True, exist_ok=True)
    with MaskWriter.writing(path, info, annotations.boxes) as writer:
        for index in range(len(frames)):
            mask = (frames.truth(index) > 0).astype(np.uint8) * np.uint8(foreground)
            for x0, y0, x1, y1 in annotations.regions.at(index).astype(int):
                mask[y0:y1, x0:x1] = UNKNOWN
            count = len(annotations.boxes.at(index))
            state = FrameState.WARM_UP if index < warm_up else FrameState.OK
            writer.put(index, mask, state, np.ones(count, np.float32), np.ones(count, np.bool_))


def labelled(folder: Path, name: str = "street", warm_up: int = 0, **settings: object) -> Labelled:
    """A rendered street with exact masks, open for training."""
    sequence, path = scene(name, **settings), folder / f"{name}.h5"
    write_exact_masks(sequence, path, warm_up)
    return open_labelled(sequence, path)
