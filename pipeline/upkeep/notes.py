"""What of a recipe has no effect on the videos at hand, or hardly the one that was meant."""

from __future__ import annotations

from spotlabel.labelers.base import EvidenceKind, file_settings, is_taught
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.text import few
from spotlabel.pipeline.upkeep.plan import Item

_THRESHOLDS = {"motion_threshold": EvidenceKind.MOTION, "distance_threshold": EvidenceKind.DISTANCE}
"""Mask settings that act on one kind of evidence alone."""


def notes(recipe: Recipe, chosen: list[Item]) -> list[str]:
    """A line for each such thing."""
    return [
        *thresholds_without_effect(recipe, chosen),
        *preset_without_effect(recipe, chosen),
        *sharing_without_effect(recipe, chosen),
        *videos_without_camera(recipe, chosen),
    ]


def thresholds_without_effect(recipe: Recipe, chosen: list[Item]) -> list[str]:
    """A line for every threshold that the recipe sets and no evidence of these sequences listens to."""
    labelers = {item.labeler.name: item.labeler.kind for item in chosen}
    made = ", ".join(f"{name}: {kind}" for name, kind in sorted(labelers.items()))
    written = recipe.tree.get("masks", {})
    return [
        f"masks.{name} is set and has no effect: it is for {kind} evidence ({made})"
        for name, kind in _THRESHOLDS.items()
        if written.get(name) is not None and chosen and kind not in labelers.values()
    ]


def preset_without_effect(recipe: Recipe, chosen: list[Item]) -> list[str]:
    """A line if preset ``learned`` is asked for and none of these videos has a labeler that asks a network.

    Other presets also choose the rules of masks, so that they have an effect whoever labels.
    """
    if recipe.tree.get("preset") != "learned" or not chosen or any(file_settings(i.labeler) for i in chosen):
        return []
    named = ", ".join(sorted({item.labeler.name for item in chosen}))
    return [
        f"preset: learned has no effect: the recipe itself names the labeler ({named}), which comes first"
    ]


def sharing_without_effect(recipe: Recipe, chosen: list[Item]) -> list[str]:
    """A line if it is said who shares a student and none of these videos has one, or what tells a camera and
    students are not shared by camera.
    """
    students = recipe.students
    if students.per != "video" and chosen and not any(is_taught(item.labeler) for item in chosen):
        named = ", ".join(sorted({item.labeler.name for item in chosen}))
        return [f"students.per is set and has no effect: no labeler of these videos has a student ({named})"]
    if students.camera is not None and students.per != "camera":
        return [f"students.camera is set and has no effect: students.per is {students.per}, not camera"]
    return []


def videos_without_camera(recipe: Recipe, chosen: list[Item]) -> list[str]:
    """A line about the videos whose names tell no camera where those of one camera share a student."""
    if not recipe.shares_students:
        return []
    names = [
        item.sequence.name
        for item in chosen
        if is_taught(item.labeler) and recipe.students.group_of(item.sequence.name) is None
    ]
    if not names:
        return []
    return [
        f"students.camera tells no camera in {few(names)}: "
        f"a student of its own for {'each' if len(names) > 1 else 'it'}"
    ]
