"""Named pipes, sockets and devices where files are expected: refused by name, never waited for."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from simplejpeg import encode_jpeg

from spotlabel.pipeline.datasets.text import read_text
from spotlabel.pipeline.errors import DatasetError, FrameError, RecipeError, StoreError
from spotlabel.pipeline.frames.decode import decode_image
from spotlabel.pipeline.frames.limits import MAX_PIXELS
from spotlabel.pipeline.hashing import file_digest
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.regular import regular_bytes
from spotlabel.pipeline.store.seal import check_seal
from tests.helpers.recipes import command, environment, tree, write


def place(path: Path, kind: str) -> Path:
    if kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))
    else:
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.parametrize("kind", ["a named pipe", "a socket", "a device"])
def test_what_is_no_regular_file_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = place(tmp_path / "x.yaml", kind)
    for read, error in (
        (regular_bytes, OSError), (file_digest, OSError), (read_text, DatasetError), (check_seal, StoreError),
        (lambda path: load_recipe(str(path)), RecipeError),
    ):  # fmt: skip
        with pytest.raises(error, match=f"is {kind}, expected a regular file"):
            read(path)


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert regular_bytes(tmp_path / "link") == b"abc"
    with pytest.raises(IsADirectoryError):
        regular_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        regular_bytes(tmp_path / "y")


@pytest.mark.parametrize("where", ["image", "boxes", "store"])
def test_no_command_waits_for_a_pipe(tmp_path: Path, where: str) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    recipe = write(tmp_path / "r.yaml", tree(data, out, "a", "b", length=4))
    path = {
        "image": data / "a" / "img1" / "000002.jpg", "boxes": data / "a" / "gt" / "gt.txt",
        "store": out / "masks" / "a.h5",
    }[where]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    place(path, "a named pipe")
    for words in (("status",), ("label",), ("status",)):
        done = subprocess.run(
            command(*words, recipe),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        told = done.stdout + done.stderr
        assert "Traceback" not in told
        if words == ("label",):
            assert done.returncode == (where != "store"), told
            reasons = {
                "image": "is a named pipe, expected a regular file",
                "boxes": "is a named pipe, expected a regular file",
                "store": "",
            }
            assert reasons.get(where, "") in told
    assert (out / "masks" / "b.h5").is_file()
    assert (out / "masks" / "a.h5").is_file() == (where == "store")


def png(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def jpeg(width: int, height: int) -> bytes:
    whole = encode_jpeg(np.zeros((8, 8, 3), np.uint8))
    at = re.search(rb"\xff\xc0\0\x11\x08", whole)
    assert at
    return whole[: at.end()] + struct.pack(">HH", height, width) + whole[at.end() + 4 :]


def bmp(width: int, height: int) -> bytes:
    return b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 24, 0, 0, 0, 0, 0, 0)


def tiff(width: int, height: int) -> bytes:
    entries = struct.pack("<HHII", 256, 4, 1, width) + struct.pack("<HHII", 257, 4, 1, height)
    return b"II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)


@pytest.mark.parametrize("made", [png, jpeg, bmp, tiff])
def test_an_enormous_picture_is_refused_from_its_header(made: Callable[[int, int], bytes]) -> None:
    with pytest.raises(
        FrameError, match=rf"x\.png: says it has 30000 x 20000 pixels, expected {MAX_PIXELS} at most"
    ):
        decode_image(made(30_000, 20_000), "x.png", "refuse")
    with pytest.raises(FrameError) as caught:  # it is no picture, but not for its size
        decode_image(made(64, 48)[:-1], "x.png", "refuse")
    assert "says it has" not in str(caught.value)
