"""Fixtures of the tests that train on videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlabel.pipeline.sequence import Sequence
from tests.helpers.training_data import scene, write_exact_masks


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Sequence, Path]]:
    folder = tmp_path_factory.mktemp("masks")
    found = []
    for number, name in enumerate("ab"):
        sequence = scene(name, seed=number, width=96, height=64, frames=8)
        write_exact_masks(sequence, folder / f"{name}.h5")
        found.append((sequence, folder / f"{name}.h5"))
    return found
