"""Which videos share a student, by their names alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlabel.pipeline.names import shared_student_path
from spotlabel.pipeline.recipes.sharing import StudentSharing


def camera(expression: str, name: str) -> str | None:
    return StudentSharing(per="camera", camera=expression).group_of(name)


@pytest.mark.parametrize("expression", ["", r"\d*", r"(x)?gate"])
def test_an_empty_text_tells_no_camera(expression: str) -> None:
    assert camera(expression, "gate") is None


def test_cameras_of_several_groups_are_never_taken_for_one_another() -> None:
    groups = [camera("([^/]+)/([^/]+)/", name) for name in ("a-b/c/1", "a/b-c/1", "a-b/c/2")]
    assert None not in groups
    one, other, same = (shared_student_path(Path("out"), "boxbg-student", str(group)) for group in groups)
    assert one != other
    assert one == same


@pytest.mark.parametrize("expression", ["([", "a{99999999999999999999}"])
def test_what_is_no_regular_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="camera: no regular expression: "):
        StudentSharing(per="camera", camera=expression)
