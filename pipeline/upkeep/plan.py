"""What there is to do: for every sequence, which stages have to run and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spotlabel.labelers.base import Labeler, Settings, is_taught
from spotlabel.labelers.registry import load
from spotlabel.pipeline.errors import DamagedStoreError, SpotlabelError, StoreError
from spotlabel.pipeline.hashing import DigestCache
from spotlabel.pipeline.manual.store import manual_digest
from spotlabel.pipeline.names import (
    evidence_path,
    file_stem,
    manual_path,
    mask_path,
    shared_student_path,
    student_path,
)
from spotlabel.pipeline.recipes.recipe import Recipe
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store import EvidenceReader, MaskReader
from spotlabel.pipeline.upkeep.facts import EvidenceFacts, evidence_facts, mask_facts
from spotlabel.pipeline.upkeep.freshness import (
    SHARED,
    Need,
    State,
    compare,
    evidence_fingerprint,
    mask_fingerprint,
)
from spotlabel.pipeline.upkeep.groups import Group, Member, looked_at_once
from spotlabel.pipeline.upkeep.labeler_files import deciding_files
from spotlabel.pipeline.validation import validated

MADE_AGAIN = "evidence was made again from the same inputs with other pixels, as another processor may"
"""Why masks do not fit evidence that has the fingerprint of the evidence that they were made from."""


@dataclass(frozen=True)
class Item:
    """One sequence with everything its stages need to know.

    Attributes:
        sequence: the video.
        out: the recipe's output root.
        labeler: labeler class for its camera.
        settings: the labeler's settings.
        evidence_path: where its evidence stands or will stand.
        mask_path: likewise its masks.
        manual_path: likewise what people corrected.
        cache: remembered digests of its input files.
        group: the videos with which it shares a student; None where it has none, or one of its own.
    """

    sequence: Sequence
    out: Path
    labeler: type[Labeler]
    settings: Settings
    evidence_path: Path
    mask_path: Path
    manual_path: Path
    cache: DigestCache
    group: Group | None = None

    @property
    def student_path(self) -> Path:
        """Where the student stands or will stand that labels it, if its labeler has one."""
        own = student_path(self.out, self.labeler.name, self.sequence.name)
        return own if self.group is None else self.group.path

    def alone(self, member: Member) -> Item:
        """Another video of its group, as if it had a student of its own."""
        sequence = member.video
        return replace(
            self,
            sequence=sequence,
            evidence_path=evidence_path(self.out, self.labeler.name, sequence.name),
            mask_path=mask_path(self.out, sequence.name),
            manual_path=manual_path(self.out, sequence.name),
            cache=member.cache,
            group=None,
        )

    def declared_files(self) -> list[Path]:
        """The files on whose content its results are known to depend, those of its group left out."""
        files = [*self.sequence.annotation_files, *self.sequence.frames.files()]
        files += deciding_files(self.labeler, self.settings)
        return files if self.sequence.annotated_file is None else [*files, self.sequence.annotated_file]

    def evidence_fingerprint(
        self, recipe: Recipe, *, with_frames: bool = True, with_files: bool = True
    ) -> dict[str, Any]:
        """What its evidence depends on; see :mod:`spotlabel.pipeline.upkeep.freshness`."""
        shared = self.group.fingerprint(recipe.options) if self.group and with_frames else dict[str, Any]()
        return shared | evidence_fingerprint(
            self.sequence,
            self.labeler,
            self.settings,
            reader_options=recipe.options,
            cache=self.cache,
            with_frames=with_frames,
            with_files=with_files,
        )

    def mask_fingerprint(
        self, recipe: Recipe, evidence: EvidenceReader | EvidenceFacts | None, manual: str | None = None
    ) -> dict[str, Any]:
        """What its masks depend on; see :func:`spotlabel.pipeline.upkeep.freshness.mask_fingerprint`.

        Args:
            recipe: the recipe.
            evidence: what they are made from; None leaves that part out.
            manual: digest of the corrections; None for those on disk.
        """
        if manual is None:
            manual = manual_digest(self.manual_path, self.cache)
        return mask_fingerprint(
            self.sequence, evidence, recipe.masks, recipe.options, self.cache, manual=manual
        )


@dataclass(frozen=True)
class Plan:
    """What has to be done for one sequence."""

    item: Item
    evidence: Need
    masks: Need
    problem: str = ""
    """Why the sequence cannot be used at all; empty if it can."""

    @property
    def idle(self) -> bool:
        """True if nothing has to be done."""
        return not self.problem and self.evidence.state == self.masks.state == State.FRESH


def items(recipe: Recipe, only: Iterable[str] = ()) -> list[Item]:
    """All sequences of a recipe with their labelers and places."""
    if not recipe.shares_students:
        return [_item(recipe, sequence) for sequence in recipe.sequences(only)]
    wanted = {*only} and {sequence.name for sequence in recipe.sequences(only)}
    every = _grouped(recipe, [_item(recipe, sequence) for sequence in recipe.sequences()])
    return [item for item in every if not wanted or item.sequence.name in wanted]


def one_item(recipe: Recipe, name: str) -> Item:
    """The sequence of this name; see :meth:`spotlabel.pipeline.recipes.recipe.Recipe.sequence`.

    Where videos share students the others are listed too.
    """
    if recipe.shares_students:
        for item in items(recipe):
            if item.sequence.name == name:
                return item
    return _item(recipe, recipe.sequence(name))


def _grouped(recipe: Recipe, every: list[Item]) -> list[Item]:
    """All items of a recipe, each with the group that it shares its student with."""
    groups: dict[Path, list[Item]] = {}
    for item in every:
        name = recipe.students.group_of(item.sequence.name) if is_taught(item.labeler) else None
        if name is not None and not item.sequence.problem:
            groups.setdefault(shared_student_path(recipe.out, item.labeler.name, name), []).append(item)
    of: dict[str, Group] = {}
    for path, some in groups.items():
        if len(some) > 1:  # whoever shares with nobody has a student of its own
            videos = sorted(some, key=lambda item: item.sequence.name)
            group = Group(path, tuple(Member(item.sequence, item.cache) for item in videos))
            of |= dict.fromkeys((item.sequence.name for item in some), group)
    return [replace(item, group=of.get(item.sequence.name)) for item in every]


def with_labeler(recipe: Recipe, item: Item, name: str) -> Item:
    """A sequence as if another labeler made its evidence, with the settings that the recipe has for it.

    It is not known with whom it then shares a student: for what has been made, not for making it.

    Raises:
        LabelerError: there is no such labeler.
        RecipeError: settings it does not have.
    """
    labeler, out = load(name), recipe.out
    settings = validated(
        labeler.settings_type, recipe.tree.get("evidence", {}).get(name, {}), f"evidence.{name}"
    )
    path = evidence_path(out, name, item.sequence.name)
    return replace(item, labeler=labeler, settings=settings, evidence_path=path, group=None)


def _item(recipe: Recipe, sequence: Sequence) -> Item:
    labeler, settings = recipe.labeler_for(sequence.camera)
    cache = DigestCache(recipe.out / ".digests" / f"{file_stem(sequence.name)}.json")
    if recipe.verify == "full":
        cache.forget_all()
    return Item(
        sequence=sequence,
        out=recipe.out,
        labeler=labeler,
        settings=settings,
        evidence_path=evidence_path(recipe.out, labeler.name, sequence.name),
        mask_path=mask_path(recipe.out, sequence.name),
        manual_path=manual_path(recipe.out, sequence.name),
        cache=cache,
    )


def plan_items(recipe: Recipe, chosen: Iterable[Item], masks_only: bool = False) -> list[Plan]:
    """As :func:`plan_item`, of several; what videos share is compared once."""
    with looked_at_once():
        return [plan_item(recipe, item, masks_only) for item in chosen]


def plan_item(recipe: Recipe, item: Item, masks_only: bool = False, *, remember: bool = True) -> Plan:
    """Compare what is on disk with what the recipe asks for.

    Args:
        recipe: the recipe.
        item: one of its sequences.
        masks_only: take the frames for unchanged, so that no frame has to be read or even exist; labeler,
            settings and versions are still compared.
        remember: write down the digests that were computed; without it nothing is written at all.
    """
    if item.sequence.problem:
        return Plan(item, Need(State.MISSING), Need(State.MISSING), problem=item.sequence.problem)
    try:
        evidence = evidence_need(recipe, item, masks_only)
        try:
            masks = mask_need(recipe, item) if evidence.state == State.FRESH else _after(evidence, item)
        except DamagedStoreError as error:  # of the evidence, whose content the masks are compared with
            evidence = Need(State.DAMAGED, str(error))
            masks = _after(evidence, item)
    except (SpotlabelError, OSError) as error:
        return Plan(item, Need(State.MISSING), Need(State.MISSING), problem=str(error))
    finally:
        if remember:
            item.cache.save()
            if item.group is not None:
                item.group.save()
    return Plan(item, evidence, masks)


def evidence_need(recipe: Recipe, item: Item, masks_only: bool = False) -> Need:
    """Whether the evidence has to be made.

    Args:
        recipe: the recipe.
        item: one of its sequences.
        masks_only: take frames, libraries, the labeler's files and the other videos of its group for
            unchanged: no labeler will run, so none of them has to be there.
    """
    if not item.evidence_path.exists():
        return Need(State.MISSING)
    try:
        evidence = evidence_facts(item.evidence_path, item.cache)
    except StoreError as error:
        return Need(State.DAMAGED, str(error))
    trusted = ("frames", "decoders", "files", "libraries", SHARED) if masks_only else ()
    runs = not masks_only
    wanted = item.evidence_fingerprint(recipe, with_frames=runs, with_files=runs)
    need = compare(evidence.fingerprint, wanted, trusted)
    if need.state == State.FRESH and evidence.without_pixels and recipe.frames.on_bad == "fail":
        return Need(
            State.STALE, f"{evidence.without_pixels} frames could not be read, and frames.on_bad is fail"
        )
    return need


def mask_need(recipe: Recipe, item: Item) -> Need:
    """Whether the masks have to be made, given that the evidence is fresh.

    Raises:
        DamagedStoreError: the evidence is not.
    """
    if not item.mask_path.exists():
        return Need(State.MISSING)
    try:
        stored = mask_facts(item.mask_path, item.cache).fingerprint
    except StoreError as error:
        return Need(State.DAMAGED, str(error))
    evidence = evidence_facts(item.evidence_path, item.cache)
    wanted = item.mask_fingerprint(recipe, evidence)
    need = compare(stored, wanted)
    if need.state == State.STALE and compare(stored, wanted, ("evidence",)).state == State.FRESH:
        try:
            made_from = MaskReader(item.mask_path, sealed=True).structure("evidence_fingerprint")
        except StoreError as error:
            return Need(State.DAMAGED, str(error))
        return Need(State.STALE, MADE_AGAIN) if made_from == evidence.fingerprint else need
    return need


def _after(evidence: Need, item: Item) -> Need:
    """State of masks whose evidence has to be made first."""
    if not item.mask_path.exists():
        return Need(State.MISSING)
    return Need(State.STALE, f"evidence is {evidence.state}")
