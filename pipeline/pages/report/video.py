"""One video for the report: its state, its figures, and the boxes to show."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spotlabel.pipeline.errors import SpotlabelError, StoreError, one_sentence
from spotlabel.pipeline.measures.quality import Quality, measure
from spotlabel.pipeline.pages.report.choose import chosen_boxes
from spotlabel.pipeline.pages.report.columns import BoxColumns, box_columns
from spotlabel.pipeline.pages.report.crops import Crop, crops
from spotlabel.pipeline.pages.report.tally import Tally
from spotlabel.pipeline.pages.report.timeline import Timeline, timeline
from spotlabel.pipeline.pages.report.unknown import unknown_pixels
from spotlabel.pipeline.pictures.render import evidence_of
from spotlabel.pipeline.progress import FrameProgress
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.running.job import warnings_into
from spotlabel.pipeline.stages.second_look import second_look
from spotlabel.pipeline.store import FrameState, MaskReader
from spotlabel.pipeline.store.seal import read_seal, sealed_digest
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Item, Plan, plan_item
from spotlabel.pipeline.why.boxes import checked

UNUSABLE = "unusable"
"""State of a video that cannot be used at all, beside those of :class:`State`."""
MOST_COMPARED = 100
"""Frames of a video that are compared with its ground truth, spread evenly."""


@dataclass(frozen=True)
class Standing:
    """Whether a video's masks are those that the recipe asks for.

    Attributes:
        state: one of :class:`State`, or :data:`UNUSABLE`.
        reason: why it is not fresh; empty if it is.
    """

    state: str
    reason: str = ""

    @property
    def good(self) -> bool:
        """The masks are what the recipe asks for."""
        return self.state == State.FRESH


@dataclass(frozen=True)
class Contents:
    """What a mask store holds.

    Attributes:
        size: height and width in px.
        states: number of frames by state.
        total: figures over all boxes.
        groups: figures by class, by size, by visibility.
        missed: judged boxes that are not believed, by the setting they miss.
        manual: boxes that a person decided.
        unknown: unknown pixels by reason.
        timeline: the video over time.
        crops: the boxes to show.
        made_from: facts of the store: labeler, rules, digests, libraries.
        quality: beside the pixel ground truth; None where there is none.
        notes: what could not be looked at.
    """

    size: tuple[int, int]
    states: Mapping[str, int]
    total: Tally
    groups: Mapping[str, Mapping[str, Tally]]
    missed: Mapping[str, int]
    manual: int
    unknown: Mapping[str, int]
    timeline: Timeline
    crops: tuple[Crop, ...]
    made_from: Mapping[str, Any]
    quality: Quality | None = None
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """Number of frames."""
        return sum(self.states.values())

    @property
    def pixels(self) -> int:
        """Pixels of all frames."""
        return self.frames * self.size[0] * self.size[1]


@dataclass(frozen=True)
class Video:
    """One row of the report.

    Attributes:
        name: of the sequence.
        camera: fixed or moving.
        labeler: the recipe's for that camera.
        standing: how its masks stand to the recipe.
        contents: of its masks; None where there are none that can be read.
        remarks: what reading its annotations warned of.
        findings: why this outcome can hardly be meant.
        speeds: frames a second by stage, where that was asked for and is known.
    """

    name: str
    camera: str
    labeler: str
    standing: Standing
    contents: Contents | None = None
    remarks: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    speeds: Mapping[str, float] = field(default_factory=dict)


@dataclass
class _Said:
    remarks: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def look_at(
    recipe: Recipe, item: Item, count: int, progress: FrameProgress = lambda done, total: None
) -> Video:
    """Look at one video; whatever is wrong with it is told in what comes back.

    Args:
        recipe: the recipe.
        item: one of its sequences.
        count: boxes to show of each group.
        progress: called after every frame.
    """
    plan, said = plan_item(recipe, item), _Said()
    standing, contents = _standing(plan), None
    if standing.state in (State.FRESH, State.STALE):
        try:
            contents = _contents(item, count, progress)
            _annotated(recipe, item, said, standing)
        except (SpotlabelError, OSError) as error:
            state = str(State.DAMAGED) if isinstance(error, StoreError) else UNUSABLE
            contents, standing = None, Standing(state, one_sentence(error))
    name, camera = item.sequence.name, str(item.sequence.camera)
    return Video(
        name, camera, item.labeler.name, standing, contents, tuple(said.remarks), tuple(said.findings)
    )


def _standing(plan: Plan) -> Standing:
    if plan.problem:
        return Standing(UNUSABLE, plan.problem)
    if State.DAMAGED in (plan.evidence.state, plan.masks.state):
        damaged = plan.masks if plan.masks.state == State.DAMAGED else plan.evidence
        return Standing(str(State.DAMAGED), damaged.reason)
    if plan.masks.state == State.STALE and plan.evidence.state != State.FRESH:
        return Standing(str(State.STALE), f"evidence is {plan.evidence}")
    return Standing(str(plan.masks.state), plan.masks.reason)


def _annotated(recipe: Recipe, item: Item, said: _Said, standing: Standing) -> None:
    """What reading the annotations warns of, and what cannot be meant about masks that are as asked for."""
    with warnings_into(said.remarks, said.findings), _shown_nowhere_else():
        item.sequence.load()
    if standing.good:
        said.findings[:] = second_look(recipe, item, said.findings)
        item.cache.save()


@contextmanager
def _shown_nowhere_else() -> Iterator[None]:
    """What the page tells need not scroll through a terminal, a video at a time."""
    logger = logging.getLogger("spotlabel")
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = before


def _contents(item: Item, count: int, progress: FrameProgress) -> Contents:
    digest = sealed_digest(item.mask_path, item.cache)
    masks = checked(MaskReader(item.mask_path, sealed=True))
    assert masks.file is not None  # opened: from here on the file that has this seal is read
    seal = read_seal(item.mask_path)
    masks.check_facts()
    boxes = box_columns(masks)
    unknown, shares = _unknown(masks, boxes, progress)
    evidence = evidence_of(item, masks)
    shown = crops(
        item.sequence.frames, masks, evidence, boxes, chosen_boxes(item.sequence.name, boxes, count)
    )
    notes = [] if evidence else ["its evidence is gone, or was made again since: pictures are without it"]
    quality = _quality(item, len(masks), notes)
    if seal != read_seal(item.mask_path):
        raise StoreError(f"{item.mask_path}: was replaced while it was read; run `spotlabel report` again")
    found = Contents(
        size=masks.size,
        states=_states(masks),
        total=boxes.of(np.ones(len(boxes.frame), np.bool_)),
        groups=boxes.groups(),
        missed=boxes.missed,
        manual=int(np.count_nonzero(masks.manual)),
        unknown=unknown,
        timeline=timeline(masks.numbers, boxes, shares),
        crops=tuple(shown),
        made_from=_made_from(masks, digest),
        quality=quality,
        notes=tuple(notes),
    )
    for reader in (masks, evidence):
        if reader is not None:
            reader.close()
    return found


def _unknown(
    masks: MaskReader, boxes: BoxColumns, progress: FrameProgress
) -> tuple[dict[str, int], np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Unknown pixels by reason, most first; and the share of each frame, float64 (T,)."""
    total: dict[str, int] = {}
    shares = np.zeros(len(masks), np.float64)
    pixels = masks.size[0] * masks.size[1]
    for index, here in enumerate(unknown_pixels(masks, boxes)):
        for reason, number in here.items():
            total[reason] = total.get(reason, 0) + number
        shares[index] = sum(here.values()) / pixels
        progress(index + 1, len(masks))
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))), shares


def _states(masks: MaskReader) -> dict[str, int]:
    counts = np.bincount(masks.state, minlength=len(FrameState)).tolist()
    return {state.name.lower(): counts[state] for state in FrameState if counts[state]}


def _quality(item: Item, frames: int, notes: list[str]) -> Quality | None:
    if item.sequence.truth is None:
        return None
    try:
        return measure(item.sequence, item.mask_path, max(1, -(-frames // MOST_COMPARED)))
    except (SpotlabelError, OSError) as error:
        notes.append(f"not compared with its ground truth: {one_sentence(error)}")
        return None


def _made_from(masks: MaskReader, digest: str) -> dict[str, Any]:
    """What the store says of its making, and its own digest."""
    evidence, own = dict(masks.structure("evidence_fingerprint")), masks.fingerprint
    libraries = {**dict(evidence.get("libraries", {})), **dict(own.get("libraries", {}))}
    return {
        "labeler": f"{masks.text('labeler')} {masks.number('labeler_version'):g}",
        "mask rules": own.get("mask rules"),
        "mask store": digest,
        "evidence": own.get("evidence"),
        "frames": evidence.get("frames"),
        "annotations": own.get("annotations"),
        "reader": own.get("reader"),
        "libraries": libraries,
    }
