"""The moment in which the files of a video take their names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from spotlabel.pipeline.atomic import fsync_folder
from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.keeping import find_kept, set_aside
from spotlabel.pipeline.exports.record import Record, read_record, write_record
from spotlabel.pipeline.exports.staging import Staging
from spotlabel.pipeline.hashing import DigestCache


def publish(to: Path, path: Path, own: Iterable[str], stage: Staging, record: Record) -> list[str]:
    """Give the files of a video their names, and write its record.

    What belongs to the video alone, a file or a folder, is exchanged as a whole by a rename. A record says
    before that these files are being replaced, and afterwards that they are whole; whoever is killed in
    between has them made again. Where users have put files of their own or changed some, those stay and
    the rest is exchanged file by file; what was changed is kept beside under another name.

    Args:
        to: the export's folder.
        path: the video's record.
        own: what belongs to the video alone, as paths relative to ``to``, in the order of their exchange.
        stage: what was made; all of it lies in one of these.
        record: of it.

    Returns:
        A line for what was kept of others, or nothing.

    Raises:
        ExportError: something of such a name is there that this program did not make.
        OSError: the disk failed.
    """
    tops, old = [top for top in own if os.path.lexists(stage.folder / top)], _digests_before(path)
    if old is not None:
        _check_ours(to, [top for top in tops if not any(_below(name, top) for name in old)])
    _check_no_links(to, [top for top in tops if (stage.folder / top).is_dir()])
    stage.sync()
    ours = old or {}
    kept = find_kept(to, tops, ours, stage.files, DigestCache(path.with_suffix(".digests")))
    files = {**{name: found[-1] for name, found in ours.items()}, **stage.files}
    write_record(path, replace(record, state="publishing", files=files, before=ours))
    for name in kept.changed:
        set_aside(to / name)
    for number, top in enumerate(tops):
        if any(_below(name, top) for name in (*kept.changed, *kept.others)):
            _merge(stage, to, [name for name in stage.files if _below(name, top)])
        else:
            _exchange(stage.folder / top, to / top, stage.folder / f".old-{number}")
    for name in ours.keys() - stage.files.keys():
        _remove(to, name)
    write_record(path, replace(record, state="whole", files=dict(stage.files)))
    return kept.remarks()


def _digests_before(path: Path) -> dict[str, list[str]] | None:
    """What earlier exports have made; None if nobody can tell, for the record is damaged."""
    try:
        record = read_record(path)
    except ExportError:
        return None
    return record.digests() if record else {}


def _below(name: str, top: str) -> bool:
    return name == top or name.startswith(f"{top}/")


def _check_ours(to: Path, tops: Iterable[str]) -> None:
    for top in tops:
        if os.path.lexists(to / top):
            raise ExportError(
                f"{to / top}: is there already, and is no part of this export; export into another folder"
            )


def _check_no_links(to: Path, tops: Iterable[str]) -> None:
    for top in tops:
        if (to / top).is_symlink():
            raise ExportError(
                f"{to / top}: is a link; put the folder itself there, or export into another one"
            )


def _merge(stage: Staging, to: Path, names: Iterable[str]) -> None:
    """Exchange single files; whatever else lies beside them stays."""
    folders = set()
    for name in sorted(names):
        final = to / name
        for parent in reversed(final.relative_to(to).parents[:-1]):
            if os.path.lexists(to / parent) and ((to / parent).is_symlink() or not (to / parent).is_dir()):
                set_aside(to / parent)
        if final.is_dir() and not final.is_symlink():
            set_aside(final)
        final.parent.mkdir(parents=True, exist_ok=True)
        (stage.folder / name).replace(final)
        folders.add(final.parent)
    for folder in folders:
        fsync_folder(folder)


def _exchange(made: Path, final: Path, aside: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.is_dir() and not final.is_symlink():
        final.rename(aside)
    made.rename(final)
    fsync_folder(final.parent)


def _remove(to: Path, name: str) -> None:
    """Delete what an earlier export has made and this one has not, never outside of its folder."""
    path = to / name
    if ".." in PurePosixPath(name).parts or not path.parent.resolve().is_relative_to(to.resolve()):
        return
    if path.is_dir() and not path.is_symlink():  # somebody else's, under the name of a file
        return
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == to or not folder.is_dir() or any(folder.iterdir()):
            break
        folder.rmdir()
