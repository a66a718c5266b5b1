"""What a wheel and an sdist hold: check_wheel.py CHECKOUT WHEEL_FROM_SDIST WHEEL_FROM_CHECKOUT SDIST.

Prints every difference from what is meant and exits with 1 if there is one.
"""

from __future__ import annotations

import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

DATA = ("py.typed", "*.yaml", "*.sbatch", "recipe.schema.json", "assets/*.css", "assets/*.js")
"""Files that are installed beside the modules."""
RELEASE = ("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md")


def contents(wheel: Path) -> dict[str, bytes]:
    """Every file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def meant(checkout: Path) -> set[str]:
    """Every file that is to be installed: modules and data below ``spotlabel/``, whose rooms are links."""
    package = checkout / "spotlabel"
    return {
        path.relative_to(checkout).as_posix()
        for folder in (package, *(entry for entry in package.iterdir() if entry.is_dir()))
        for pattern in ("*.py", *DATA)
        for path in (folder.glob(pattern) if folder == package else folder.rglob(pattern))
    }


def problems(checkout: Path, wheel: Path, direct: Path, sdist: Path) -> Iterator[str]:
    """A line for everything that is not as it is meant to be."""
    held = contents(wheel)
    info = next(name.partition("/")[0] for name in held if ".dist-info/" in name)
    installed = {name for name in held if not name.startswith(f"{info}/")}
    yield from (f"missing in the wheel: {name}" for name in sorted(meant(checkout) - installed))
    yield from (f"not meant to be installed: {name}" for name in sorted(installed - meant(checkout)))
    if held[f"{info}/top_level.txt"].decode().split() != ["spotlabel"]:
        yield f"top_level.txt: {held[f'{info}/top_level.txt']!r}, expected spotlabel alone"
    if held != contents(direct):
        yield "the wheel made from the sdist differs from the one made from the checkout"
    yield from metadata_problems(checkout, held[f"{info}/METADATA"].decode())
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        links = [member.name for member in archive.getmembers() if member.issym() or member.islnk()]
    yield from (f"missing in the sdist: {name}" for name in RELEASE if name not in names)
    yield from (f"a link in the sdist: {name}" for name in links)


def metadata_problems(checkout: Path, metadata: str) -> Iterator[str]:
    """Likewise of what a package page shows."""
    version = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"]
    if f"\nVersion: {version}\n" not in metadata:
        yield f"METADATA does not say Version: {version}"
    links = re.findall(r"\]\((?!https?:)[^)]*\)", metadata)
    yield from (f"a relative link on the package page: {link}" for link in links)
    if len(metadata) < 0.5 * len((checkout / "README.md").read_text()):
        yield "the package page has lost most of the README"


def main() -> int:
    """Check what the command line names."""
    found = list(problems(*map(Path, sys.argv[1:5])))
    print("\n".join(found) or f"{Path(sys.argv[2]).name}: {len(contents(Path(sys.argv[2])))} files, as meant")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
