"""The files that a labeler's settings name, a network's weights, say. Their content is what counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spotlabel.labelers.base import Labeler, Settings, file_settings
from spotlabel.pipeline.errors import SpotlabelError
from spotlabel.pipeline.hashing import DigestCache
from spotlabel.pipeline.inputs import read_input


class LabelerFileError(SpotlabelError):
    """A file that a labeler's settings name cannot be read."""


def labeler_files(labeler: type[Labeler], settings: Settings) -> dict[str, Path]:
    """The files by the setting that names them; of most labelers none.

    Args:
        labeler: labeler class.
        settings: its settings; a relative path starts at the working directory.
    """
    return {name: Path(getattr(settings, name)).expanduser() for name in file_settings(labeler)}


def recorded_settings(labeler: type[Labeler], settings: Settings) -> dict[str, Any]:
    """Settings as stores record them: without the places of files, of which the content is recorded."""
    return settings.model_dump(mode="json", exclude={*file_settings(labeler)})


def file_digests(labeler: type[Labeler], settings: Settings, cache: DigestCache) -> dict[str, str]:
    """Digest of each file's content.

    Raises:
        LabelerFileError: one cannot be read; says what to do.
    """
    digests = {}
    for name, path in labeler_files(labeler, settings).items():
        try:
            digests[name] = cache.digest(path)
        except OSError as error:
            raise _unreadable(labeler, name, path, error) from error
    return digests


def read_files(labeler: type[Labeler], settings: Settings) -> dict[str, bytes]:
    """Content of each file; raises as :func:`file_digests`."""
    contents = {}
    for name, path in labeler_files(labeler, settings).items():
        try:
            contents[name] = read_input(path)
        except OSError as error:
            raise _unreadable(labeler, name, path, error) from error
    return contents


def _unreadable(labeler: type[Labeler], name: str, path: Path, error: OSError) -> LabelerFileError:
    place, reason = f"evidence.{labeler.name}.{name}", error.strerror or str(error)
    return LabelerFileError(f"{place}: {path} cannot be read ({reason}); {file_settings(labeler)[name]}")
