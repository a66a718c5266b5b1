"""Scratch folders of child processes, and children whose parent goes at their very start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from spotlabel.pipeline.atomic import host_mark
from spotlabel.pipeline.running.scratch import clear_scratch, scratch_folder
from spotlabel.pipeline.running.start import first_line
from tests.helpers.recipes import environment, spotlabel, tree, wait_for_partial, write

_HOLDER = """
import time
from spotlabel.pipeline.running.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "config").mkdir()
    (folder / "config" / "PAWCS.xml").write_text("<x/>")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of the test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_a_scratch_folder_is_empty_and_goes_with_its_block(temporary: Path) -> None:
    with scratch_folder() as folder, scratch_folder() as other:
        assert sorted(temporary.iterdir()) == sorted([folder, other])
        assert list(folder.iterdir()) == []
        (folder / "left").write_text("x")
        assert clear_scratch() == []  # whoever holds them lives
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_leaves_is_cleared_and_nothing_else(temporary: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER], stdout=subprocess.PIPE, env=environment(), text=True
    )
    assert holder.stdout is not None
    left = Path(holder.stdout.readline().strip())
    try:
        assert clear_scratch() == []
    finally:
        holder.kill()
        holder.communicate()
    others = temporary / "spotlabel-000000000000-x", temporary / "spotlabel-notes", temporary / "data"
    for folder in others:
        folder.mkdir()
        (folder / "mine").write_text("x")
    link = temporary / f"spotlabel-{host_mark()}-link"
    link.symlink_to(others[2])
    file = temporary / f"spotlabel-{host_mark()}-file"
    file.write_text("x")
    assert left.parent == temporary
    assert clear_scratch() == [left]
    assert sorted(temporary.iterdir()) == sorted([*others, link, file])
    assert all((folder / "mine").exists() for folder in others)


def test_a_folder_of_another_user_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (temporary / f"spotlabel-{host_mark()}-x").mkdir()
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert clear_scratch() == []
    monkeypatch.undo()


def test_a_run_clears_what_a_killed_one_left(tmp_path: Path, temporary: Path) -> None:
    recipe = write(tmp_path / "r.yaml", tree(tmp_path / "data", tmp_path / "out", "a", length=150))
    command = [sys.executable, "-c", "from spotlabel.pipeline.cli import main; main()", "label", str(recipe)]
    killed = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment())
    wait_for_partial(tmp_path / "out" / "evidence", killed)  # type: ignore[arg-type]
    killed.kill()
    killed.wait()
    assert [path.name[: len("spotlabel-")] for path in temporary.iterdir()] == ["spotlabel-"]
    done = spotlabel("label", recipe)
    assert done.returncode == 0, done.stderr
    assert list(temporary.iterdir()) == []


def test_a_child_just_started_ends_with_its_parent(tmp_path: Path) -> None:
    """Still importing: here a library that takes ten minutes to."""
    (tmp_path / "slow").mkdir()
    marker = tmp_path / "importing"
    (tmp_path / "slow" / "cv2.py").write_text(
        f"import pathlib, time\npathlib.Path({str(marker)!r}).write_text('x')\ntime.sleep(600)\n"
    )
    roots = f"{tmp_path / 'slow'}{os.pathsep}{environment()['PYTHONPATH']}"
    child = subprocess.Popen(
        [sys.executable, "-m", "spotlabel.pipeline.running.start"],
        stdin=subprocess.PIPE, env=environment(PYTHONPATH=roots), text=True,
    )  # fmt: skip
    try:
        assert child.stdin is not None
        child.stdin.write(json.dumps({"channel": 9}) + "\n")
        child.stdin.flush()
        while not marker.exists():
            assert child.poll() is None
        child.stdin.close()  # as when the parent is killed
        assert child.wait(timeout=120) == 1
    finally:
        child.kill()
        child.wait()


def test_a_child_without_a_job_ends_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "spotlabel.pipeline.running.start"],
        input="", capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")


def test_the_first_line_is_all_that_is_taken() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b'{"a": 1}\nmore\n')
    os.close(write_end)
    assert first_line(read_end) == b'{"a": 1}'
    assert os.read(read_end, 99) == b"more\n"
    assert first_line(read_end) == b""
    os.close(read_end)
