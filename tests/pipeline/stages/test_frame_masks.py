"""One frame's mask and owners, made alone, are those that the mask stage stores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spotlabel.labelers.masks import PRESETS, MaskSettings
from spotlabel.labelers.masks.owners import owner_plane
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.sequence import Annotations
from spotlabel.pipeline.stages.frame_masks import MaskSource
from spotlabel.pipeline.stages.masks import make_masks
from spotlabel.pipeline.store import UNKNOWN, EvidenceReader, MaskReader
from spotlabel.pipeline.upkeep.plan import Item, one_item

SCENE = "street"
KERNELS = st.sampled_from([0, 3, 5, 9])


@st.composite
def mask_settings(draw: Any) -> MaskSettings:
    """Any settings that can be meant, every field among them."""
    values = {
        "boxes_first": draw(st.booleans()),
        "box_rounding": draw(st.sampled_from(["cover", "nearest", "truncate"])),
        "box_padding": draw(st.integers(0, 6)),
        "classes": draw(st.sampled_from([None, ("car",), ("van", "truck")])),
        "other_classes": draw(st.sampled_from(["background", "unknown"])),
        "blur": draw(KERNELS),
        "motion_threshold": draw(st.floats(0.1, 8)),
        "distance_threshold": draw(st.one_of(st.none(), st.integers(0, 254))),
        "median": draw(KERNELS),
        "open": draw(KERNELS),
        "close": draw(KERNELS),
        "fill_holes": draw(st.booleans()),
        "min_blob": draw(st.integers(0, 60)),
        "weak_boxes": draw(st.sampled_from(["keep", "unknown"])),
        "min_fill": draw(st.sampled_from([0.0, 0.2, 0.6])),
        "min_believability": draw(st.sampled_from([0.0, 0.4, 0.8])),
        "ignore_regions": draw(st.sampled_from(["unknown", "background"])),
        "warm_up": draw(st.sampled_from(["unknown", "keep"])),
        "owners": {
            "rule": draw(st.sampled_from(["tracks", "lower-edge", "smaller-box", "nearest-edge", "none"])),
            "window": draw(st.integers(0, 15)),
        },
    }
    if values["blur"]:
        values["blur_sigma"] = draw(st.sampled_from([0.0, 1.5]))
    assert values.keys() | {"blur_sigma"} == MaskSettings.model_fields.keys()
    try:
        return MaskSettings.model_validate(values)
    except ValidationError:  # weak boxes that nothing can make weak
        return MaskSettings.model_validate({**values, "weak_boxes": "keep"})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Item, Annotations]:
    """A rendered street with evidence; vehicles overlap and have tracks."""
    scene = {"name": SCENE, "frames": 24, "width": 192, "height": 108, "density": 0.9}
    recipe = build_recipe(
        {
            "out": str(tmp_path_factory.mktemp("frames")),
            "dataset": {"reader": "synthetic", "scenes": [scene]},
            "labeler": "mog2",
            "evidence": {"mog2": {"warm_up_frames": 4}},
        }
    )
    assert not run_sequence(recipe, SCENE, False, lambda *_: None).failed
    item = one_item(recipe, SCENE)
    return recipe, item, item.sequence.load()


@settings(max_examples=25)
@given(rules=mask_settings(), frames=st.sets(st.integers(0, 23), min_size=1, max_size=3))
def test_a_frame_alone_is_what_is_stored(
    made: tuple[Recipe, Item, Annotations], rules: MaskSettings, frames: set[int]
) -> None:
    recipe, item, annotations = made
    tree = {**recipe.tree, "masks": rules.model_dump(mode="json")}
    make_masks(build_recipe(tree), item, annotations, lambda *_: None)
    stored, source = (
        MaskReader(item.mask_path),
        MaskSource(EvidenceReader(item.evidence_path), annotations, rules),
    )
    for index in sorted(frames):
        one = source.one(index)
        assert one is not None
        rows = stored.boxes.rows(index)
        assert np.array_equal(one.mask.mask, stored.read(index))
        assert np.array_equal(one.mask.believability, stored.quality["believability"][rows], equal_nan=True)
        assert np.array_equal(one.mask.believed, stored.believed[rows])
        owners = source.one_with_owners(index, lambda *_: None)
        if rules.owners.rule == "none":
            assert owners is None
            continue
        assert owners is not None
        plane = owner_plane(one.mask.mask, one.claimed.rects, owners.claims, owners.runs)
        assert np.array_equal(plane, stored.owners(index))
    stored.close()


def test_what_progress_counts_is_what_owners_need(made: tuple[Recipe, Item, Annotations]) -> None:
    _, item, annotations = made
    told: list[tuple[int, int]] = []
    source = MaskSource(EvidenceReader(item.evidence_path), annotations, PRESETS["default"])
    source.one_with_owners(5, lambda done, needed: told.append((done, needed)))
    assert told == [(done, 18) for done in range(1, 19)]
    told.clear()
    source.one_with_owners(20, lambda done, needed: told.append((done, needed)))
    assert told[-1] == (24, 24)


def test_a_frame_without_pixels_has_neither_mask_nor_owners(made: tuple[Recipe, Item, Annotations]) -> None:
    _, item, annotations = made
    left_out = np.ones(24, np.bool_)
    left_out[7] = False
    some = Annotations(annotations.boxes, annotations.regions, annotations.class_names, annotated=left_out)
    source = MaskSource(EvidenceReader(item.evidence_path), some, PRESETS["default"])
    assert source.one(7) is None
    assert source.one_with_owners(7, lambda *_: None) is None
    before = source.one(6)
    assert before is not None
    assert not (before.mask.mask == UNKNOWN).all()
