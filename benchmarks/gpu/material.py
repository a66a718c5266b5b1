"""Rendered frames, JPEG files of them, and videos with sealed mask stores to train on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from spotlabel.pipeline.datasets.synthetic import NamedScene, SceneFrames, SyntheticOptions, sequences
from spotlabel.pipeline.frames import ImageFolder
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store import FrameState, MaskWriter, StoreInfo

JPEG_QUALITY = 90
_FPS = 5.0


def street(width: int, height: int, frames: int) -> Sequence:
    """A rendered street seen by a fixed camera."""
    scene = NamedScene(name="street", width=width, height=height, frames=frames, fps=_FPS)
    return sequences(Path(), SyntheticOptions(scenes=(scene,)), FrameOptions())[0]


def rendered(width: int, height: int, frames: int) -> list[npt.NDArray[np.uint8]]:
    """Its frames, uint8 (H, W, 3) BGR each."""
    source = street(width, height, frames).frames
    return [source.read(index) for index in range(frames)]


def jpeg_files(folder: Path, source: Sequence) -> list[Path]:
    """The frames of a sequence as JPEG files, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:06d}.jpg" for index in range(len(source.frames))]
    for index, path in enumerate(paths):
        cv2.imwrite(str(path), source.frames.read(index), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return paths


def videos_to_train_on(
    folder: Path, width: int, height: int, frames: int, videos: int
) -> list[tuple[Sequence, Path]]:
    """Videos of one street under several names, each with its store of exact masks; they share JPEG files."""
    scene = street(width, height, frames)
    files = dict(enumerate(jpeg_files(folder / "frames", scene)))
    source = scene.frames
    assert isinstance(source, SceneFrames)
    truth = [(source.truth(index) > 0).astype(np.uint8) for index in range(frames)]
    found = []
    for number in range(videos):
        sequence = Sequence(
            f"video-{number:02}", ImageFolder(files, FrameOptions()), scene.camera, (), "rendered", scene.load
        )
        path = folder / f"{sequence.name}.h5"
        _write_store(sequence, path, truth)
        found.append((sequence, path))
    return found


def _write_store(sequence: Sequence, path: Path, masks: list[npt.NDArray[np.uint8]]) -> None:
    annotations = sequence.load()
    info = StoreInfo(
        sequence.name,
        sequence.frames.size,
        sequence.frames.numbers,
        {},
        {"class_names": annotations.class_names},
    )
    with MaskWriter.writing(path, info, annotations.boxes) as writer:
        for index, mask in enumerate(masks):
            count = len(annotations.boxes.at(index))
            writer.put(index, mask, FrameState.OK, np.ones(count, np.float32), np.ones(count, np.bool_))
