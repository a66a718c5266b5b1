"""Settings of the learned labelers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from spotlabel.labelers.base import Settings
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from spotlabel.labelers.egomotion.egoflow_cut import EgoflowCutSettings

FILES = {"network": "`make teacher` fetches U2-Net's (docs/learned.md), or name another box segmenter"}
"""The settings that name files, and what to do where there is no such file."""


class TeacherSettings(Settings):
    """Which network is asked, and where it runs."""

    network: Path = Path("models/u2net.onnx")
    """ONNX file of a box segmenter: U2-Net's, or one that describes itself; or a folder that holds SAM, SAM 2
    or EdgeTAM in Hugging Face's layout (docs/learned.md). Its content counts, not its name. A relative path
    starts at the working directory."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the network runs; `cuda` needs onnxruntime-gpu, or for a folder a torch built for CUDA, and gives
    other last digits than `cpu`."""
    batch: int = Field(16, ge=1, le=1024)
    """Boxes of a frame that the network is given at a time, if its file leaves that open; a folder's on
    `cuda` only. Evidence made with another number counts as stale, as with any setting."""


class FusedSettings(TeacherSettings):
    """The same, and how it is judged whether the other evidence can be relied on."""

    judged: int = Field(256, ge=8, le=10_000)
    """Boxes, spread over the video, in which network and evidence are compared for that."""


class BoxbgTeacherSettings(FusedSettings):
    """Settings of the labeler ``boxbg-teacher``."""

    adds_only: bool = True
    """All that `boxbg` finds stays, and the network fills what it misses; false: the network takes away too,
    such as shadow, and now and then a dark side of a car."""
    boxbg: BoxbgSettings = BoxbgSettings()
    """Settings of the labeler `boxbg`."""


class EgoflowCutTeacherSettings(FusedSettings):
    """Settings of the labeler ``egoflow-cut-teacher``."""

    egoflow_cut: EgoflowCutSettings = EgoflowCutSettings()
    """Settings of the labeler `egoflow-cut`."""


class TeachingSettings(Settings):
    """How a student is taught."""

    boxes: int = Field(150, ge=8, le=100_000)
    """Boxes that the teacher is asked about, of the video or of all videos that share the student together,
    spread over sizes, tracks and time; 1.3 CPU-seconds each with U2-Net. Where a moving camera's have no more
    than these the teacher labels itself, and nobody is taught."""
    size: Literal[64, 80, 96, 128] = 80
    """Side of the student's input, px: larger ones have finer outlines and take longer."""
    steps: int = Field(800, ge=1, le=1_000_000)
    """Updates of the student's weights."""
    batch: int = Field(16, ge=1, le=1024)
    """Boxes an update."""
    seed: int = Field(0, ge=0)
    """Of the choice of boxes and of the training."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the student is trained."""


class StudentSettings(TeacherSettings):
    """Which network teaches, and how."""

    teaching: TeachingSettings = TeachingSettings()
    """How the student is taught."""


class BoxbgStudentSettings(StudentSettings):
    """Settings of the labeler ``boxbg-student``."""

    boxbg: BoxbgSettings = BoxbgSettings()
    """Settings of the labeler `boxbg`."""


class EgoflowCutStudentSettings(StudentSettings):
    """Settings of the labeler ``egoflow-cut-student``."""

    egoflow_cut: EgoflowCutSettings = EgoflowCutSettings()
    """Settings of the labeler `egoflow-cut`."""
