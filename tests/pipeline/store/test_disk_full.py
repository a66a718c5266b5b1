"""Disk full at any byte: an error that says so, nothing under the final name, never an all-zero mask (R5).

A file-size limit stands in for the full disk: the kernel refuses every write past it, as it would at the end
of a disk, and no mount is needed. ``ENOSPC`` itself is tried on a small tmpfs where the tests may mount one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spotlabel.pipeline.store import check_seal
from tests.conftest import ROOT
from tests.helpers.stores import some_masks, write_masks

_LIMITED_WRITER = """
import resource, signal, sys
from pathlib import Path
from spotlabel.pipeline.errors import StoreError
from tests.helpers.stores import some_masks, write_masks
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
masks = some_masks(20, (48, 64))
folder = Path(sys.argv[1])
for number, limit in enumerate(map(int, sys.argv[2:])):
    path = folder / f"{number}.h5"
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write_masks(path, masks)
        print("written", limit)
    except StoreError as error:
        assert str(path) in str(error) and "MiB free" in str(error), error
        print("refused", limit)
    assert path.exists() == (limit == int(sys.argv[-1])), limit
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_no_limit_leaves_half_a_store(tmp_path: Path) -> None:
    whole = write_masks(tmp_path / "whole.h5", some_masks(20, (48, 64)))
    size = whole.stat().st_size
    limits = [*range(1, size, size // 40), size - 1, size]
    folder = tmp_path / "limited"
    command = [sys.executable, "-c", _LIMITED_WRITER, str(folder), *map(str, limits)]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    lines = done.stdout.splitlines()
    assert len(lines) == len(limits), done.stderr
    assert [line.split()[0] for line in lines] == ["refused"] * (len(limits) - 1) + ["written"]
    assert [path.name for path in folder.iterdir()] == [f"{len(limits) - 1}.h5"]
    check_seal(next(folder.iterdir()))


_TMPFS_WRITER = """
import subprocess, sys
from pathlib import Path
from spotlabel.pipeline.errors import StoreError
from tests.helpers.stores import some_masks, write_masks
folder = Path(sys.argv[1])
for pages in range(1, 41):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={pages * 4}k", "none", folder]).returncode:
        sys.exit("cannot mount")
    try:
        write_masks(folder / "m.h5", some_masks(60, (48, 64)))
        print("written")
    except StoreError as error:
        assert "No space left" in str(error), error
        print("refused")
    left = [path.name for path in folder.iterdir()]
    subprocess.run(["umount", folder], check=True)
    assert left in ([], ["m.h5"]), left
"""


def test_a_really_full_disk(tmp_path: Path) -> None:
    """Forty sizes of a tmpfs in a private mount namespace."""
    probe = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", str(tmp_path)], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("mounting a tmpfs in a private namespace is not allowed here (needs root)")
    command = ["unshare", "-m", sys.executable, "-c", _TMPFS_WRITER, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(lines) == 40
    assert lines[0] == "refused"
    assert lines[-1] == "written"
