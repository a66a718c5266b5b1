"""Small mask stores."""

from __future__ import annotations

import io
import json
from pathlib import Path

import h5py
import numpy as np

from spotlabel.pipeline.boxes import BoxTable
from spotlabel.pipeline.store import FrameState, MaskWriter, StoreInfo, schema
from spotlabel.pipeline.store.seal import seal_file


def info(frames: int, size: tuple[int, int] = (5, 11), **attributes: object) -> StoreInfo:
    return StoreInfo("cam/1", size, np.arange(1, frames + 1), {"frames": "abc"}, attributes)


def one_box_a_frame(frames: int) -> BoxTable:
    return BoxTable(
        np.arange(frames + 1, dtype=np.int64),
        np.tile(np.array([1, 1, 4, 3], np.float32), (frames, 1)),
        np.zeros(frames, np.int16),
        np.arange(frames, dtype=np.int64),
        np.zeros(frames, np.uint8),
    )


def write_masks(path: Path, masks: list[np.ndarray], boxes: BoxTable | None = None) -> Path:
    boxes = boxes or one_box_a_frame(len(masks))
    attributes = {"class_names": ["car"]}
    with MaskWriter.writing(path, info(len(masks), masks[0].shape, **attributes), boxes) as writer:
        for index, mask in enumerate(masks):
            n = len(boxes.at(index))
            writer.put(index, mask, FrameState.OK, np.full(n, 0.5, np.float32), np.ones(n, np.bool_))
    return path


def some_masks(frames: int = 4, size: tuple[int, int] = (5, 11)) -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [random.choice(np.array([0, 1, 255], np.uint8), size) for _ in range(frames)]


def sealed_anew(path: Path) -> None:
    """Seal a store that was changed on purpose; its tables' checksums are made to fit what they hold now."""
    with h5py.File(path, "r+") as file:
        held = json.loads(file.attrs.get(schema.TABLE_CRC, "{}"))
        held = held if isinstance(held, dict) else {}
        kept = {name: file[name] for name in held if isinstance(file.get(name), h5py.Dataset)}
        small = {name: table[:] for name, table in kept.items() if table.nbytes < 1 << 20}
        fitting = {name: schema.table_crc32(name, values) for name, values in small.items()}
        if held:
            file.attrs[schema.TABLE_CRC] = json.dumps({**held, **fitting})
    seal_file(path)


def as_version(path: Path, version: int) -> None:
    """Make a store of this version what an earlier one would have written."""
    with h5py.File(path, "r+") as file:
        name = file.attrs["schema"]
        assert 0 < version < file.attrs["schema_version"]
        file.attrs["schema_version"] = version
        if version < schema.TABLE_CRC_SINCE[name] and schema.TABLE_CRC in file.attrs:
            del file.attrs[schema.TABLE_CRC]
        if name == schema.MASK_SCHEMA and version < 3 and schema.OWNER_CLAIMS in file:
            del file["owners"]
            for column in schema.OWNER_COLUMNS:
                del file[f"{schema.QUALITY}/{column}"]
        if name == schema.MASK_SCHEMA and version < 2:
            for column in schema.CUE_COLUMNS:
                del file[f"{schema.QUALITY}/{column}"]
    seal_file(path)


def flip(path: Path, name: str, bit: int) -> None:
    """Flip a bit of a table where it lies in the file, the seal left as it is."""
    content = bytearray(path.read_bytes())
    with h5py.File(io.BytesIO(content), "r") as file:  # not by its path: HDF5 would share what it has open
        place, values = file[name].id.get_offset(), file[name][:].tobytes()
    assert content[place : place + len(values)] == values
    content[place + bit // 8 % len(values)] ^= 1 << bit % 8
    with path.open("r+b") as file:  # in place: who has it open sees it
        file.write(content)
