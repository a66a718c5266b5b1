"""A labelled video whose masks are exported, edited and imported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers import exporting
from tests.helpers.recipes import write


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exporting.labelled(tmp_path_factory.mktemp("imports"), "gate", "road").parent


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A dataset of its own, with its masks."""
    for name in ("data", "out"):
        shutil.copytree(made / name, tmp_path / name)
    write(tmp_path / "recipe.yaml", exporting.recipe_tree(tmp_path))
    return tmp_path
