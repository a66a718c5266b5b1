"""Pixel masks for box-annotated traffic video, and the detectors that learn from them.

What stands in ``__all__`` is stable: it changes with a new minor version at the earliest, and CHANGELOG.md
says so. Everything below (``spotlabel.pipeline``, ``spotlabel.labelers``, ``spotlabel.detector``) may move.

A name is imported when it is first asked for: ``import spotlabel`` itself imports nothing else, and only
``train``, ``TrainedModel``, ``load_model``, ``Predictor`` and ``PredictOptions`` need torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spotlabel.detector.evaluation.folders import (
        evaluate_attention,
        evaluate_coco,
        evaluate_ua_detrac,
        evaluate_uavdt,
        evaluate_voc,
    )
    from spotlabel.detector.from_recipe import TrainedModel, train
    from spotlabel.detector.model import load_model
    from spotlabel.detector.prediction.predictor import PredictOptions, Predictor
    from spotlabel.pipeline.errors import SpotlabelError
    from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe
    from spotlabel.pipeline.running.labelling import LabellingError, label, relabel
    from spotlabel.pipeline.store import BACKGROUND, FOREGROUND, UNKNOWN, EvidenceReader, MaskReader

    __version__: str

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "UNKNOWN",
    "EvidenceReader",
    "LabellingError",
    "MaskReader",
    "PredictOptions",
    "Predictor",
    "Recipe",
    "SpotlabelError",
    "TrainedModel",
    "__version__",
    "evaluate_attention",
    "evaluate_coco",
    "evaluate_ua_detrac",
    "evaluate_uavdt",
    "evaluate_voc",
    "label",
    "load_model",
    "load_recipe",
    "relabel",
    "train",
]

_HOMES = {
    "spotlabel.detector.evaluation.folders": (
        "evaluate_attention", "evaluate_coco", "evaluate_ua_detrac", "evaluate_uavdt",
        "evaluate_voc",
    ),
    "spotlabel.detector.from_recipe": ("TrainedModel", "train"),
    "spotlabel.detector.model": ("load_model",),
    "spotlabel.detector.prediction.predictor": ("PredictOptions", "Predictor"),
    "spotlabel.pipeline.errors": ("SpotlabelError",),
    "spotlabel.pipeline.recipes.recipe": ("Recipe", "load_recipe"),
    "spotlabel.pipeline.running.labelling": ("LabellingError", "label", "relabel"),
    "spotlabel.pipeline.store": ("BACKGROUND", "FOREGROUND", "UNKNOWN", "EvidenceReader", "MaskReader"),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - costs as much as all the rest of this module

        found: object = version("spotlabel")
    elif name in _HOME_OF:
        found = getattr(importlib.import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
