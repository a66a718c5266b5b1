"""What users have put into an export or changed in it: found before files are exchanged, and never lost."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spotlabel.pipeline.exports.record import present_digest
from spotlabel.pipeline.hashing import DigestCache

CHANGED = ".changed"
"""Ending under which a file is kept that is not as this program wrote it, an edit or damage."""


@dataclass
class Kept:
    """Files of a video's folders that are not of this program's making.

    Attributes:
        changed: those under names of the export, with other bytes than were written.
        others: those under other names.
    """

    changed: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def remarks(self) -> list[str]:
        """A line for either kind."""
        told = []
        if self.changed:
            told.append(
                f"{len(self.changed)} files were not as they had been exported (edited or damaged) and are "
                f"kept beside as {Path(self.changed[0]).name}{CHANGED} and so on"
            )
        if self.others:
            told.append(
                f"{len(self.others)} files in its folders are not of this export and stay there: "
                f"{self.others[0]}{' and others' if len(self.others) > 1 else ''}"
            )
        return told


def find_kept(
    to: Path,
    tops: Iterable[str],
    ours: Mapping[str, Collection[str]],
    made: Mapping[str, str],
    cache: DigestCache,
) -> Kept:
    """Look through what stands where files shall take their names.

    Args:
        to: the export's folder.
        tops: files and folders that are exchanged.
        ours: digests that earlier exports have written, by path.
        made: digests of what is written now.
        cache: remembers digests.
    """
    kept = Kept()
    present = {name for top in tops for name in _present(to, top)}
    for name in sorted(present | {name for name in ours.keys() - present if _inside(to, name)}):
        digest = present_digest(to / name, cache)
        if digest and (digest in ours.get(name, ()) or digest == made.get(name)):
            continue
        (kept.changed if name in ours or name in made else kept.others).append(name)
    return kept


def _inside(to: Path, name: str) -> bool:
    """Whether a recorded file is there, and no link leads to it out of the export."""
    path = to / name
    if ".." in Path(name).parts or not os.path.lexists(path):
        return False
    return path.parent.resolve().is_relative_to(to.resolve())


def _present(to: Path, top: str) -> Iterator[str]:
    """Everything below a path that is no folder."""
    path = to / top
    if path.is_symlink() or not path.is_dir():
        if os.path.lexists(path):
            yield top
        return
    for folder, folders, names in os.walk(path):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*names, *links):
            yield (Path(folder) / name).relative_to(to).as_posix()


def set_aside(path: Path) -> Path:
    """Give a file or folder another name beside it, the first that is free; returns that."""
    kept, number = path.with_name(path.name + CHANGED), 1
    while os.path.lexists(kept):
        number += 1
        kept = path.with_name(f"{path.name}{CHANGED}-{number}")
    path.rename(kept)
    return kept
