"""The folder of an export as a whole: one format, and what all its videos have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.formats.base import Part
from spotlabel.pipeline.exports.formats.registry import FORMATS
from spotlabel.pipeline.exports.options import ExportOptions
from spotlabel.pipeline.exports.record import (
    MADE,
    Record,
    digests,
    read_record,
    record_path,
    what_differs,
    write_record,
)
from spotlabel.pipeline.hashing import canonical_json, file_digest, text_digest
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


def finish_folder(to: Path, names: Iterable[str], options: ExportOptions) -> tuple[list[Path], list[str]]:
    """Write what all videos have in common, if that is not up to date.

    It is made of all whole videos of the dataset that were exported with these options, also by other runs.

    Args:
        to: the export's folder.
        names: of all videos of the dataset, in their order.
        options: of the export.

    Returns:
        The files, and the names of videos that are not among them.

    Raises:
        ExportError: a record is damaged.
        OSError: the disk failed.
    """
    form, wanted = FORMATS[options.format], options.model_dump(mode="json")
    parts, lacking, contents = [], [], {}
    for name in names:
        stem = file_stem(name)
        record = read_record(record_path(to, form.name, stem))
        if record and record.state == "whole" and record.made_from["options"] == wanted:
            parts.append(Part(name, stem))
            contents[name] = text_digest(canonical_json(record.files))
        else:
            lacking.append(name)
    files = [to / name for name in form.common]
    if not parts or not files:
        return [], lacking
    origin = {"videos": contents, "classes": list(options.classes)}
    cache = digests(to, form.name, ALL)
    if what_differs(to, form.name, ALL, origin, cache):
        path = record_path(to, form.name, ALL)
        write_record(path, Record("publishing", origin, dict.fromkeys(form.common, "")))
        form.finish(to, parts, options.classes)
        made = {name: file_digest(to / name) for name in form.common}
        write_record(path, Record("whole", origin, made))
    cache.save()
    return files, lacking
