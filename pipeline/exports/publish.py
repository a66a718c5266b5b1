"""The moment in which the files of a video take their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from spotlabel.pipeline.atomic import fsync_folder
from spotlabel.pipeline.errors import ExportError
from spotlabel.pipeline.exports.record import Record, read_record, write_record
from spotlabel.pipeline.exports.staging import Staging


def publish(to: Path, path: Path, own: Iterable[str], stage: Staging, record: Record) -> None:
    """Give the files of a video their names, and write its record.

    What belongs to the video alone, a file or a folder, is exchanged as a whole by a rename. A record says
    before that these files are being replaced, and afterwards that they are whole; whoever is killed in
    between has them made again.

    Args:
        to: the export's folder.
        path: the video's record.
        own: what belongs to the video alone, as paths relative to ``to``, in the order of their exchange.
        stage: what was made; all of it lies in one of these.
        record: of it.

    Raises:
        ExportError: something of such a name is there that this program did not make.
        OSError: the disk failed.
    """
    tops, old = list(own), _files_before(path)
    if old is not None:
        _check_ours(to, [top for top in tops if not any(_below(name, top) for name in old)])
    stage.sync()
    write_record(path, replace(record, state="publishing", files={**(old or {}), **stage.files}))
    for number, top in enumerate(tops):
        if os.path.lexists(stage.folder / top):
            _exchange(stage.folder / top, to / top, stage.folder / f".old-{number}")
    for name in (old or {}).keys() - stage.files.keys():
        _remove(to, name)
    write_record(path, replace(record, state="whole", files=dict(stage.files)))


def _files_before(path: Path) -> Mapping[str, str] | None:
    """What an earlier export has made; None if nobody can tell, for its record is damaged."""
    try:
        record = read_record(path)
    except ExportError:
        return None
    return record.files if record else {}


def _below(name: str, top: str) -> bool:
    return name == top or name.startswith(f"{top}/")


def _check_ours(to: Path, tops: Iterable[str]) -> None:
    for top in tops:
        if os.path.lexists(to / top):
            raise ExportError(
                f"{to / top}: is there already, and is no part of this export; export into another folder"
            )


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
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == to or not folder.is_dir() or any(folder.iterdir()):
            break
        folder.rmdir()
