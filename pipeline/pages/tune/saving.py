"""From tuned settings to a recipe: the difference as YAML, and the recipe's file with it."""

from __future__ import annotations

import codecs
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spotlabel.labelers.masks import MaskSettings
from spotlabel.pipeline.atomic import write_atomically
from spotlabel.pipeline.errors import RecipeError
from spotlabel.pipeline.pages.serving.answer import ChangedError
from spotlabel.pipeline.pages.tune.form import flat
from spotlabel.pipeline.recipes.edit import edited
from spotlabel.pipeline.recipes.recipe import Recipe, load_recipe, parse_recipe
from spotlabel.pipeline.recipes.tree import read_text

_SECTION = "masks"


class RecipeFile:
    """The recipe a page was started with, and the file it stands in.

    Args:
        source: as on the command line: a path, or the name of a bundled recipe.
        overrides: values of ``--set``.
    """

    def __init__(self, source: str, overrides: Sequence[str] = ()) -> None:
        self.source, self._overrides = source, tuple(overrides)
        path = Path(source)
        self.path = path if path.suffix or path.is_file() else None
        self._text = "" if self.path is None else read_text(self.path)
        self.recipe = load_recipe(source, self._overrides)
        self._turn = threading.Lock()

    @property
    def kept(self) -> tuple[str, ...]:
        """Values of ``--set`` that are not about masks: those, the page itself sets."""
        return tuple(one for one in self._overrides if not one.startswith((f"{_SECTION}.", f"{_SECTION}=")))

    def changes(self, settings: MaskSettings) -> dict[tuple[str, ...], Any]:
        """What a recipe file would have to say otherwise, for the settings to be these: values by path."""
        present = flat(load_recipe(self.source, self.kept).masks)
        return {
            (_SECTION, *name.split(".")): value
            for name, value in flat(settings).items()
            if present[name] != value
        }

    def difference(self, settings: MaskSettings) -> str:
        """The same as lines of YAML to be put into a recipe; empty if there is no difference."""
        changes = self.changes(settings)
        return edited("", changes) if changes else ""

    def save(self, settings: MaskSettings, known: Mapping[str, Any]) -> Recipe:
        """Write the difference into the file, whose other lines and comments stay as they are.

        Args:
            settings: to be written.
            known: the recipe's settings as the page shows them, by dotted name.

        Returns:
            The recipe as the file now says.

        Raises:
            ChangedError: another page has saved since: these settings would take back what it saved.
            RecipeError: there is no file, it changed since, or no line says this alone.
            OSError: it cannot be written.
        """
        with self._turn:
            if known != flat(self.recipe.masks):
                raise ChangedError(
                    "another page has saved to the recipe; compare with it as it is now, then save again"
                )
            return self._save(settings)

    def _save(self, settings: MaskSettings) -> Recipe:
        if self.path is None:
            raise RecipeError(
                f"{self.source}: comes with spotlabel and is not written to; copy it (`spotlabel recipes "
                f"{self.source} > my.yaml`) or put the lines into a recipe of your own"
            )
        text = read_text(self.path)
        if text != self._text:
            raise RecipeError(
                f"{self.path}: changed since this page was opened; start `spotlabel tune` again"
            )
        wanted = edited(text, self.changes(settings))
        before, found = (parse_recipe(one, self.source, self.kept) for one in (text, wanted))
        if found.masks != settings or _others(found) != _others(before):
            raise RecipeError(
                f"{self.path}: its masks stand for more than one place (an alias or a merged mapping); "
                "put the lines in by hand"
            )
        target = Path(os.path.realpath(self.path))
        marked = target.read_bytes().startswith(codecs.BOM_UTF8)
        mode = target.stat().st_mode & 0o7777
        write_atomically(target, wanted.encode("utf-8-sig" if marked else "utf-8"))
        target.chmod(mode)
        self._text, self._overrides, self.recipe = wanted, self.kept, found
        return found


def _others(recipe: Recipe) -> Mapping[str, Any]:
    return {name: value for name, value in recipe.tree.items() if name != _SECTION}
