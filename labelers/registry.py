"""Labelers by name: the ones that come with spotlabel and those that other packages add."""

from __future__ import annotations

import importlib
import logging
from functools import cache
from typing import Any, cast

from spotlabel.labelers.base import EvidenceKind, Labeler, Settings
from spotlabel.labelers.errors import unknown_name
from spotlabel.labelers.plugins import load_plugins

GROUP = "spotlabel.labelers"
"""Entry point group in which other packages offer labelers."""

BUILTIN: dict[str, str] = {
    "boxbg": "spotlabel.labelers.boxbg.labeler:Boxbg",
    "boxbg-student": "spotlabel.labelers.learned.student:BoxbgStudent",
    "boxbg-teacher": "spotlabel.labelers.learned.fused:BoxbgTeacher",
    "egoflow": "spotlabel.labelers.egomotion.egoflow:Egoflow",
    "egoflow-cut": "spotlabel.labelers.egomotion.egoflow_cut:EgoflowCut",
    "egoflow-cut-student": "spotlabel.labelers.learned.student:EgoflowCutStudent",
    "egoflow-cut-teacher": "spotlabel.labelers.learned.fused:EgoflowCutTeacher",
    "farneback": "spotlabel.labelers.flow.farneback:Farneback",
    "filled-box": "spotlabel.labelers.baselines.filled_box:FilledBox",
    "knn": "spotlabel.labelers.baselines.opencv_subtractors:Knn",
    "mog2": "spotlabel.labelers.baselines.opencv_subtractors:Mog2",
    "pawcs": "spotlabel.labelers.pawcs.labeler:Pawcs",
    "pawcs-distance": "spotlabel.labelers.pawcs.labeler:PawcsDistance",
    "pawcs-held": "spotlabel.labelers.pawcs.labeler:PawcsHeld",
    "pawcs-pybgs": "spotlabel.labelers.pawcs.reference:PawcsPybgs",
    "released-flow": "spotlabel.labelers.flow.released:ReleasedFlow",
    "teacher": "spotlabel.labelers.learned.teacher:Teacher",
}
"""Name to ``module:Class``; a module is imported when its labeler is asked for."""

_log = logging.getLogger("spotlabel")


def load(name: str) -> type[Labeler]:
    """The labeler class of a name; no other labeler of our own is imported.

    Args:
        name: as in a recipe, for example ``"pawcs-pybgs"``.

    Raises:
        LabelerError: there is no such labeler; names those there are.
    """
    if name in BUILTIN:
        module, _, attribute = BUILTIN[name].partition(":")
        return cast(type[Labeler], getattr(importlib.import_module(module), attribute))
    plugins = _third_party()
    if name in plugins:
        return plugins[name]
    raise unknown_name("labeler", name, labeler_names())


def labeler_names() -> list[str]:
    """Names of all labelers there are: ours, then those of other packages."""
    return [*BUILTIN, *_third_party()]


@cache
def _third_party() -> dict[str, type[Labeler]]:
    """Labelers of other packages; a misfit is reported, once per process, and left out."""
    labelers = {}
    for name, thing in load_plugins(GROUP).items():
        problem = _misfit(name, thing)
        if problem:
            _log.warning("%s: %r %s; left out", GROUP, name, problem)
        else:
            labelers[name] = cast(type[Labeler], thing)
    return labelers


def _misfit(name: str, thing: object) -> str:  # noqa: PLR0911 - one line a reason
    """Why ``thing`` cannot serve as the labeler ``name``; empty if it can."""
    if name in BUILTIN:
        return "has the name of a labeler that comes with spotlabel"
    if not isinstance(thing, type):
        return f"is no class but a {type(thing).__name__}"
    expected: dict[str, type] = {
        "name": str,
        "version": int,
        "kind": EvidenceKind,
        "neutral": int,
        "uses_boxes": bool,
        "libraries": tuple,
        "settings_type": type,
    }
    bad = [key for key, kind in expected.items() if not isinstance(getattr(thing, key, None), kind)]
    if bad:
        return f"lacks or mistypes {', '.join(bad)}"
    if getattr(thing, "name", None) != name:
        return f"calls itself {getattr(thing, 'name', None)!r}"
    settings: Any = getattr(thing, "settings_type", object)
    if not issubclass(settings, Settings):
        return "has a settings_type that is no spotlabel.labelers.base.Settings"
    if missing := [key for key in getattr(thing, "files", {}) if key not in settings.model_fields]:
        return f"has files that are none of its settings: {', '.join(missing)}"
    return "" if callable(getattr(thing, "label", None)) else "has no method label"
