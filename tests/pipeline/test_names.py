"""Names come from data; files stay under the output root (R17)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.names import check_names, evidence_path, file_stem, mask_path

HOSTILE = [
    "..",
    ".",
    "",
    "../../etc/passwd",
    "a/b",
    "/abs",
    "a\\b",
    "a b",
    "ü–漢",
    "x" * 200,
    "nul\0",
    "a\nb",
    "-rf",
    "~",
]


@pytest.mark.parametrize("name", ["MVI_40201", "M0101", "car-shadow", "cam.1", "0_x"])
def test_plain_names_stay(name: str) -> None:
    assert file_stem(name) == name


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_inside(name: str) -> None:
    out = Path("/out")
    for path in (mask_path(out, name), evidence_path(out, "../" + name, name)):
        assert path.resolve().is_relative_to(out)
        assert len(path.name) < 100
        assert path.suffix == ".h5"
    assert mask_path(out, name).parent == out / "masks"


def test_hostile_names_stay_apart() -> None:
    assert len({file_stem(name) for name in HOSTILE}) == len(HOSTILE)


@given(st.text(), st.text())
def test_two_names_never_share_a_file(one: str, other: str) -> None:
    assert (file_stem(one) == file_stem(other)) == (one == other)
    assert file_stem(file_stem(one)) == file_stem(one) or "--" in file_stem(one)
    assert not file_stem(one).startswith(".")
    assert set(file_stem(one)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def test_names_that_differ_in_letter_case_alone_are_refused() -> None:
    check_names(["a", "b"])
    with pytest.raises(DatasetError, match="'Cam' and 'cam'"):
        check_names(["Cam", "x", "cam"])
