"""Errors a user can act on: one line that says which file, which field, what was expected, what to do."""

from __future__ import annotations

from pathlib import Path


class SpotlabelError(Exception):
    """An error whose text is meant for the user; the command line prints it without a traceback."""


def one_sentence(error: BaseException) -> str:
    """What an error says, without line breaks; the name of its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


class RecipeError(SpotlabelError):
    """A recipe or ``--set`` value that cannot be used."""


class DatasetError(SpotlabelError):
    """A dataset folder or annotation file that cannot be used."""

    @classmethod
    def at(cls, path: Path, where: str, problem: str, advice: str = "") -> DatasetError:
        """Build the one-line message ``file: where: problem (advice)``.

        Args:
            path: the offending file.
            where: line, element or field inside it; may be empty.
            problem: what was found and what was expected.
            advice: what the user can do; may be empty.
        """
        place = f"{path}: {where}: " if where else f"{path}: "
        return cls(place + problem + (f" ({advice})" if advice else ""))


class FrameError(SpotlabelError):
    """One frame that cannot be read whole; never turned into an image."""


class MissingFrameError(FrameError):
    """A frame number that the sequence should have and that has no file."""


class ChangedInputError(SpotlabelError):
    """An input file that changed while something was being made of it; nothing is kept of that."""


class StoreError(SpotlabelError):
    """A store file that is missing, damaged or does not fit what was asked of it."""


class DamagedStoreError(StoreError):
    """A store file whose content is not what was once written, or never made sense; to be made again."""


class OtherStoreError(StoreError):
    """A whole store, but of another kind or schema version than the reader's."""


class ExportError(SpotlabelError):
    """Labels that cannot be written in a format, or not where they were asked for."""


class Interrupted(KeyboardInterrupt):
    """The run was stopped by SIGINT or SIGTERM; ``args[0]`` is the signal's number.

    No error: code of others that goes on after every error (an import of a plugin, say) must not swallow it.
    """
