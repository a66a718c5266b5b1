"""What is kept for a lesson: damage counts as nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.pipeline.stages.answers import keep_arrays, kept_arrays


def test_arrays_come_back_for_what_they_were_made_of(tmp_path: Path) -> None:
    keep_arrays(tmp_path / "a", {"x": np.arange(3)}, "this")
    kept = kept_arrays(tmp_path / "a", "this")
    assert kept is not None
    assert kept["x"].tolist() == [0, 1, 2]
    assert kept_arrays(tmp_path / "a", "that") is None


@pytest.mark.parametrize("content", ["text", "half", "array"])
def test_another_file_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a"
    keep_arrays(path, {"x": np.arange(3)}, "this")
    if content == "half":
        path.write_bytes(path.read_bytes()[:100])
    elif content == "array":
        with path.open("wb") as file:
            np.save(file, np.arange(3))
    else:
        path.write_text("no archive")
    assert kept_arrays(path, "this") is None


@given(bit=st.integers(0))
def test_no_bit_can_be_lost_unseen(tmp_path_factory: pytest.TempPathFactory, bit: int) -> None:
    path = tmp_path_factory.mktemp("kept") / "a"
    keep_arrays(path, {"x": np.arange(3), "y": np.zeros((2, 2), np.uint8)}, "this")
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)
    assert kept_arrays(path, "this") is None
