"""Small videos with recipes, and the command line run as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from tests.conftest import ROOT

HEIGHT, WIDTH = 48, 64


def video(root: Path, name: str, frames: int = 12, seed: int = 0, height: int = HEIGHT) -> None:
    """A sequence in MOT layout: a bright square that moves over noise, boxed."""
    random = np.random.default_rng(seed)
    images, gt = root / name / "img1", root / name / "gt"
    images.mkdir(parents=True)
    gt.mkdir()
    ground = random.integers(60, 110, (height, WIDTH, 3), np.uint8)
    rows = []
    for number in range(1, frames + 1):
        x = (3 * number) % (WIDTH - 16)
        image = ground + random.integers(0, 4, ground.shape, np.uint8)
        image[20:32, x : x + 14] = 230
        cv2.imwrite(str(images / f"{number:06}.jpg"), image)
        rows.append(f"{number},1,{x + 1},21,14,12,1,3,1")
    (gt / "gt.txt").write_text("\n".join(rows))


def tree(root: Path, out: Path, *names: str, length: int = 12, **more: Any) -> dict[str, Any]:
    """A recipe for small videos, made below ``root`` if they are not there yet."""
    for seed, name in enumerate(names):
        if not (root / name).exists():
            video(root, name, length, seed)
    base = {"data": str(root), "out": str(out), "dataset": {"reader": "mot"}, "labeler": "mog2"}
    return {**base, "evidence": {"mog2": {"warm_up_frames": 2}}, **more}


def write(path: Path, recipe: dict[str, Any]) -> Path:
    """Write a recipe file."""
    path.write_text(yaml.safe_dump(recipe))
    return path


def command(*arguments: object) -> list[str]:
    """The command line of ``spotlabel`` with arguments."""
    return [sys.executable, "-c", "from spotlabel.pipeline.cli import main; main()", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """The environment with this checkout first on the import path."""
    roots = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": roots, **more}


def spotlabel(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``spotlabel`` to its end."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=cwd, env=environment(**env), check=False
    )


@contextmanager
def started(*arguments: object, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A running ``spotlabel``; killed at the end whatever happens."""
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        cwd=cwd,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_partial(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a file below an output folder, or below a part of it, is in the making."""
    deadline = time.monotonic() + 300
    while not leftovers(folder):
        assert process.poll() is None, "finished before it could be disturbed"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def stores(out: Path) -> dict[str, bytes]:
    """Every store below an output folder with its bytes."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.h5"))}


def leftovers(out: Path) -> list[Path]:
    """Partial files below an output folder."""
    return list(out.rglob(".*.partial"))


_CRASH = """
import ctypes, os, signal
import numpy as np
from spotlabel.labelers.base import Evidence, EvidenceKind, Settings

class Crash:
    name, version, kind, neutral = "crash", 1, EvidenceKind.BINARY, 0
    uses_boxes, libraries, settings_type = False, (), Settings

    def __init__(self, settings):
        pass

    def label(self, clip):
        for number, _ in enumerate(clip):
{before}
            yield Evidence(np.zeros(clip.size, np.bool_))
"""


def crash_labeler(folder: Path, before: str) -> Path:
    """A package, as if installed in ``folder``, with the labeler ``crash``, which finds no foreground.

    Args:
        folder: made here, to stand on the import path.
        before: code to run before each frame's evidence; knows ``clip`` and ``number``, from 0.
    """
    info = folder / "crash_labeler-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crash-labeler\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spotlabel.labelers]\ncrash = crash_labeler:Crash\n")
    code = _CRASH.format(before=textwrap.indent(before.strip("\n"), 12 * " "))
    (folder / "crash_labeler.py").write_text(code)
    return folder
