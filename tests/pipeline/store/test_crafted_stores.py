"""Stores that carry a valid seal and make no sense: a clear line, nothing outside the file is read (R31)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from spotlabel.pipeline.cli.verify import verify
from spotlabel.pipeline.errors import DamagedStoreError, OtherStoreError
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import EvidenceReader, MaskReader, schema
from spotlabel.pipeline.store.seal import seal_file
from spotlabel.pipeline.upkeep.freshness import State
from spotlabel.pipeline.upkeep.plan import items, plan_item
from tests.helpers.recipes import tree
from tests.helpers.stores import sealed_anew

SECRET = b"not yours to read, whatever a store says " * 1000


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """The mask store of a labelled video."""
    recipe = build_recipe(tree(tmp_path / "data", tmp_path / "out", "v", length=4))
    assert not run_sequence(recipe, "v", False, lambda *_: None).failed
    (tmp_path / "secret").write_bytes(SECRET)
    return items(recipe)[0].mask_path


def put(name: str, **attributes: object) -> Callable[[h5py.File, Path], None]:
    """Set attributes, or take them away; ``name`` is for the test's name alone."""

    def craft(file: h5py.File, _: Path) -> None:
        for key, value in attributes.items():
            if value is None:
                del file.attrs[key]
            else:
                file.attrs[key] = value

    craft.__name__ = name
    return craft


def replaced(name: str, values: object) -> Callable[[h5py.File, Path], None]:
    def craft(file: h5py.File, _: Path) -> None:
        del file[name]
        if values is not None:
            file[name] = values

    craft.__name__ = f"{name}-replaced"
    return craft


def external_link(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["foreground"] = file["foreground"][:]
    del file["foreground"]
    file["foreground"] = h5py.ExternalLink(str(folder / "other.h5"), "/foreground")


def soft_link(file: h5py.File, _: Path) -> None:
    del file["foreground"]
    file["foreground"] = h5py.SoftLink("/unknown")


def external_storage(file: h5py.File, folder: Path) -> None:
    shape = file["foreground"].shape
    del file["foreground"]
    file.create_dataset("foreground", shape, np.uint8, external=[(str(folder / "secret"), 0, 10_000)])


def virtual(file: h5py.File, folder: Path) -> None:
    shape = file["foreground"].shape
    layout = h5py.VirtualLayout(shape, np.uint8)
    layout[:] = h5py.VirtualSource(str(folder / "secret"), "x", shape)
    del file["foreground"]
    file.create_virtual_dataset("foreground", layout)


def endless_table(file: h5py.File, _: Path) -> None:
    del file["quality/fill"]
    file.create_dataset("quality/fill", (1 << 40,), np.float32, chunks=(1 << 20,))


def row_of(name: str, values: object, column: str) -> Callable[[h5py.File, Path], None]:
    """A table with another first row, and the checksum that fits it."""

    def craft(file: h5py.File, _: Path) -> None:
        table = file[column]
        table[0] = values
        sums = json.loads(file.attrs["table_crc32"])
        file.attrs["table_crc32"] = json.dumps({**sums, column: schema.table_crc32(column, table[:])})

    craft.__name__ = name
    return craft


CRAFTED = [
    put("sequence-of-lists", sequence=np.array([1, 2])),
    row_of("box-not-finite", [1, 1, np.nan, 3], "boxes/xyxy"),
    row_of("box-outside", [1, 1, 900, 3], "boxes/xyxy"),
    row_of("box-empty", [3, 1, 3, 3], "boxes/xyxy"),
    row_of("endless-fill", np.inf, "quality/fill"),
    row_of("fill-above-1", 1.5, "quality/fill"),
    row_of("endless-size", -np.inf, "quality/size"),
    replaced("quality/fill", None),
    put("no-fingerprint", fingerprint=None),
    put("broken-fingerprint", fingerprint="{"),
    put("list-as-fingerprint", fingerprint="[1]"),
    put("deep-fingerprint", fingerprint="[" * 30_000),
    put("negative-size", height=-48),
    put("size-zero", width=0),
    put("huge-size", width=1 << 40),
    put("size-of-text", height="tall"),
    put("other-size", height=96),
    put("no-sequence", sequence=None),
    put("no-classes", class_names=None),
    put("classes-of-numbers", class_names="7"),
    put("no-version", schema_version="new"),
    put("no-checksums", table_crc32=None),
    put("checksums-of-nothing", table_crc32="{}"),
    put("list-as-checksums", table_crc32="[1, 2]"),
    replaced("boxes/offsets", np.array([0, 1, 9999, 3, 4], np.int64)),
    replaced("boxes/xyxy", np.zeros((4, 3), np.float32)),
    replaced("boxes/xyxy", None),
    replaced("boxes/track_id", np.zeros(2, np.int64)),
    replaced("state", np.full(4, 77, np.uint8)),
    replaced("frame", np.array([4, 3, 2, 1], np.int64)),
    replaced("crc32", np.zeros(4, np.float64)),
    replaced("quality/fill", np.zeros(1, np.float32)),
    replaced("foreground", np.zeros((4, 48, 3), np.uint8)),
    replaced("foreground", np.zeros((4, 48, 8), np.float64)),
    external_link,
    soft_link,
    external_storage,
    virtual,
    endless_table,
]


@pytest.mark.parametrize("craft", CRAFTED, ids=lambda craft: craft.__name__)
def test_a_crafted_store_is_a_clear_line(masks: Path, craft: Callable[[h5py.File, Path], None]) -> None:
    with h5py.File(masks, "r+") as file:
        craft(file, masks.parent)
    sealed_anew(masks)
    with pytest.raises(
        DamagedStoreError, match=rf"^{re.escape(str(masks))}: damaged: .* run `spotlabel label`"
    ) as told:
        everything(MaskReader(masks))
    assert "\n" not in str(told.value)
    result = CliRunner().invoke(verify, ["stores", str(masks)])
    assert result.exit_code == 1
    assert f"DAMAGED {masks}: damaged: " in result.stderr
    assert result.stderr.count("\n") == 1


def everything(reader: MaskReader) -> None:
    """Read all that anything of ours reads."""
    assert reader.sequence
    assert reader.fingerprint
    assert len(reader.class_names) >= 0
    assert reader.quality
    reader.check_frames()


def test_a_store_of_another_video_is_not_whole(masks: Path) -> None:
    """Under this name; damage it is none."""
    other = masks.with_name("w.h5")
    masks.rename(other)
    result = CliRunner().invoke(verify, ["stores", str(other)])
    assert result.exit_code == 1
    assert result.stderr == f"DAMAGED {other}: holds 'v', another video; run `spotlabel label` again\n"


def test_a_store_that_does_not_say_who_made_it_is_not_whole(masks: Path) -> None:
    with h5py.File(masks, "r+") as file:
        del file.attrs["labeler"]
    seal_file(masks)
    assert CliRunner().invoke(verify, ["stores", str(masks)]).exit_code == 1


def test_a_damaged_fingerprint_is_damage_for_a_plan_too(masks: Path, tmp_path: Path) -> None:
    with h5py.File(masks, "r+") as file:
        del file.attrs["fingerprint"]
    seal_file(masks)
    recipe = build_recipe(tree(tmp_path / "data", tmp_path / "out", "v", length=4))
    plan = plan_item(recipe, items(recipe)[0])
    assert plan.evidence.state == State.FRESH
    assert plan.masks.state == State.DAMAGED
    assert run_sequence(recipe, "v", False, lambda *_: None).masks == "made"
    assert plan_item(recipe, items(recipe)[0]).idle


def test_a_list_of_lists_where_a_text_should_be_is_never_read(masks: Path) -> None:
    """h5py itself ends the process where it reads one whose bytes are damaged."""
    with h5py.File(masks, "r+") as file:
        lists = np.empty(1, object)
        lists[0] = np.array([1, 2])
        file.attrs.create("sequence", lists, (1,), h5py.vlen_dtype(np.int64))
    seal_file(masks)
    with pytest.raises(DamagedStoreError, match="its sequence is neither a text nor a number"):
        assert MaskReader(masks).sequence


@pytest.mark.parametrize("neutral", [np.nan, -1, 256, 0.5])
def test_an_impossible_neutral_value(masks: Path, tmp_path: Path, neutral: float) -> None:
    (evidence,) = (tmp_path / "out" / "evidence").rglob("v.h5")
    with h5py.File(evidence, "r+") as file:
        file.attrs["neutral"] = neutral
    seal_file(evidence)
    with pytest.raises(DamagedStoreError, match="a neutral value of"):
        assert EvidenceReader(evidence).content


def test_another_kind_of_store_is_one_line(masks: Path) -> None:
    with h5py.File(masks, "r+") as file:
        file.attrs["schema"] = "car\nbus"
    seal_file(masks)
    with pytest.raises(OtherStoreError) as told:
        len(MaskReader(masks))
    assert "\n" not in str(told.value)


def test_a_damaged_heap_of_texts_is_refused_before_the_library_walks_it_for_ever(masks: Path) -> None:
    content = masks.read_bytes()
    at = content.index(b"GCOL\x01\0\0\0") + 16 + 8
    masks.write_bytes(content[:at] + (1 << 40).to_bytes(8, "little") + content[at + 8 :])
    seal_file(masks)
    with pytest.raises(DamagedStoreError, match="the place of its texts makes no sense"):
        len(MaskReader(masks))
