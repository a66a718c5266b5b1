"""Small recipes on rendered scenes, and the command line run as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

SMALL = {"width": 96, "height": 72, "frames": 12, "noise": 1.0}


def tree(out: Path, *names: str, labeler: object = "mog2", **more: Any) -> dict[str, Any]:
    """A recipe of small rendered scenes, one per name."""
    scenes = [{"name": name, "seed": seed, **SMALL} for seed, name in enumerate(names or ("a",))]
    fast = {"mog2": {"warm_up_frames": 2}}
    dataset = {"reader": "synthetic", "scenes": scenes}
    return {"out": str(out), "dataset": dataset, "labeler": labeler, "evidence": fast, **more}


def write(path: Path, recipe: dict[str, Any]) -> Path:
    """Write a recipe file."""
    path.write_text(yaml.safe_dump(recipe))
    return path


def command(*arguments: object) -> list[str]:
    """The command line of ``spotlabel`` with arguments."""
    return [sys.executable, "-c", "from pipeline.cli import main; main()", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """The environment with this checkout first on the import path."""
    roots = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": roots, **more}


def spotlabel(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``spotlabel`` to its end."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=cwd, env=environment(**env), check=False
    )


def stores(out: Path) -> dict[str, bytes]:
    """Every store below an output folder with its bytes."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.h5"))}


def leftovers(out: Path) -> list[Path]:
    """Partial files below an output folder."""
    return list(out.rglob(".*.partial"))
