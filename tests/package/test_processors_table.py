"""What `make test-processors` runs is there, and the emulations differ from each other."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from types import ModuleType

import pytest

from benchmarks.processors import emulation
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "processors_script", ROOT / "scripts" / "test_processors.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


def test_every_listed_test_exists(script: ModuleType) -> None:
    for name in (*script.TESTS, *script.QUICK_TESTS):
        path, _, function = name.partition("::")
        assert (ROOT / path).exists(), name
        assert f"def {function.partition('[')[0]}" in (ROOT / path).read_text() if function else True, name


def test_every_emulation_tells_each_library_something_of_its_own(script: ModuleType) -> None:
    tables = [emulation.environment() for emulation in script.EMULATIONS.values()]
    for one, other in itertools.combinations(tables, 2):
        assert one.keys() == other.keys()
        assert one["ONEDNN_MAX_CPU_ISA"] != other["ONEDNN_MAX_CPU_ISA"]
        for name in ("NUMBA_CPU_NAME", "OPENCV_CPU_DISABLE", "OPENCV_IPP", "GLIBC_TUNABLES"):
            assert one[name] != other[name]


def test_what_this_processor_cannot_do_is_told_and_not_run(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulation, "flags", lambda: {"sse4_1"})
    assert script.run("AVX2 and FMA", ("no such test",)) == (
        "| AVX2 and FMA | not run: this processor has no avx2, fma | | | | |",
        True,
    )


def test_a_failing_emulation_is_told(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "PROBE", "print('a | b | c | d')")
    row, good = script.run("SSE 4.1", ("tests/no_such_test.py",))
    assert not good
    assert "a | b | c | d" in row
    assert "file or directory not found: tests/no_such_test.py" in capsys.readouterr().out
