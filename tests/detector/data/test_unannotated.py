"""Frames that nobody annotated are not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spotlabel.detector.data.labelled import Labelled
from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.datasets.synthetic import SceneFrames
from spotlabel.pipeline.store import FrameState, MaskReader, MaskWriter, StoreInfo
from spotlabel.pipeline.synthetic.settings import SceneSettings


def test_only_annotated_frames_past_the_warm_up_are_usable(tmp_path: Path) -> None:
    states = [
        FrameState.WARM_UP,
        FrameState.OK,
        FrameState.UNANNOTATED,
        FrameState.OK,
        FrameState.UNANNOTATED,
    ]
    frames = SceneFrames(SceneSettings(width=32, height=32, frames=len(states)))
    empty = np.zeros(0, np.int64)
    boxes = BoxTable(
        np.zeros(len(states) + 1, np.int64), np.zeros((0, 4), np.float32), empty.astype(np.int16), empty,
        empty.astype(np.uint8),
    )  # fmt: skip
    info = StoreInfo("a", (32, 32), frames.numbers, {})
    with MaskWriter.writing(tmp_path / "a.h5", info, boxes) as writer:
        for index, state in enumerate(states):
            if state == FrameState.UNANNOTATED:
                writer.mark(index, state)
            else:
                nothing = np.zeros(0, np.float32)
                writer.put(index, np.zeros((32, 32), np.uint8), state, nothing, nothing.astype(np.bool_))
    video = Labelled("a", frames, MaskReader(tmp_path / "a.h5"))
    assert video.usable() == [1, 3]
    assert video.usable(3) == [3]
    assert (video.masks.read(2) == 255).all()
