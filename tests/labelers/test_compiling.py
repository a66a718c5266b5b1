"""Compiled code on disk: used again as long as no source that it was made from has changed."""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from numba.core.dispatcher import Dispatcher

from spotlabel.labelers.compiling import sources_digest
from tests.conftest import ROOT

LABELERS = ROOT / "labelers"
CHILD = """
import json
from pack.outer import outer
print(json.dumps([outer(1), sum(outer.stats.cache_hits.values())]))
"""
OUTER = """
from pathlib import Path
from pack.inside.inner import STEP
from spotlabel.labelers.compiling import compile_cached, sources_digest

def outer(value):
    return value + STEP

outer = compile_cached(outer, sources_digest(Path(__file__).parent))
"""


def call_outer(folder: Path) -> list[int]:
    """What ``outer(1)`` gives in a process of its own, and how often its code came from the disk."""
    paths = [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("NUMBA_CACHE_DIR", None)
    child = subprocess.run(
        [sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True, check=True
    )
    return list(json.loads(child.stdout))


def test_code_is_compiled_anew_when_a_package_below_changes(tmp_path):
    inner = tmp_path / "pack" / "inside" / "inner.py"
    inner.parent.mkdir(parents=True)
    (tmp_path / "pack" / "outer.py").write_text(OUTER)
    inner.write_text("STEP = 1\n")
    assert call_outer(tmp_path) == [2, 0]
    assert call_outer(tmp_path) == [2, 1]
    inner.write_text("STEP = 5\n")
    assert call_outer(tmp_path) == [6, 0]


def test_digest_tells_content_names_and_folders_apart(tmp_path):
    digests = set()
    for package, files in (
        ("one", {"a.py": "x = 1"}),
        ("two", {"a.py": "x = 2"}),
        ("three", {"b.py": "x = 1"}),
        ("four", {"a.py": "x = 1", "below/c.py": ""}),
        ("five", {"a.py": "x = 1", "below/c.py": "y = 1"}),
    ):
        for name, text in files.items():
            path = tmp_path / package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        digests.add(sources_digest(tmp_path / package))
    digests.add(sources_digest(tmp_path / "one", tmp_path / "two"))
    assert len(digests) == 6
    (tmp_path / "one" / "notes.txt").write_text("no source")
    assert sources_digest(tmp_path / "one", tmp_path / "two") in digests


def modules_of(package: str) -> list[ModuleType]:
    """The modules of one of our packages; those that need a GPU to be imported are left out."""
    root = importlib.import_module(f"spotlabel.labelers.{package}")
    infos = pkgutil.walk_packages(root.__path__, root.__name__ + ".")
    return [importlib.import_module(info.name) for info in infos if ".cuda" not in info.name]


def imports_of(module: ModuleType) -> dict[str, str]:
    """Every name that a module takes from another of ours, with the other's name."""
    found = {}
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("spotlabel."):
            found |= {alias.asname or alias.name: str(node.module) for alias in node.names}
    return found


def names_in(code: CodeType) -> set[str]:
    inner = (names_in(part) for part in code.co_consts if isinstance(part, CodeType))
    return set(code.co_names).union(*inner)


@pytest.mark.parametrize("package", ["boxbg", "pawcs"])
def test_digest_covers_whatever_compiled_code_uses(package):
    wanted, functions = sources_digest(LABELERS / package), 0
    for module in modules_of(package):
        imports = imports_of(module)
        for function in vars(module).values():
            if isinstance(function, Dispatcher) and function.py_func.__module__ == module.__name__:
                functions += 1
                assert function._cache._cache_file._source_stamp == wanted, function
                sources = {imports[name] for name in names_in(function.py_func.__code__) & set(imports)}
                outside = {name for name in sources if not name.startswith(f"spotlabel.labelers.{package}.")}
                assert not outside, f"{function} takes code or constants from {outside}"
    assert functions > 15
