"""Named region-based detectors, and how they are put together."""

from __future__ import annotations

from collections.abc import Callable

from spotlabel.detector.regions.attention.als import AlsRcnn, SplitRcnn
from spotlabel.detector.regions.attention.ian import IanRcnn
from spotlabel.detector.regions.attention.lga import LgaRcnn
from spotlabel.detector.regions.backbones import REGION_BACKBONES
from spotlabel.detector.regions.network import FasterRcnn
from spotlabel.detector.regions.options import RegionWeights, changed

REGION_PRESETS: dict[str, Callable[..., FasterRcnn]] = {
    "faster-rcnn": FasterRcnn,
    "als-split": SplitRcnn,
    "als": AlsRcnn,
    "ian": IanRcnn,
    "lga": LgaRcnn,
}


def build_region_detector(
    preset: str, backbone: str, classes: int, weights: RegionWeights | None = None, **options: object
) -> FasterRcnn:
    """The detector ``preset`` on ``backbone``, with random weights from torch's default generator.

    Args:
        preset: one of :data:`REGION_PRESETS`.
        backbone: one of :data:`spotlabel.detector.regions.backbones.REGION_BACKBONES`.
        classes: number of object classes.
        weights: factors of the loss terms.
        options: what differs from the backbone's usual options, by their names.

    Raises:
        ValueError: there is no preset or no backbone of this name, or an option makes no sense.
    """
    for kind, name, known in (
        ("region-based detector", preset, REGION_PRESETS),
        ("region backbone", backbone, REGION_BACKBONES),
    ):
        if name not in known:
            raise ValueError(f"no {kind} {name!r}; there are {', '.join(known)}")
    usual, build = REGION_BACKBONES[backbone]
    chosen = changed(usual, **options)
    return REGION_PRESETS[preset](build(chosen), classes, chosen, weights)
