"""What an export says about itself: of every video, what its files were made from and what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, with_config

from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.staging import link_digest
from spotlabel.pipeline.hashing import DigestCache, canonical_json, file_digest, text_digest
from spotlabel.pipeline.regular import regular_bytes
from spotlabel.pipeline.text import one_line
from spotlabel.pipeline.upkeep.freshness import compare

VERSION = 3
"""Rises when the same masks and options would give other files."""
MADE = ".made"
NOTHING_YET = "not exported yet"


def _inside(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\0" in name:
        raise ValueError("leads out of the export")
    return name


_Name = Annotated[str, AfterValidator(_inside)]


@with_config(extra="forbid", strict=True)
@dataclass(frozen=True)
class Record:
    """One video's part of an export.

    Attributes:
        state: ``publishing`` while its files take their names, ``whole`` when they all have.
        made_from: what decides their content, by part.
        files: path relative to the export's folder, and digest, of every file.
        frames: number of exported frames.
        objects: number of masks in them.
        remarks: what there was to say, a line each.
        before: while ``publishing``, the digests that files may still have of exports before, by path.
    """

    state: Literal["publishing", "whole"]
    made_from: Mapping[str, Any]
    files: Mapping[_Name, str]
    frames: Annotated[int, Field(ge=0)] = 0
    objects: Annotated[int, Field(ge=0)] = 0
    remarks: list[str] = field(default_factory=list)
    before: Mapping[_Name, Annotated[list[str], Field(min_length=1)]] = field(default_factory=dict)

    def digests(self) -> dict[str, list[str]]:
        """Every digest that this program may have left a file with, by path."""
        known = {name: list(found) for name, found in self.before.items()}
        for name, digest in self.files.items():
            known[name] = sorted({*known.get(name, ()), digest})
        return known


_RECORD = TypeAdapter(Record)


def record_path(to: Path, form: str, stem: str) -> Path:
    """Where the record of a video stands."""
    return to / MADE / form / f"{stem}.json"


def digests(to: Path, form: str, stem: str) -> DigestCache:
    """Remembered digests of the files of a video."""
    return DigestCache(to / MADE / form / f"{stem}.digests")


def write_record(path: Path, record: Record) -> None:
    """Write a record, with a digest of its own."""
    content = dict(vars(record))
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = json.dumps({**content, "digest": text_digest(canonical_json(content))}, indent=1)
    write_atomically(path, lines.encode())


def read_record(path: Path) -> Record | None:
    """The record of a video, None if there is none.

    Raises:
        ExportError: it is damaged.
    """
    try:
        content = json.loads(regular_bytes(path))
        digest = content.pop("digest")
        if digest != text_digest(canonical_json(content)):
            raise ValueError("its digest differs")
        return _RECORD.validate_json(json.dumps(content))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        problem = one_line(f"{place}: {first['msg']}")
        raise ExportError(f"{path}: the record is damaged ({problem}); delete it and export again") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ExportError(f"{path}: the record is damaged ({error}); delete it and export again") from error


def what_differs(to: Path, form: str, stem: str, wanted: Mapping[str, Any], cache: DigestCache) -> str:
    """Why a video has to be exported (again); empty if its files are whole and up to date.

    Args:
        to: the export's folder.
        form: name of the format.
        stem: the video's file name.
        wanted: what files would be made from now.
        cache: of the digests of its files.
    """
    try:
        record = read_record(record_path(to, form, stem))
    except ExportError:
        return "its record is damaged"
    if record is None:
        return NOTHING_YET
    if record.state != "whole":
        return "the last export was broken off"
    need = compare(record.made_from, json.loads(json.dumps(wanted)))
    if need.reason:
        return need.reason
    return _first_difference(to, record, cache)


def _first_difference(to: Path, record: Record, cache: DigestCache) -> str:
    for name, digest in record.files.items():
        found = present_digest(to / name, cache)
        if found == digest and (to / name).is_symlink() and not (to / name).exists():
            return f"{to / name} leads to a file that has gone"
        if found != digest:
            return f"{to / name} {'is not as it was written' if found else 'has gone'}"
    return ""


def present_digest(path: Path, cache: DigestCache) -> str:
    """Digest of a file or link, empty if there is none or it cannot be read."""
    try:
        return link_digest(path) if path.is_symlink() else cache.remembered(path, "content", file_digest)
    except OSError:
        return ""
