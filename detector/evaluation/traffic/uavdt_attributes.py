"""What UAVDT says of whole sequences: weather, altitude, camera view, length (Du et al., ECCV 2018)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from spotlabel.detector.evaluation.tables import read_table
from spotlabel.pipeline.errors import DatasetError

ATTRIBUTES = (
    *("daylight", "night", "fog"),
    *("low-alt", "medium-alt", "high-alt"),
    *("front-view", "side-view", "bird-view"),
    "long-term",
)
"""In the order of the ten columns of an attribute file; a sequence may have several views."""

TEST_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "M0203": ("night", "low-alt", "bird-view"),
    "M0205": ("night", "low-alt", "side-view"),
    "M0208": ("daylight", "medium-alt", "front-view"),
    "M0209": ("daylight", "low-alt", "front-view", "side-view", "long-term"),
    "M0403": ("daylight", "medium-alt", "front-view", "side-view"),
    "M0601": ("daylight", "high-alt", "front-view", "side-view"),
    "M0602": ("daylight", "medium-alt", "front-view"),
    "M0606": ("daylight", "medium-alt", "front-view", "side-view"),
    "M0701": ("fog", "high-alt", "bird-view"),
    "M0801": ("daylight", "low-alt", "bird-view"),
    "M0802": ("daylight", "low-alt", "side-view"),
    "M1001": ("night", "medium-alt", "front-view", "long-term"),
    "M1004": ("fog", "medium-alt", "front-view"),
    "M1007": ("night", "medium-alt", "front-view"),
    "M1009": ("fog", "medium-alt", "bird-view"),
    "M1101": ("night", "low-alt", "front-view", "side-view"),
    "M1301": ("daylight", "medium-alt", "front-view"),
    "M1302": ("daylight", "medium-alt", "side-view"),
    "M1303": ("daylight", "low-alt", "side-view"),
    "M1401": ("daylight", "low-alt", "front-view"),
}
"""Attributes of the test sequences, as the toolkit's script for sequence attributes lists them."""


def read_attributes(folder: Path, name: str) -> tuple[str, ...]:
    """Read a sequence's attribute file: one row of ten numbers, 1 where the attribute holds, else 0.

    Args:
        folder: the benchmark's ``M_attr`` folder, or its ``test`` or ``train``.
        name: sequence; the file is ``<name>_attr.txt``, in the folder or one below.

    Raises:
        DatasetError: no such file, or two, or one with other content.
    """
    if not folder.is_dir():
        raise DatasetError.at(folder, "", "no such folder of attribute files")
    # Some of the published files have a space before the underscore.
    pattern = re.compile(rf"{re.escape(name)}\s*_attr\.txt")
    candidates = sorted([*folder.glob("*.txt"), *folder.glob("*/*.txt")])
    files = [path for path in candidates if pattern.fullmatch(path.name)]
    if len(files) != 1:
        problem = f"{len(files) or 'no'} attribute files of {name}, expected one {name}_attr.txt"
        raise DatasetError.at(folder, "", problem, "in the folder itself, in train or in test")
    table = read_table(files[0], len(ATTRIBUTES))
    if len(table) != 1 or not np.isin(table, (0, 1)).all():
        problem = f"expected one row of {len(ATTRIBUTES)} numbers 0 or 1 ({', '.join(ATTRIBUTES)})"
        raise DatasetError.at(files[0], "", problem)
    return tuple(name for name, holds in zip(ATTRIBUTES, table[0].tolist(), strict=True) if holds)


def subsets(names: Iterable[str], attributes: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Sequence names by attribute, in the order of :data:`ATTRIBUTES`; attributes nobody has are left out.

    Args:
        names: sequences to sort; those without attributes are in no subset.
        attributes: of each sequence.
    """
    listed = list(names)
    found = {a: [name for name in listed if a in attributes.get(name, ())] for a in ATTRIBUTES}
    return {attribute: names for attribute, names in found.items() if names}
