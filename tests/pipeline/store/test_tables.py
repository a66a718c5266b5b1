"""Tables of stores: a checksum each, looked at whenever one is read; files of before have none."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from spotlabel.labelers.base import EvidenceKind
from spotlabel.pipeline import hashing
from spotlabel.pipeline.errors import DamagedStoreError, StoreError
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import Outcome, run_sequence
from spotlabel.pipeline.running.labelling import label, up_to_date
from spotlabel.pipeline.store import EvidenceReader, EvidenceWriter, FrameState, MaskReader, MaskWriter
from spotlabel.pipeline.store.schema import CUE_COLUMNS, table_crc32
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import Plan, items, plan_item
from tests.helpers.recipes import stores, tree
from tests.helpers.stores import as_version, flip, info, one_box_a_frame, some_masks, write_masks

FRAMES = ["frame", "state", "crc32"]
BOXES = [f"boxes/{name}" for name in ("offsets", "xyxy", "class_id", "track_id", "flags")]
QUALITY = [f"quality/{name}" for name in ("fill", "believed", *CUE_COLUMNS)]


def write_evidence(path: Path) -> Path:
    with EvidenceWriter.writing(path, info(4), EvidenceKind.DISTANCE, neutral=3) as writer:
        for index, frame in enumerate(some_masks()):
            writer.put(index, frame, FrameState.OK)
    return path


def read_tables(reader: EvidenceReader | MaskReader) -> None:
    """All tables, as whoever works with a store reads them."""
    assert len(reader.numbers) == len(reader.state) == len(reader.crc32)
    if isinstance(reader, MaskReader):
        assert len(reader.boxes.xyxy) == len(reader.quality["fill"])


def test_the_checksum_is_of_name_type_shape_and_little_endian_numbers() -> None:
    expected = zlib.crc32(b"boxes/class_id <i2 (2,)\n\x01\x00\x00\x02")
    assert table_crc32("boxes/class_id", np.array([1, 512], "<i2")) == expected
    assert table_crc32("boxes/class_id", np.array([1, 512], ">i2")) == expected
    assert table_crc32("boxes/class_id", np.array([1, 9, 512], "<i2")[::2]) == expected
    assert table_crc32("boxes/track_id", np.array([1, 512], "<i2")) != expected
    assert table_crc32("boxes/class_id", np.array([1, 512], "<u2")) != expected
    assert table_crc32("boxes/class_id", np.array([[1], [512]], "<i2")) != expected
    assert table_crc32("state", np.zeros(0, np.uint8)) == zlib.crc32(b"state |u1 (0,)\n")


def test_every_table_has_a_checksum(tmp_path: Path) -> None:
    evidence = EvidenceReader(write_evidence(tmp_path / "e.h5"))
    masks = MaskReader(write_masks(tmp_path / "m.h5", some_masks()))
    assert evidence.number("schema_version") == 2
    assert masks.number("schema_version") == 3
    for reader, planes in ((evidence, {"evidence"}), (masks, {"foreground", "unknown"})):
        found: set[str] = set()
        reader.file.visititems(
            lambda name, item, found=found: found.add(name) if isinstance(item, h5py.Dataset) else None
        )
        assert set(reader.table_crc32 or {}) == found - planes
    assert set(masks.table_crc32 or {}) == {*FRAMES, *BOXES, *QUALITY}


@pytest.mark.parametrize("name", [*FRAMES, *BOXES, *QUALITY])
def test_a_bit_flipped_after_the_opening_is_found_at_the_read(tmp_path: Path, name: str) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks())
    whole = path.read_bytes()
    with h5py.File(path, "r") as file:
        bits = 8 * file[name].nbytes
    for bit in {0, bits // 3, bits - 1}:
        reader = MaskReader(path)
        assert reader.sequence == "cam/1"
        flip(path, name, bit)
        with pytest.raises(
            DamagedStoreError,
            match=rf"^{re.escape(str(path))}: damaged: checksum of {name} differs.* run `spotlabel label`",
        ) as told:
            read_tables(reader)
        assert "\n" not in str(told.value)
        with path.open("r+b") as file:
            file.write(whole)
    read_tables(MaskReader(path))


@pytest.mark.parametrize("name", FRAMES)
def test_the_tables_of_evidence_are_checked_too(tmp_path: Path, name: str) -> None:
    path = write_evidence(tmp_path / "e.h5")
    flip(path, name, 5)
    with pytest.raises(DamagedStoreError, match=rf"checksum of {name} differs"):
        read_tables(EvidenceReader(path, sealed=True))
    with pytest.raises(DamagedStoreError, match=rf"checksum of {name} differs"):
        EvidenceReader(path, sealed=True).check_frames()


def test_a_column_that_is_no_longer_found_is_damage(tmp_path: Path) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks())
    with h5py.File(path, "r+") as file:
        del file["quality/overlap"]
    with pytest.raises(DamagedStoreError, match=r"damaged: quality/overlap is no part of the file"):
        MaskReader(path, sealed=True).quality  # noqa: B018


def test_a_table_that_reads_back_differently_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = h5py.File.create_dataset

    def failing_disk(file: h5py.File, name: str, *shape: object, **how: object) -> h5py.Dataset:
        if name == "quality/fill":
            how["data"] = np.zeros_like(how["data"])
        return write(file, name, *shape, **how)

    monkeypatch.setattr(h5py.File, "create_dataset", failing_disk)
    with pytest.raises(StoreError, match="checksum of quality/fill differs"):
        write_masks(tmp_path / "m.h5", some_masks())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", [1, 2])
def test_masks_of_older_versions_read_as_they_are(tmp_path: Path, version: int) -> None:
    path = write_masks(tmp_path / "m.h5", some_masks())
    as_version(path, version)
    reader = MaskReader(path)
    read_tables(reader)
    assert reader.table_crc32 is None
    assert reader.fill.tolist() == [0.5] * 4
    assert list(reader.quality) == ["fill", *(CUE_COLUMNS if version == 2 else ()), "believed"]
    reader.check_frames()


def test_evidence_of_version_1_reads_as_it_is(tmp_path: Path) -> None:
    path = write_evidence(tmp_path / "e.h5")
    before = EvidenceReader(path).content
    as_version(path, 1)
    reader = EvidenceReader(path)
    assert (reader.content, reader.table_crc32) == (before, None)
    reader.check_frames()


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Of a labelled video."""
    made = build_recipe(tree(tmp_path / "data", tmp_path / "out", "v", length=4))
    assert not run(made).failed
    return made


def run(recipe: Recipe) -> Outcome:
    return run_sequence(recipe, "v", False, lambda *_: None)


def plan(recipe: Recipe) -> Plan:
    return plan_item(recipe, items(recipe)[0])


def test_stores_of_older_versions_are_fresh_and_left_alone(recipe: Recipe) -> None:
    item = items(recipe)[0]
    for version in (2, 1):
        as_version(item.mask_path, version)
        if version == 1:
            as_version(item.evidence_path, 1)
        before = stores(recipe.out)
        assert plan(recipe).idle
        assert run(recipe).masks == "fresh"
        assert stores(recipe.out) == before


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files keep the seal that was first remembered, as if no time could tell a change."""
    monkeypatch.setattr(hashing, "_RACY_SECONDS", -1.0)
    monkeypatch.setattr(hashing, "_signature", lambda _: [0, 0, 0, 0])


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("name", FRAMES)
def test_a_damaged_table_of_evidence_is_seen_by_a_deep_look_and_made_again_when_it_is_read(
    recipe: Recipe, name: str
) -> None:
    """What the store says of itself is taken for known, as its pixels are, so a plan sees nothing."""
    assert plan(recipe).idle
    sound = stores(recipe.out)
    flip(items(recipe)[0].evidence_path, name, 3)
    assert plan(recipe).idle
    deep = build_recipe({**recipe.tree, "verify": "full"})
    assert plan(deep).evidence.state == State.DAMAGED
    items(recipe)[0].mask_path.unlink()
    assert run(recipe).evidence == "made"
    assert stores(recipe.out) == sound


@pytest.mark.usefixtures("unseen")
def test_a_damaged_box_table_makes_an_idle_video_work(recipe: Recipe) -> None:
    """The seal is taken for checked, so a plan sees nothing; reading the boxes does."""
    assert list(up_to_date(recipe, [plan(recipe)])) == ["v"]
    sound = stores(recipe.out)
    flip(items(recipe)[0].mask_path, "boxes/xyxy", 30)
    assert plan(recipe).idle
    assert up_to_date(recipe, [plan(recipe)]) == {}
    assert [outcome.masks for outcome in label(recipe)] == ["made"]
    assert stores(recipe.out) == sound


@pytest.mark.usefixtures("unseen")
def test_a_damaged_quality_table_met_by_the_second_look_is_made_again(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plan(recipe).idle
    sound = stores(recipe.out)
    flip(items(recipe)[0].mask_path, "quality/believed", 0)
    monkeypatch.setattr("spotlabel.pipeline.stages.second_look.VERSION", 99)  # nothing is remembered of it
    outcome = run(recipe)
    assert outcome.masks == "made"
    assert any("checksum of quality/believed differs" in remark for remark in outcome.remarks)
    assert stores(recipe.out) == sound


def test_a_writer_of_no_frames_has_tables_that_check(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    with MaskWriter.writing(path, info(0, class_names=["car"]), one_box_a_frame(0)):
        pass
    read_tables(MaskReader(path))
