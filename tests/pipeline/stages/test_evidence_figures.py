"""Figures of boxes that a labeler gets wrong: told in one line that names it, and nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spotlabel.labelers.base import Clip, Evidence
from spotlabel.labelers.egomotion.egoflow_cut import EgoflowCut
from spotlabel.pipeline.recipes.recipe import load_recipe
from spotlabel.pipeline.stages.evidence import EvidenceError, make_evidence
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.recipes import tree, write


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0.5, 0.5], r"egoflow-cut: frame 1: figure seen of shape \(2,\), the frame has 1 boxes"),
        ([7.0], r"egoflow-cut: frame 1: figure seen of a box is \[7\.0\], expected share"),
    ],
)
def test_a_labelers_wrong_figures_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[float], told: str
) -> None:
    def label(_self: EgoflowCut, clip: Clip) -> Iterator[Evidence]:
        seen = np.array(values, np.float32)
        for _ in clip:
            yield Evidence(
                np.zeros(clip.size, np.bool_), figures={"seen": seen, "flooded": np.zeros_like(seen)}
            )

    monkeypatch.setattr(EgoflowCut, "label", label)
    made = tree(tmp_path / "data", tmp_path / "out", "a", length=2, labeler="egoflow-cut", evidence={})
    recipe = load_recipe(str(write(tmp_path / "r.yaml", made)), ())
    (item,) = items(recipe, ())
    with pytest.raises(EvidenceError, match=told):
        make_evidence(recipe, item, item.sequence.load(), lambda *_: None, lambda *_: None)
    assert not item.evidence_path.exists()
