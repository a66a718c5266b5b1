"""Fixtures every test file may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]

# New examples at every local run, the same ones wherever CI=true: a change is judged by what it changed.
# No test is timed: a busy machine fails nothing.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("local", UNTIMED)
settings.register_profile("ci", UNTIMED, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real sequences; tests that need it say so when it is absent."""
    folder = Path(os.environ.get("SPOTLABEL_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(
            f"real sequences not found: {folder} (set SPOTLABEL_SHARED to the folder that holds data/)"
        )
    return folder
