"""What a store depends on, and whether the one on disk still fits.

A fingerprint is a small JSON object: content hashes of the inputs, effective settings, versions of the rules
and libraries that shape the result. A store is fresh if its recorded fingerprint equals the wanted one; dates
play no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import metadata
from typing import Any

from spotlabel.labelers.base import Labeler, Settings, box_figures
from spotlabel.labelers.masks import MASK_RULES_VERSION, MaskSettings
from spotlabel.pipeline.datasets.base import ReaderOptions
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.frames.decoders import frame_decoders
from spotlabel.pipeline.frames.digest import frames_digest
from spotlabel.pipeline.hashing import DigestCache, canonical_json, files_digest, text_digest
from spotlabel.pipeline.sequence import Sequence
from spotlabel.pipeline.store import EvidenceReader
from spotlabel.pipeline.text import few
from spotlabel.pipeline.upkeep.facts import EvidenceFacts
from spotlabel.pipeline.upkeep.labeler_files import file_digests, recorded_settings, used_libraries

EVIDENCE_STAGE_VERSION = 1
"""Rises when the evidence stage itself (not a labeler) would write something else for the same input."""


FIGURES = "figures"
"""Part of the fingerprint of evidence whose labeler has figures of boxes: their versions by name."""
SHARED = "shared student"
"""Where videos share a student: the part of a fingerprint that holds a digest of each of them."""
RECORDED_SINCE = ("decoders",)
"""Parts that older stores lack: nothing tells what they were made with, and they are judged without."""


class State(StrEnum):
    """How a store stands to what is wanted."""

    FRESH = "fresh"
    MISSING = "missing"
    STALE = "stale"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Need:
    """Whether a stage has to run for one sequence, and why.

    Attributes:
        state: how the store on disk stands.
        reason: for people; names the parts that differ if stale, the damage if damaged.
    """

    state: State
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.state} ({self.reason})" if self.reason else str(self.state)


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of distributions; ``absent`` for those not installed."""
    return {name: _installed_version(name) for name in names}


@cache
def _installed_version(name: str) -> str:
    """Looked up once: parsing a package's metadata for every video took a quarter of the time of a plan."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def evidence_fingerprint(
    sequence: Sequence,
    labeler: type[Labeler],
    settings: Settings,
    *,
    reader_options: ReaderOptions,
    cache: DigestCache,
    with_frames: bool = True,
    with_files: bool = True,
) -> dict[str, Any]:
    """What the evidence of a sequence depends on.

    Args:
        sequence: the video.
        labeler: labeler class.
        settings: its settings.
        reader_options: how the dataset is read; counts only if the labeler uses boxes.
        cache: remembers digests of single files.
        with_frames: false leaves out the frames' digest and what decodes them, so that no frame is read.
        with_files: likewise, of the files that the labeler itself is made of.

    Raises:
        OSError: an input file cannot be read.
        LabelerFileError: likewise, one of the labeler's own.
    """
    fingerprint: dict[str, Any] = {
        "labeler": f"{labeler.name} {labeler.version}",
        "settings": recorded_settings(labeler, settings),
        "libraries": library_versions(used_libraries(labeler, settings)),
        "evidence stage": EVIDENCE_STAGE_VERSION,
    }
    if with_files and (files := file_digests(labeler, settings, cache)):
        fingerprint["files"] = files
    if figures := box_figures(labeler):
        fingerprint[FIGURES] = dict(figures)
    return fingerprint | video_fingerprint(
        sequence, reader_options, cache, with_frames=with_frames, with_boxes=labeler.uses_boxes
    )


def video_fingerprint(
    sequence: Sequence,
    options: ReaderOptions,
    cache: DigestCache,
    *,
    with_frames: bool = True,
    with_boxes: bool,
) -> dict[str, Any]:
    """The part of :func:`evidence_fingerprint` that is the video's own: its frames, its boxes."""
    fingerprint: dict[str, Any] = {}
    if with_frames:
        digest = fingerprint["frames"] = frames_digest(sequence.frames, cache)
        if decoders := frame_decoders(sequence.frames, digest, cache):
            fingerprint["decoders"] = library_versions(decoders)
    if with_boxes:
        fingerprint |= annotations_fingerprint(sequence, options, cache)
    return fingerprint


def annotations_fingerprint(sequence: Sequence, options: ReaderOptions, cache: DigestCache) -> dict[str, Any]:
    """What decides boxes and ignore regions: the files, the rules that read them, and their options."""
    return {
        "annotations": files_digest(sequence.annotation_files, {}, cache),
        "reader": sequence.reader,
        "reader options": options.deciding(),
    }


def annotated_fingerprint(sequence: Sequence, options: ReaderOptions, cache: DigestCache) -> dict[str, Any]:
    """What decides which frames were annotated; empty if all were.

    Raises:
        OSError: a file cannot be read.
    """
    if sequence.annotated_file is not None:
        return {"annotated": files_digest([sequence.annotated_file], {}, cache)}
    if options.annotated not in (None, "all"):
        return {"annotated": str(options.annotated)}
    if not sequence.names_frames:
        return {}
    files = (*sequence.frames.files(), *sequence.annotation_files)
    content = files_digest(files, sequence.frames.identity(), cache)
    try:
        found = cache.derived(content, "annotated", lambda: _not_named(sequence))
    except SpotlabelError:  # whoever reads the boxes will say so
        return {}
    return {"annotated": found} if found else {}


def _not_named(sequence: Sequence) -> str:
    """``listed`` if the files leave out frames of a sequence, else nothing."""
    return "" if sequence.load().annotated is None else "listed"


def mask_fingerprint(
    sequence: Sequence,
    evidence: EvidenceReader | EvidenceFacts | None,
    settings: MaskSettings,
    options: ReaderOptions,
    cache: DigestCache,
    *,
    manual: str = "",
) -> dict[str, Any]:
    """What the masks of a sequence depend on: never a pixel of the video, only the evidence made from it.

    Without evidence that part is left out, and without corrections theirs (``manual``, their digest).
    """
    made_from = (
        {} if evidence is None
        else {"evidence": text_digest(evidence.content + canonical_json(evidence.fingerprint))}
    )  # fmt: skip
    return {
        **made_from,
        "settings": settings.model_dump(mode="json"),
        "libraries": library_versions(("opencv-contrib-python",)),
        "mask rules": MASK_RULES_VERSION,
        **annotations_fingerprint(sequence, options, cache),
        **annotated_fingerprint(sequence, options, cache),
        **manual_fingerprint(manual),
    }


def manual_fingerprint(digest: str) -> dict[str, Any]:
    """What stands for corrections in a fingerprint; nothing if there are none."""
    return {"manual": digest} if digest else {}


def compare(stored: Mapping[str, Any], wanted: Mapping[str, Any], trust: tuple[str, ...] = ()) -> Need:
    """Compare fingerprints part by part.

    Args:
        stored: as recorded in the store.
        wanted: as of now.
        trust: parts that are not compared.
    """
    trusted = {*trust, *(part for part in RECORDED_SINCE if part not in stored)}
    differing = [
        _difference(part, stored.get(part), wanted.get(part))
        for part in sorted({*stored, *wanted} - trusted)
        if stored.get(part) != wanted.get(part)
    ]
    return Need(State.STALE, "; ".join(differing)) if differing else Need(State.FRESH)


def _difference(part: str, stored: Any, wanted: Any) -> str:
    """Name what differs: single keys of settings with both values, digests just by name."""
    if part == SHARED:
        known = [some if isinstance(some, dict) else {} for some in (stored, wanted)]
        return f"student: {_other_videos(*known)}"
    if isinstance(stored, dict) and isinstance(wanted, dict):
        keys = [key for key in sorted({*stored, *wanted}) if stored.get(key) != wanted.get(key)]
        return ", ".join(_difference(f"{part}.{key}", stored.get(key), wanted.get(key)) for key in keys)
    if part in ("frames", "annotations", "evidence", "masks", "manual", "image paths") or part.startswith(
        "files."
    ):
        return f"{part} changed"
    return f"{part}: {stored} -> {wanted}"


def _other_videos(stored: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """On which other videos a student is to be taught than it was."""
    if not stored or not wanted:
        one, other = (f"taught on {len(some)} videos" if some else "of its own" for some in (stored, wanted))
        return f"{one} -> {other}"
    changes = {
        "new": wanted.keys() - stored.keys(),
        "gone": stored.keys() - wanted.keys(),
        "changed": {name for name in stored.keys() & wanted.keys() if stored[name] != wanted[name]},
    }
    return ", ".join(f"{few(sorted(names))} {what}" for what, names in changes.items() if names)
