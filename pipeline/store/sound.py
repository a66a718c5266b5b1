"""What a store must look like inside, whoever wrote it: a seal tells that bytes are unchanged, not that they
make sense.

Nothing outside the file is ever read in its name (soft and external links, external storage, virtual
datasets), and no size that it claims is believed beyond the bytes that it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spotlabel.labelers.masks.figures import FIGURES, possible
from spotlabel.pipeline.errors import DamagedStoreError, StoreError
from spotlabel.pipeline.store.schema import table_crc32

MAX_SIDE = 1 << 16
"""Pixels along a side of a frame; more are taken for damage."""
MAX_PIXELS = 1 << 29
"""Pixels of a frame, likewise."""
_BOUNDED = frozenset(("fill", "believability", *FIGURES))
"""Columns that tell a share, or who decided."""
_PLAIN = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING)


def damaged(path: Path, problem: str) -> DamagedStoreError:
    """The error of a store that cannot be used, with what to do."""
    return DamagedStoreError(f"{path}: damaged: {problem}; delete it and run `spotlabel label` again")


@contextmanager
def making_sense(path: Path, what: str) -> Iterator[None]:
    """Whatever goes wrong inside while a part of a store is taken for what it should be, in one line.

    Raises:
        DamagedStoreError: names the file and the part.
    """
    try:
        yield
    except StoreError:
        raise
    except KeyError as error:
        raise damaged(path, f"it has no {what}") from error
    except (OSError, ValueError, TypeError, RuntimeError, OverflowError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise damaged(path, f"its {what} cannot be read ({reason})") from error


def own_attribute(file: h5py.File, name: str, path: Path) -> Any:
    """A text or a number that was written as an attribute.

    Args:
        file: an open store.
        name: of the attribute.
        path: for messages.

    Raises:
        DamagedStoreError: there is none, or one of another type: h5py reads some of those into the void.
    """
    with making_sense(path, name):
        attributes = file.attrs
        found = attributes.get_id(name)
        if found.shape != () or found.get_type().get_class() not in _PLAIN:
            raise damaged(path, f"its {name} is neither a text nor a number")
        return attributes[name]


def own_dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """A dataset that lies in the file itself.

    Args:
        file: an open store.
        name: of the dataset, with its groups.
        path: for messages.

    Raises:
        DamagedStoreError: there is none, it is a link, or its bytes lie elsewhere.
    """
    with making_sense(path, name):
        parts, links = name.encode().split(b"/"), file.id.links
        for place in (b"/".join(parts[:end]) for end in range(1, len(parts) + 1)):
            # h5py's own calls take three times as long
            if not links.exists(place) or links.get_info(place).type != h5py.h5l.TYPE_HARD:
                raise damaged(path, f"{name} is no part of the file itself")
        found = h5py.h5o.open(file.id, b"/".join(parts))
        if not isinstance(found, h5py.h5d.DatasetID):
            raise damaged(path, f"{name} holds no numbers")
        facts = found.get_create_plist()
        if facts.get_external_count() or facts.get_layout() == h5py.h5d.VIRTUAL:
            raise damaged(path, f"the numbers of {name} do not lie in the file itself")
        return h5py.Dataset(found)


def own_names(file: h5py.File, group: str, path: Path) -> list[str]:
    """Names in a group that lies in the file itself; errors as :func:`own_dataset`."""
    with making_sense(path, group):
        if not isinstance(file.get(group, getlink=True), h5py.HardLink):
            raise damaged(path, f"{group} is no part of the file itself")
        return list(file[group])


def table(
    file: h5py.File, name: str, dtype: npt.DTypeLike, shape: tuple[int | None, ...], path: Path
) -> npt.NDArray[Any]:
    """All of a small dataset.

    Args:
        file: an open store.
        name: of the dataset.
        dtype: of its numbers.
        shape: expected; None for any number of rows.
        path: for messages.

    Raises:
        DamagedStoreError: it is not there, of another kind, or larger than its bytes in the file.
    """
    dataset = own_dataset(file, name, path)
    with making_sense(path, name):
        fits = len(dataset.shape) == len(shape) and all(
            wanted in (None, found) for found, wanted in zip(dataset.shape, shape, strict=True)
        )
        if dataset.dtype != np.dtype(dtype) or not fits or dataset.id.get_storage_size() < dataset.nbytes:
            raise damaged(path, f"{name} is {dataset.dtype} {dataset.shape}, expected {np.dtype(dtype)}")
        return np.asarray(dataset[:])


def check_table(name: str, values: npt.NDArray[Any], checksums: Mapping[str, object], path: Path) -> None:
    """Compare a table with its checksum.

    Args:
        name: of the dataset.
        values: all of it.
        checksums: of all tables, by name.
        path: for messages.

    Raises:
        DamagedStoreError: it has none, or another.
    """
    if name not in checksums:
        raise damaged(path, f"no checksum of {name}")
    if checksums[name] != table_crc32(name, values):
        raise damaged(path, f"checksum of {name} differs from the one written")


def frame_size(file: h5py.File, path: Path) -> tuple[int, int]:
    """Height and width of the frames.

    Raises:
        DamagedStoreError: they are missing, or no size of a picture.
    """
    with making_sense(path, "size"):
        height, width = (int(own_attribute(file, side, path)) for side in ("height", "width"))
        if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS):
            raise damaged(path, f"a size of {width} x {height} pixels")
        return height, width


def check_offsets(offsets: npt.NDArray[np.int64], rows: int, path: Path, name: str = "boxes") -> None:
    """See that the rows of frames follow one another and are those that there are.

    Args:
        offsets: int64 (T + 1,), first row of each frame and the number of all.
        rows: number of rows.
        path: for messages.
        name: of the tables, for messages.

    Raises:
        DamagedStoreError: they do not.
    """
    if offsets[0] != 0 or offsets[-1] != rows or (np.diff(offsets) < 0).any():
        raise damaged(path, f"{name}/offsets do not divide {rows} rows among the frames")


def check_boxes(xyxy: npt.NDArray[np.float32], size: tuple[int, int], path: Path) -> None:
    """See that boxes are boxes of a picture.

    Args:
        xyxy: float32 (N, 4), pixel edges.
        size: height and width of the frames.
        path: for messages.

    Raises:
        DamagedStoreError: one is not finite, empty, or not inside the frames.
    """
    x0, y0, x1, y1 = xyxy.T
    right = (x0 >= 0) & (x0 < x1) & (x1 <= size[1]) & (y0 >= 0) & (y0 < y1) & (y1 <= size[0])
    if not right.all():
        wrong = xyxy[np.argmin(right)].tolist()
        raise damaged(path, f"a box {wrong} in frames of {size[1]} x {size[0]} pixels")


def check_shares(columns: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    """See that figures of boxes' masks are figures: none is infinite, and what is a share is one.

    Args:
        columns: the quality table, or figures of evidence, by name, each (N,).
        path: for messages.

    Raises:
        DamagedStoreError: names the column.
    """
    for name, column in columns.items():
        if np.isinf(column).any() or (name in _BOUNDED and not possible(name, column)):
            raise damaged(path, f"{name} of a box is no figure of a mask")
