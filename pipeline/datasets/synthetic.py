"""Reader of rendered scenes: sequences without any file, for the demo, tests and small training runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from spotlabel.pipeline.boxes import BoxTable, RegionTable
from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.layout import natural_key
from spotlabel.pipeline.errors import FrameError
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, Image, Sequence
from spotlabel.pipeline.synthetic.scene import RENDERER_VERSION, Scene
from spotlabel.pipeline.synthetic.settings import SceneSettings
from spotlabel.pipeline.synthetic.vehicles import CLASS_NAMES


class NamedScene(SceneSettings):
    """One scene of the option ``scenes``."""

    name: str = Field(min_length=1)
    """Name of the sequence."""


class SyntheticOptions(ReaderOptions):
    """Options of the reader ``synthetic``; ``beyond`` has no effect, every box has its image."""

    scenes: tuple[NamedScene, ...] = Field(
        default=(NamedScene(name="street"), NamedScene(name="drone", camera=Camera.MOVING)), min_length=1
    )
    """What to render; names must differ."""

    @field_validator("scenes")
    @classmethod
    def _distinct(cls, scenes: tuple[NamedScene, ...]) -> tuple[NamedScene, ...]:
        names = [scene.name for scene in scenes]
        if double := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"scene names must differ, {double[0]!r} is there more than once")
        return scenes


class SceneFrames:
    """Frames of a scene; implements :class:`spotlabel.pipeline.sequence.FrameSource`.

    The scene's fixed parts are painted when the first frame is read; a pickle carries the settings alone.
    """

    def __init__(self, settings: SceneSettings) -> None:
        self.settings = settings

    def __reduce__(self) -> tuple[type[SceneFrames], tuple[SceneSettings]]:
        return SceneFrames, (self.settings,)

    @cached_property
    def scene(self) -> Scene:
        """The scene, built on first use."""
        return Scene(self.settings)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.settings.height, self.settings.width

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Frame numbers from 0, int64 (T,)."""
        return np.arange(self.settings.frames, dtype=np.int64)

    @property
    def step(self) -> int:
        """Always 1."""
        return 1

    def __len__(self) -> int:
        return self.settings.frames

    def files(self) -> list[Path]:
        """None: the settings decide everything."""
        return []

    def identity(self) -> Mapping[str, object]:
        """Version of the renderer and all settings."""
        return {"renderer": RENDERER_VERSION, "settings": self.settings.model_dump(mode="json")}

    def read(self, index: int) -> Image:
        """Rendered frame, uint8 (H, W, 3) BGR; FrameError for a position that is not there."""
        self._check(index)
        return self.scene.render(index).image

    def stream(self, every: int = 1) -> Iterator[Image | FrameError]:
        """Every n-th frame in order."""
        for index in range(0, len(self), every):
            yield self.read(index)

    def truth(self, index: int) -> Image:
        """Exact mask of a position: uint8 (H, W), 255 where a vehicle is seen, 0 elsewhere.

        Shadows are background. Vehicles in an ignore region are in the mask though nobody annotated them:
        whoever compares leaves those regions out, as with any dataset.
        """
        self._check(index)
        return np.where(self.scene.truth(index).instances > 0, np.uint8(255), np.uint8(0))

    def annotations(self) -> Annotations:
        """As :func:`annotate`, worked out once."""
        return self._annotations

    @cached_property
    def _annotations(self) -> Annotations:
        return annotate(self.scene)

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise FrameError(f"frame {index}: this rendered scene has frames 0 to {len(self) - 1}")


def annotate(scene: Scene) -> Annotations:
    """Boxes and ignore regions of all frames, as an annotator would have drawn them.

    Boxes are tight around the visible pixels; vehicles mostly inside an ignore region get none and are
    counted in ``dropped``.
    """
    frames = [scene.truth(index) for index in range(len(scene))]
    kept = [~frame.ignored for frame in frames]
    counts = np.array([int(keep.sum()) for keep in kept])

    def column(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(frame, name)[keep] for frame, keep in zip(frames, kept, strict=True)])

    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    table = BoxTable(offsets, column("xyxy"), column("class_id"), column("track_id"), column("flags"))
    regions = RegionTable.per_frame([scene.regions(index) for index in range(len(scene))])
    dropped = sum(len(keep) for keep in kept) - int(counts.sum())
    return Annotations(table, regions, CLASS_NAMES, dropped=dropped)


def _sequence(scene: NamedScene) -> Sequence:
    frames = SceneFrames(SceneSettings(**scene.model_dump(exclude={"name"})))
    return Sequence(
        name=scene.name,
        frames=frames,
        camera=scene.camera,
        annotation_files=(),
        reader=f"{READER.name} {READER.version}",
        load=frames.annotations,
        attributes={"weather": "sunny" if scene.shadows > 0 else "cloudy"},
        truth=frames.truth,
    )


def sequences(root: Path, options: ReaderOptions, frames: FrameOptions) -> list[Sequence]:
    """The scenes that the options describe; ``root`` and ``frames`` have no say."""
    del root, frames
    if not isinstance(options, SyntheticOptions):
        raise TypeError(f"expected SyntheticOptions, got {type(options).__name__}")
    return [_sequence(scene) for scene in sorted(options.scenes, key=lambda scene: natural_key(scene.name))]


READER = Reader("synthetic", 1, SyntheticOptions, sequences)
