"""R29: pipes, sockets, devices and enormous pictures in the place of files."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.campaign.bench import Bench, Whole, label
from benchmarks.campaign.result import Result, Tally


def run(bench: Bench) -> Iterator[Result]:
    """Each kind in the place of an image, the boxes and a store of one of two videos."""
    whole = bench.whole(2)
    tally = Tally(
        "R29",
        "a pipe, socket, device or enormous picture in the place of a file",
        f"{', '.join(_KINDS)}, where an image, the boxes or a store of one of two videos was: `spotlabel "
        "label` ends, without a traceback; the other video is whole, and the first one fails by name or, "
        "where it is a store, is made again",
        len(_PLACES) * len(_KINDS),
    )
    for place in _PLACES:
        for name, make in _KINDS.items():
            tally.record(f"{name} for {place}", _problems(bench, whole, place, make))
    yield tally.result()


def _problems(bench: Bench, whole: Whole, place: str, make: Callable[[Path], None]) -> list[str]:
    folder = bench.fresh("odd")
    out = folder / "out"
    shutil.copytree(whole.tree["data"], folder / "data")
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    make(path)
    recipe = bench.recipe(whole, out, data=str(folder / "data"))
    try:
        done = label(recipe)
    except subprocess.TimeoutExpired:
        return ["it waits"]
    problems = ["a traceback"] if "Traceback" in done.stderr else []
    if not (out / "masks" / "v1.h5").is_file():
        problems.append(f"the other video is not made: {done.stderr.strip()[-200:]}")
    if place.startswith("out") and done.returncode:
        problems.append(f"the store is not made again: {done.stderr.strip()[-200:]}")
    if place.startswith("data") and (done.returncode != 1 or "v0" not in done.stderr):
        problems.append(f"exit code {done.returncode}: {done.stderr.strip()[-200:]}")
    return problems


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _enormous(path: Path) -> None:
    """The head of a PNG of 30,000 x 30,000 pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head)


_PLACES = ("data/v0/img1/000002.jpg", "data/v0/gt/gt.txt", "out/masks/v0.h5")
_KINDS: dict[str, Callable[[Path], None]] = {
    "a named pipe": os.mkfifo,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a picture of 30,000 x 30,000": _enormous,
}
