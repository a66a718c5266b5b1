"""Evidence and mask stores, changed at random, most of them behind a seal that fits."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from benchmarks.fuzz import mutate
from benchmarks.fuzz.annotations import nonsense_of_boxes
from benchmarks.fuzz.kind import Kind, Trial
from spotlabel.labelers.masks.figures import FIGURES, possible
from spotlabel.labelers.masks.owners import NO_OWNER
from spotlabel.pipeline.manual import Correction, Decision, put_manual, read_manual
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import UNKNOWN, EvidenceReader, MaskReader, schema
from spotlabel.pipeline.store.seal import USER_BLOCK, seal_file
from spotlabel.pipeline.upkeep.plan import items, plan_item
from tests.helpers.recipes import tree


def _prepare(masks: bool, labeler: str, folder: Path) -> Trial:
    recipe = build_recipe(tree(folder / "data", folder / "out", "v", length=4, labeler=labeler, evidence={}))
    _overlap(folder / "data" / "v" / "gt" / "gt.txt")
    outcome = run_sequence(recipe, "v", False, lambda *_: None)
    assert not outcome.failed, outcome.error
    (item,) = items(recipe)
    path = item.mask_path if masks else item.evidence_path
    whole = folder / "whole.h5"
    shutil.copyfile(path, whole)
    (folder / "secret").write_bytes(b"not yours to read " * 1000)
    own = whole.read_bytes()
    read = _read_masks if masks else _read_evidence
    assert not read(path)

    def trial(draw: random.Random) -> list[str]:
        _change(path, own, draw)
        plan_item(recipe, item, remember=False)  # never raises: damage is a reason to make it again
        return read(path)

    return trial


_BOXES = 2
"""Of each frame, after :func:`_overlap`."""


def _overlap(boxes: Path) -> None:
    """A second track that claims pixels of the first: only then a store has owners to say."""
    rows = boxes.read_text().splitlines()
    boxes.write_text(
        "\n".join([*rows, *(row.replace(",1,", ",2,", 1).replace(",14,12,", ",9,16,") for row in rows)])
    )


def _change(path: Path, own: bytes, draw: random.Random) -> None:
    way = draw.random()
    if way < 0.15:
        path.write_bytes(mutate.flipped(own, draw) if way < 0.1 else mutate.changed(own, draw))
        return
    if way < 0.45:
        path.write_bytes(mutate.flipped(own, draw, USER_BLOCK))
    else:
        path.write_bytes(own)
        with h5py.File(path, "r+") as file:
            for _ in range(draw.choice((1, 1, 2))):
                draw.choice((_attribute, _attribute, _table, _table, _table, _elsewhere))(
                    file, path.parent, draw
                )
        if draw.random() < 0.8:
            _sum_up(path)
    seal_file(path)


def _sum_up(path: Path) -> None:
    """Checksums that fit the tables, so that what lies behind them is reached."""
    with h5py.File(path, "r+") as file:
        try:
            names = json.loads(file.attrs[schema.TABLE_CRC])
            tables = {name: file[name] for name in names if name in file and file[name].nbytes < 1 << 24}
            made = {name: schema.table_crc32(name, np.asarray(found[()])) for name, found in tables.items()}
            file.attrs[schema.TABLE_CRC] = json.dumps(made)
        except (KeyError, ValueError, TypeError, AttributeError, OSError, RuntimeError, MemoryError):
            return  # nothing to sum up, or no table


def _attribute(file: h5py.File, _: Path, draw: random.Random) -> None:
    """Another value, or none, or a structure with other parts."""
    name = draw.choice(sorted(file.attrs) or ["schema"])
    own = file.attrs.get(name)
    way = draw.randrange(4)
    if way == 0:
        file.attrs.pop(name, None)
        return
    value: Any = draw.choice(mutate.VALUES)
    if isinstance(own, str) and own[:1] in ("{", "[") and way > 1:
        value = json.dumps(mutate.tree(json.loads(own), draw)) if own[-1:] in "}]" else own
    elif isinstance(own, str) and way == 2:
        value = mutate.text(own.encode(), draw).decode("latin-1")
    try:
        file.attrs[name] = value
    except (TypeError, ValueError, OverflowError, OSError, UnicodeEncodeError):  # nothing that HDF5 can hold
        file.attrs[name] = draw.choice((-1, 0, 1 << 40, "", "{", np.nan))


def _table(file: h5py.File, _: Path, draw: random.Random) -> None:
    """A dataset with other numbers, of another shape or type; or one that claims to be huge."""
    names: list[str] = []
    file.visititems(lambda name, thing: names.append(name) if isinstance(thing, h5py.Dataset) else None)
    if not names:
        return
    name = draw.choice(sorted(names))
    own = file[name]
    if own.external or own.is_virtual or own.nbytes >= 1 << 24:  # the change before this one
        return
    values = np.asarray(own[()])
    del file[name]
    way = draw.randrange(8)
    if way == 0:
        return
    if way == 1:
        file.create_dataset(name, (1 << 40, *values.shape[1:]), values.dtype, chunks=True)
    elif way == 2:
        file.create_dataset(name, data=mutate.array(values, draw), chunks=True if values.size else None)
    else:
        file.create_dataset(name, data=mutate.array(values, draw))


def _elsewhere(file: h5py.File, folder: Path, draw: random.Random) -> None:
    """A dataset whose numbers lie in another file or under another name, or a group in its place."""
    names = [name for name in sorted(file) if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    if not names:
        return
    name = draw.choice(names)
    own, secret = file[name], str(folder / "secret")
    plain = isinstance(own, h5py.Dataset) and own.shape and own.size < 1 << 20
    shape = own.shape if plain else (4,)
    del file[name]
    way = draw.randrange(5)
    if way == 0:
        file[name] = h5py.ExternalLink(secret, "/x")
    elif way == 1:
        file[name] = h5py.SoftLink(draw.choice((f"/{name}", "/frame", "/nowhere")))
    elif way == 2:
        file.create_dataset(name, shape, np.uint8, external=[(secret, 0, 1 << 20)])
    elif way == 3:
        layout = h5py.VirtualLayout(shape, np.uint8)
        layout[:] = h5py.VirtualSource(secret, "x", shape)
        file.create_virtual_dataset(name, layout)
    else:
        file.create_group(name).attrs["x"] = 1


def _read_evidence(path: Path) -> list[str]:
    """Everything that the mask stage reads."""
    reader = EvidenceReader(path)
    try:
        reader.check_frames()
        assert reader.content
        problems = [] if reader.neutral == int(reader.neutral) else ["neutral"]
        for index in range(len(reader)):
            for name, figures in reader.figures(index, _BOXES).items():
                if figures.shape != (_BOXES,) or not possible(name, figures):
                    problems.append(f"{name} of frame {index} is {figures.tolist()[:9]}")
            if reader.has_pixels(index) and reader.read(index).shape != reader.size:
                problems.append(f"frame {index} of {reader.read(index).shape}, not {reader.size}")
        return problems
    finally:
        reader.close()


def _read_masks(path: Path) -> list[str]:
    """Everything that training, pictures and measures read."""
    reader = MaskReader(path)
    try:
        reader.check_frames()
        problems = [*nonsense_of_boxes(reader.boxes.xyxy, *reader.size)]
        for name, column in reader.quality.items():
            if np.isinf(column).any() or (name in FIGURES and not possible(name, column)):
                problems.append(f"{name} of a box is {column.tolist()[:9]}")
        if ((reader.fill < 0) | (reader.fill > 1)).any():
            problems.append(f"fill of a box is {reader.fill.tolist()[:9]}")
        for index in range(len(reader)):
            mask = reader.read(index)
            if mask.shape != reader.size or not np.isin(mask, (0, 1, UNKNOWN)).all():
                problems.append(f"frame {index} is no mask")
            elif reader.has_owners and (told := _nonsense_of_owners(reader, index, mask)):
                problems.append(f"owners of frame {index}: {told}")
        return problems
    finally:
        reader.close()


def _nonsense_of_owners(reader: MaskReader, index: int, mask: npt.NDArray[np.uint8]) -> str:
    owners = reader.owners(index)
    if owners.shape != mask.shape or owners.dtype != np.uint16:
        return f"{owners.dtype} {owners.shape}"
    owned = owners != NO_OWNER
    if (owned & (mask != 1)).any():
        return "a pixel that is not foreground has one"
    count = len(reader.boxes.at(index))
    return "" if (owners[owned] < count).all() else f"a row beyond {count}"


def _prepare_manual(folder: Path) -> Trial:
    path = folder / "v.h5"
    box = np.array([1, 2, 9, 8], np.float32)
    plane = np.arange(120).reshape(10, 12) % 7 == 0
    put_manual(
        path,
        "v",
        [
            Correction.of(3, 1, box, plane),
            Correction(4, -1, box, Decision.UNKNOWN),
            Correction(5, 2, box, Decision.BACKGROUND),
        ],
    )
    own = path.read_bytes()
    (folder / "secret").write_bytes(b"not yours to read " * 1000)

    def trial(draw: random.Random) -> list[str]:
        _change(path, own, draw)
        for key, correction in read_manual(path).items():  # each is checked when it is built
            if correction.key != key or replace(correction).vouched.mask.shape != correction.mask.shape:
                return [f"{key} is {correction}"]
        return []

    return trial


_WHAT = (
    "bytes changed, with and without a seal that fits; attributes, tables and planes changed, taken away, "
    "made huge or linked elsewhere behind a seal that fits: refused in one line, or "
)


def _kind(name: str, masks: bool, labeler: str, what: str) -> Kind:
    prepare: Callable[[Path], Trial] = partial(_prepare, masks, labeler)
    return Kind(name, "R31", 1.5, _WHAT + what, prepare)


KINDS = (
    _kind("evidence", False, "mog2", "frames of the size that it says"),
    _kind("evidence-motion", False, "farneback", "frames of the size that it says"),
    _kind("evidence-figures", False, "egoflow-cut", "frames of the size, and figures that boxes can have"),
    _kind("masks-figures", True, "egoflow-cut", "masks of three values, and figures that boxes can have"),
    _kind("masks", True, "mog2",
          "masks of three values, boxes inside the image, and owners among the boxes of the frame"),
    Kind("manual", "R31", 0.5, _WHAT + "corrections that a person can have made", _prepare_manual),
)  # fmt: skip
