"""Files of a release: they agree on the version, and what they show as code is code that works."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.registry import _misfit
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames.options import FrameOptions
from tests.conftest import ROOT
from tests.helpers.clips import ListClip, run

FENCE = re.compile(r"^```python\n# (\w+)\.py[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"),
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(text("pyproject.toml"))["project"]
    return found


def example(name: str) -> SimpleNamespace:
    """A module of CONTRIBUTING.md, run as it stands there."""
    code = dict(FENCE.findall(text("CONTRIBUTING.md")))[name]
    names: dict[str, Any] = {"__name__": name}
    exec(compile(code, f"CONTRIBUTING.md: {name}.py", "exec"), names)
    return SimpleNamespace(**names)


def test_changelog_and_citation_speak_of_this_version() -> None:
    versions = re.findall(r"^## \[([^\]]+)\]", text("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == project()["version"]
    assert yaml.safe_load(text("CITATION.cff"))["version"] == project()["version"]


def test_the_citation_names_the_four_papers() -> None:
    papers = yaml.safe_load(text("CITATION.cff"))["references"]
    assert len(papers) == 4
    assert all(paper["authors"] and paper["title"] and paper["year"] for paper in papers)
    assert project()["license"] == yaml.safe_load(text("CITATION.cff"))["license"]


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text(page))
    assert not [link for link in links if not (folder / link).exists()]


def test_every_page_is_reached_from_the_readme() -> None:
    """By its name in the README or on another page that is reached."""
    reached, waiting = set(), {"README.md"}
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting |= {other for other in PAGES if Path(other).name in text(page)} - reached
    assert {*PAGES} == reached


def test_the_labeler_of_the_guide_works() -> None:
    made = example("difference")
    assert _misfit("difference", made.Difference) == ""
    assert made.Difference.kind == EvidenceKind.BINARY
    images = [np.full((12, 16, 3), 50, np.uint8) for _ in range(3)]
    images[2][3:6, 4:9] = 200
    evidence = run(made.Difference, ListClip(images))
    assert [e.warm_up for e in evidence] == [True, False, False]
    assert [int(e.values.sum()) for e in evidence] == [0, 0, 15]


def test_the_reader_of_the_guide_works(tmp_path: Path) -> None:
    reader = example("rows").READER
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        for number in (1, 2):
            cv2.imwrite(str(tmp_path / name / f"{number:06}.jpg"), np.zeros((20, 30, 3), np.uint8))
        (tmp_path / name / "boxes.txt").write_text("1 2 3 10 11\n2 25 3 35 11\n")
    found = reader.sequences(tmp_path, reader.options_type(), FrameOptions())
    assert [sequence.name for sequence in found] == ["a", "b"]
    annotations = found[0].load()
    assert annotations.boxes.at(0).tolist() == [[2, 3, 10, 11]]
    assert (annotations.boxes.at(1).tolist(), annotations.clipped) == ([[25, 3, 30, 11]], 1)
    (tmp_path / "a" / "boxes.txt").write_text("7 2 3 10 11\n")
    with pytest.raises(DatasetError, match=r"boxes\.txt: line 1: .*7"):
        found[0].load()


def test_the_detector_of_the_guide_works() -> None:
    family = example("cells").CellsFamily()
    torch.manual_seed(0)
    network = family.build("cells", "none", 2, family.options())
    mask = torch.zeros(2, 1, 32, 48)
    mask[:, :, 8:16, 16:32] = 1
    image = mask.expand(-1, 3, -1, -1).contiguous()
    batch = {"image": image, "mask": mask, "known": torch.ones_like(mask)}
    optimiser = torch.optim.Adam(network.parameters(), 0.05)
    first = network(batch)["total"].item()
    for _ in range(60):
        optimiser.zero_grad()
        network(batch)["total"].backward()
        optimiser.step()
    assert network(batch)["total"].item() < 0.5 * first
    found = network.find(image, 5)
    assert found.boxes.shape == (2, 5, 4)
    assert (found.scores[:, :-1] >= found.scores[:, 1:]).all()
    assert {*map(tuple, found.boxes[0, :2].tolist())} == {(16, 8, 24, 16), (24, 8, 32, 16)}
    assert ((found.classes >= 0) & (found.classes < 2)).all()
