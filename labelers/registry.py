"""Labelers by name: the ones that come with spotlabel and those that other packages add."""

from __future__ import annotations

import importlib
import logging
from functools import cache
from typing import cast

from labelers.base import EvidenceKind, Labeler, Settings
from labelers.errors import unknown_name
from labelers.plugins import load_plugins

GROUP = "spotlabel.labelers"
"""Entry point group in which other packages offer labelers."""

BUILTIN: dict[str, str] = {
    "boxbg": "labelers.boxbg.labeler:Boxbg",
    "egoflow": "labelers.egoflow:Egoflow",
    "egoflow-cut": "labelers.egoflow_cut:EgoflowCut",
    "farneback": "labelers.farneback:Farneback",
    "filled-box": "labelers.filled_box:FilledBox",
    "knn": "labelers.opencv_subtractors:Knn",
    "mog2": "labelers.opencv_subtractors:Mog2",
    "pawcs": "labelers.pawcs.labeler:Pawcs",
    "pawcs-distance": "labelers.pawcs.labeler:PawcsDistance",
    "pawcs-held": "labelers.pawcs.labeler:PawcsHeld",
    "pawcs-pybgs": "labelers.pawcs_pybgs:PawcsPybgs",
    "released-flow": "labelers.released_flow:ReleasedFlow",
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
    raise unknown_name("labeler", name, [*BUILTIN, *plugins])


@cache
def _third_party() -> dict[str, type[Labeler]]:
    """Labelers of other packages; a misfit is reported, once per process, and left out."""
    found = {}
    for name, thing in load_plugins(GROUP).items():
        problem = _misfit(name, thing)
        if problem:
            _log.warning("%s: %r %s; left out", GROUP, name, problem)
        else:
            found[name] = cast(type[Labeler], thing)
    return found


def _misfit(name: str, thing: object) -> str:
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
    if not issubclass(getattr(thing, "settings_type", object), Settings):
        return "has a settings_type that is no labelers.base.Settings"
    return "" if callable(getattr(thing, "label", None)) else "has no method label"
