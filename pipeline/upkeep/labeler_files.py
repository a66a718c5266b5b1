"""The files that a labeler's settings name, a network's weights, say. Their content is what counts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spotlabel.labelers.base import Content, Labeler, Settings, file_settings, folder_rules
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.hashing import DigestCache, files_digest
from spotlabel.pipeline.inputs import open_input, read_input


class LabelerFileError(SpotlabelError):
    """A file that a labeler's settings name cannot be read."""


def labeler_files(labeler: type[Labeler], settings: Settings) -> dict[str, Path]:
    """The files and folders by the setting that names them; of most labelers none.

    Args:
        labeler: labeler class.
        settings: its settings; a relative path starts at the working directory.
    """
    return {name: Path(os.path.expanduser(getattr(settings, name))) for name in file_settings(labeler)}


def recorded_settings(labeler: type[Labeler], settings: Settings) -> dict[str, Any]:
    """Settings as stores record them: without the places of files, of which the content is recorded."""
    return settings.model_dump(mode="json", exclude={*file_settings(labeler)})


def deciding_files(labeler: type[Labeler], settings: Settings) -> list[Path]:
    """All files whose content counts, those of a folder one by one, whether they are there or not."""
    paths = labeler_files(labeler, settings).values()
    return [file for path in paths for file in _in_folder(labeler, path) or [path]]


def used_libraries(labeler: type[Labeler], settings: Settings) -> tuple[str, ...]:
    """Distributions whose version matters: those of a folder only where one is named."""
    rules = folder_rules(labeler)
    if rules is None or not any(map(os.path.isdir, labeler_files(labeler, settings).values())):
        return labeler.libraries
    return tuple(sorted({*labeler.libraries, *rules.libraries}))


def file_digests(labeler: type[Labeler], settings: Settings, cache: DigestCache) -> dict[str, str]:
    """Digest of each file's content; of a folder one of the names and contents of its files that count.

    Raises:
        LabelerFileError: one cannot be read, or a folder lacks one; says what to do.
    """
    digests = {}
    for name, path in labeler_files(labeler, settings).items():
        with _told(labeler, name, path):
            folder = _in_folder(labeler, path)
            digests[name] = files_digest(folder, {}, cache) if folder else cache.digest(path)
    return digests


def read_files(labeler: type[Labeler], settings: Settings) -> dict[str, Content]:
    """Content of each file, place of each folder; raises as :func:`file_digests`."""
    contents: dict[str, Content] = {}
    for name, path in labeler_files(labeler, settings).items():
        with _told(labeler, name, path):
            folder = _in_folder(labeler, path)
            for file in folder:
                open_input(file).close()  # the labeler will open it by its name
            contents[name] = path if folder else read_input(path)
    return contents


def _in_folder(labeler: type[Labeler], path: Path) -> list[Path]:
    """The files that count of a folder; empty if the path is none, or the labeler takes none."""
    rules = folder_rules(labeler)
    return [path / name for name in rules.names] if rules and os.path.isdir(path) else []


@contextmanager
def _told(labeler: type[Labeler], name: str, path: Path) -> Iterator[None]:
    """What goes wrong inside names the setting and says what to do."""
    place, rules = f"evidence.{labeler.name}.{name}: {path}", folder_rules(labeler)
    if "\0" in str(path):
        raise LabelerFileError(
            f"evidence.{labeler.name}.{name}: no path can hold a NUL character: {str(path)!r}"
        )
    try:
        if rules and os.path.isdir(path) and (lacking := rules.lacking(os.listdir(path))):
            raise LabelerFileError(f"{place}: {lacking}")
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise LabelerFileError(
            f"{place} cannot be read ({reason}); {file_settings(labeler)[name]}"
        ) from error
