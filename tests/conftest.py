"""Fixtures of all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real sequences; skips where there is none."""
    folder = Path(os.environ.get("SPOTLABEL_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"real sequences are not there: {folder}")
    return folder
