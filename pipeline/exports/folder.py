"""The folder of an export as a whole: one format, and what all its videos have in common."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.formats.base import Format, Part
from spotlabel.pipeline.exports.formats.registry import FORMATS
from spotlabel.pipeline.exports.keeping import Kept, find_kept, set_aside
from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.record import (
    MADE,
    Record,
    digests,
    present_digest,
    read_record,
    record_path,
    what_differs,
    write_record,
)
from spotlabel.pipeline.hashing import DigestCache, canonical_json, file_digest, text_digest
from spotlabel.pipeline.names import file_stem

ALL = "--all"
"""Stem of the record of files that videos have in common; no video's, for those never begin with ``-``."""


def check_folder(to: Path, options: ExportOptions) -> None:
    """Refuse a folder that holds an export in another format, or files of others under the names of ours.

    Raises:
        ExportError: it does.
    """
    form = FORMATS[options.format]
    for name in sorted(FORMATS.keys() - {form.name}):
        if (to / MADE / name).is_dir():
            raise ExportError(f"{to}: holds an export in the format {name}; give {form.name} its own folder")
    if record_path(to, form.name, ALL).exists():
        return
    for name in form.common:
        if os.path.lexists(to / name):
            raise ExportError(
                f"{to / name}: is there already, and is no part of this export; choose another folder"
            )


@dataclass(frozen=True)
class Joined:
    """What all videos of an export have in common.

    Attributes:
        files: it; empty if the format has nothing of the kind, or no video is whole.
        lacking: why videos of the dataset are not in it, by their names.
        remarks: a line for what was kept of others.
    """

    files: list[Path]
    lacking: dict[str, str]
    remarks: list[str]


def finish_folder(to: Path, videos: Mapping[str, Mapping[str, Any] | str], options: ExportOptions) -> Joined:
    """Write what all videos have in common, if that is not up to date.

    It is made of all videos of the dataset whose files are whole and made of their present masks with these
    options, also by other runs.

    Args:
        to: the export's folder.
        videos: all videos of the dataset, in their order: what their files would be made from now
            (:func:`spotlabel.pipeline.exports.stage.origins`), or why they cannot be made.
        options: of the export.

    Raises:
        OSError: the disk failed.
    """
    form, lacking, contents = FORMATS[options.format], {}, {}
    for name, origin in videos.items():
        stem = file_stem(name)
        cache = digests(to, form.name, stem)
        reason = origin if isinstance(origin, str) else what_differs(to, form.name, stem, origin, cache)
        record = None if reason else read_record(record_path(to, form.name, stem))
        if record is not None:
            contents[name] = text_digest(canonical_json(record.files))
        else:
            lacking[name] = _in_short(reason)
    if not contents or not form.common:
        return Joined([], lacking, [])
    wanted = {"videos": contents, "classes": list(options.classes)}
    cache, kept = digests(to, form.name, ALL), Kept()
    if what_differs(to, form.name, ALL, wanted, cache):
        kept = _write_common(to, form, [Part(name, file_stem(name)) for name in contents], wanted, cache)
    cache.save()
    return Joined([to / name for name in form.common], lacking, kept.remarks())


def _write_common(
    to: Path, form: Format, parts: list[Part], wanted: dict[str, Any], cache: DigestCache
) -> Kept:
    path = record_path(to, form.name, ALL)
    try:
        old = read_record(path)
    except ExportError:
        old = None
    known = old.digests() if old else {}
    found = find_kept(to, form.common, known, dict.fromkeys(form.common, ""), cache)
    write_record(path, Record("publishing", wanted, dict.fromkeys(form.common, ""), before=known))
    asides = {name: set_aside(to / name) for name in found.changed}
    form.finish(to, parts, tuple(wanted["classes"]))
    made = {name: file_digest(to / name) for name in form.common}
    for name in list(asides):
        if present_digest(asides[name], cache) == made[name]:  # of a run that was killed
            asides.pop(name).unlink()
    write_record(path, Record("whole", wanted, made))
    return Kept(changed=list(asides))


def _in_short(reason: str) -> str:
    """A reason; other class numbers are spelled in words, for a list of classes may be long."""
    return "has other class numbers, export it again" if "options.classes" in reason else reason
