"""The mask stage over a small video: what it stores of each box, and that it stores the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotlabel.labelers.base import EvidenceKind
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.stages.masks import make_masks
from spotlabel.pipeline.store import EvidenceWriter, FrameState, MaskReader, StoreInfo
from spotlabel.pipeline.store.schema import CUE_COLUMNS, OWNER_COLUMNS
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.recipes import tree

NAN = float("nan")


def masks_of(folder: Path, states: list[FrameState], **masks: object) -> MaskReader:
    """Masks of the square of ``recipes.video`` from perfect evidence, of which frame 5 lost most."""
    recipe = build_recipe(tree(folder / "data", folder / "out", "a", length=len(states), masks=masks))
    (item,) = items(recipe)
    annotations = item.sequence.load()
    attributes = {"labeler": "mog2", "labeler_version": 1, "settings": {}}
    info = StoreInfo("a", item.sequence.frames.size, item.sequence.frames.numbers, {}, attributes)
    item.evidence_path.parent.mkdir(parents=True, exist_ok=True)
    with EvidenceWriter.writing(item.evidence_path, info, EvidenceKind.BINARY) as writer:
        for index, state in enumerate(states):
            if state in (FrameState.MISSING, FrameState.UNREADABLE):
                writer.mark(index, state)
                continue
            values = np.zeros(info.size, np.bool_)
            for x0, y0, x1, y1 in annotations.boxes.at(index).astype(int):
                values[y0 : y1 if index != 4 else y0 + 4, x0:x1] = True
            writer.put(index, values, state)
    make_masks(recipe, item, annotations, lambda done, total: None)
    return MaskReader(item.mask_path)


def test_every_box_has_its_row_in_the_quality_table(tmp_path: Path):
    ok = FrameState.OK
    states = [FrameState.WARM_UP, ok, ok, ok, ok, ok, ok, FrameState.UNREADABLE, ok, ok]
    reader = masks_of(tmp_path, states, preset="default", min_blob=0, close=0, median=0)
    quality = reader.quality
    assert list(quality) == ["fill", *CUE_COLUMNS, *OWNER_COLUMNS, "believed"]
    assert {len(column) for column in quality.values()} == {10}
    assert quality["fill"].tolist() == pytest.approx([1, 1, 1, 1, 1 / 3, 1, 1, 0, 1, 1])
    agreement = [NAN, 1, 1, 1, 1 / 3, 1, 1, NAN, 1, 1]
    assert quality["temporal"].tolist() == pytest.approx(agreement, abs=0.01, nan_ok=True)
    assert np.isnan(quality["believability"]).tolist() == [state == FrameState.UNREADABLE for state in states]
    assert quality["believed"].tolist() == [False, *[True] * 3, False, True, True, False, True, True]
    for index, believed in enumerate(quality["believed"]):
        x0, y0, x1, y1 = reader.boxes.at(index)[0].astype(int)
        assert (reader.read(index)[y0:y1, x0:x1] == (1 if believed else 255)).all()


def test_without_a_threshold_of_believability_nothing_becomes_unknown_by_it(tmp_path: Path):
    reader = masks_of(tmp_path, [FrameState.OK] * 6, preset="paper", median=0)
    assert reader.believed.all()
    assert reader.quality["believability"][4] < 0.4
    assert not (reader.read(4) == 255).any()


def test_the_same_masks_are_the_same_file(tmp_path: Path):
    files = [masks_of(tmp_path / name, [FrameState.OK] * 6, preset="default").path for name in ("x", "y")]
    assert files[0].read_bytes() == files[1].read_bytes()
