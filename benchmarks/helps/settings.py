"""What is compared, on which frames, and under which settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.quality.tables import (
    BOXBG,
    DEFAULT,
    PAPER,
    STREET_SCENES,
    Data,
    Method,
    Split,
    rendered,
    streets,
)
from spotlabel.detector.training.settings import TrainingSettings

NONE, PAPERS, DEFAULTS, LEARNED, EXACT = "no-masks", "paper", "default", "learned", "exact"
SEEDS = (41, 42, 43)
"""Fixed before any of them was run."""


@dataclass(frozen=True)
class Variant:
    """What a detector is trained on.

    Attributes:
        title: what the page calls it.
        preset: the network.
        masks: how they are made; None: exact ones. Boxes alone are read from the default masks' stores.
    """

    title: str
    preset: str
    masks: Method | None


VARIANTS = {
    NONE: Variant("boxes alone (CenterNet)", "centernet", BOXBG),
    PAPERS: Variant("masks of the paper (PAWCS)", "spotnet-paper", Method("PAWCS", "pawcs", PAPER)),
    DEFAULTS: Variant("masks of preset default", "spotnet-paper", BOXBG),
    LEARNED: Variant("masks of preset learned", "spotnet-paper", Method("learned", "boxbg-student", DEFAULT)),
    EXACT: Variant("exact masks", "spotnet-paper", None),
}
BASELINES = (NONE, PAPERS, DEFAULTS)
"""What each of the others is compared with, and these with each other."""


@dataclass(frozen=True)
class Scene:
    """Frames to train on and frames to test on.

    Attributes:
        title: what the page calls it.
        train: labelled videos.
        test: videos whose frames are tested on.
        train_frames: positions that may be trained on, one in ``every``.
        test_frames: positions that may be tested on, one in ``every_test``.
        every: see ``train_frames``.
        every_test: see ``test_frames``.
        epochs: how often the training frames are gone through.
        exact: whether there is exact truth of pixels, to train on and to measure with.
    """

    title: str
    train: tuple[Data, ...]
    test: Data
    train_frames: range
    test_frames: range
    every: int
    every_test: int
    epochs: int
    exact: bool


MVI = Data("mvi-40201", Split.REPORT, 1, {"reader": "ua-detrac"}, "ua-detrac")
TEST_STREETS = Data("test-streets", Split.REPORT, 1, rendered(streets(221)[1:]))

SCENES = {
    "streets": Scene(
        title="Rendered streets", train=STREET_SCENES, test=TEST_STREETS, train_frames=range(120),
        test_frames=range(120), every=4, every_test=6, epochs=14, exact=True,
    ),
    "mvi-40201": Scene(
        title="MVI_40201", train=(MVI,), test=MVI, train_frames=range(280),
        test_frames=range(300, 400), every=2, every_test=4, epochs=18, exact=False,
    ),
}  # fmt: skip
"""Training and test frames of MVI_40201 lie 20 frames, .8 s, apart."""


@dataclass(frozen=True)
class Settings:
    """All that a run's result depends on besides scene, variant and seed.

    Attributes:
        canvas: height and width of the network's input.
        extent: share of an image's longer side that the canvas shows at zoom 1.
        batch: images per step.
        rate: learning rate.
        segmentation: factor of the loss of masks.
        share: of the scene's frames; for quick looks.
    """

    canvas: tuple[int, int] = (128, 192)
    extent: float = 0.5
    batch: int = 8
    rate: float = 2e-3
    segmentation: float = 5.0
    share: float = 1.0

    def scale(self, width: int) -> float:
        """Of frames so many px wide in tests: objects have the size at which they were trained."""
        return self.canvas[1] / (self.extent * width)

    def as_data(self) -> dict[str, Any]:
        """Plain data, comparable with what JSON gives back."""
        return {**asdict(self), "canvas": list(self.canvas)}

    def training(self, variant: Variant, scene: Scene, seed: int) -> TrainingSettings:
        """As ``spotlabel train`` takes them: ``base: small`` on a small canvas."""
        weights = {} if variant.preset == "centernet" else {"weights": {"seg": self.segmentation}}
        values = {
            "base": "small",
            "preset": variant.preset,
            "canvas": self.canvas,
            "extent": self.extent,
            "batch": self.batch,
            "lr": self.rate,
            "epochs": max(1, round(scene.epochs * self.share)),
            "seed": seed,
            **weights,
        }
        return TrainingSettings.model_validate(values)


QUICK = Settings(canvas=(64, 96), batch=2, share=0.1)
"""Shows that everything works; its figures mean nothing."""
