"""The Semantic Boundaries Dataset: object masks of 11,355 pictures of VOC 2011, as MATLAB files.

Hariharan et al., Semantic Contours from Inverse Detectors, ICCV 2011.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spotlabel.detector.data.labelled import ClassMap
from spotlabel.detector.data.stills.picture import FOREGROUND, Float32, Int64, Picture, UInt8
from spotlabel.detector.data.stills.voc_tree import VOC_CLASSES, read_names
from spotlabel.pipeline.errors import DatasetError

Field = Literal["GTinst", "GTcls"]


@dataclass(frozen=True)
class SbdMask:
    """One file of ``inst`` or ``cls``.

    Attributes:
        path: the file.
        field: what it holds: numbers of objects (``GTinst``) or of classes (``GTcls``).
    """

    path: Path
    field: Field

    def read(self, size: tuple[int, int]) -> UInt8:
        """The mask: uint8 (H, W); SBD knows no unknown pixels.

        Raises:
            DatasetError: cannot be read, or is of another size.
        """
        numbers = _map(self.path, self.field, _record(self.path, self.field))
        if numbers.shape != size:
            height, width = numbers.shape
            problem = f"Segmentation has {width} x {height} pixels, but the picture {size[1]} x {size[0]}"
            raise DatasetError.at(self.path, self.field, problem)
        return np.where(numbers > 0, FOREGROUND, np.uint8(0))


@dataclass(frozen=True)
class SbdTree:
    """``benchmark_RELEASE`` or the folder ``dataset`` in it: img, inst, cls, train.txt, val.txt.

    Attributes:
        root: the folder.
    """

    root: Path

    @property
    def folder(self) -> Path:
        """Where the parts are.

        Raises:
            DatasetError: neither ``root`` nor ``root/dataset`` holds them.
        """
        for folder in (self.root / "dataset", self.root):
            if (folder / "inst").is_dir() or (folder / "cls").is_dir():
                return folder
        advice = "set it to benchmark_RELEASE"
        raise DatasetError.at(self.root, "", "expected a folder with dataset/inst or dataset/cls", advice)

    def mask(self, name: str) -> SbdMask | None:
        """Mask of a picture; None if there is none."""
        files = (SbdMask(self.folder / "inst" / f"{name}.mat", "GTinst"),
                 SbdMask(self.folder / "cls" / f"{name}.mat", "GTcls"))  # fmt: skip
        return next((mask for mask in files if mask.path.is_file()), None)


def sbd_pictures(root: Path, split: str, classes: ClassMap) -> list[Picture]:
    """Pictures with the boxes around the objects that SBD outlines; it marks none as difficult.

    Args:
        root: ``benchmark_RELEASE``.
        split: ``train`` or ``val``, or another list beside them.
        classes: the detector's classes; boxes of others are left out.

    Raises:
        DatasetError: the list or a file of ``inst`` cannot be used.
    """
    folder = SbdTree(root).folder
    return [_picture(folder, name, classes) for name in read_names(folder / f"{split}.txt")]


def _picture(folder: Path, name: str, classes: ClassMap) -> Picture:
    path = folder / "inst" / f"{name}.mat"
    record = _record(path, "GTinst")
    numbers = _map(path, "GTinst", record)
    categories = _categories(path, record, int(numbers.max(initial=0)))
    boxes, present = _boxes_around(numbers)
    class_id = classes.indices(VOC_CLASSES)[categories[present - 1] - 1]
    kept = class_id >= 0
    return Picture(
        path=folder / "img" / f"{name}.jpg",
        size=(int(numbers.shape[0]), int(numbers.shape[1])),
        boxes=boxes[kept],
        class_id=class_id[kept],
        ignore=np.zeros((0, 4), np.float32),
        mask=SbdMask(path, "GTinst"),
    )


def _boxes_around(numbers: Int64) -> tuple[Float32, Int64]:
    """Boxes float32 (N, 4) around objects of a map (H, W), and their numbers, int64 (N,)."""
    present = np.unique(numbers[numbers > 0])
    boxes = np.zeros((len(present), 4), np.float32)
    for k, number in enumerate(present.tolist()):
        rows, columns = np.nonzero(numbers == number)
        boxes[k] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return boxes, present


def _record(path: Path, field: Field) -> npt.NDArray[np.void]:
    """The struct in a file, with its fields."""
    if not path.is_file():
        raise DatasetError.at(path, "", "no such file")
    try:
        content = _loadmat()(path, variable_names=[field])
    except DatasetError:
        raise
    except Exception as error:  # loadmat raises whatever its parsing stumbles over
        problem = f"no MATLAB file (version 4 to 7) that can be read: {error}"
        raise DatasetError.at(path, "", " ".join(problem.split()), "restore the file") from error
    found = content.get(field)
    if found is None or found.dtype.names is None or found.size != 1:
        raise DatasetError.at(path, field, "expected one struct of this name")
    return np.asarray(found.reshape(1))


def _loadmat() -> Any:
    try:
        return importlib.import_module("scipy.io").loadmat
    except ImportError as error:
        problem = f"SBD's files need scipy, which cannot be imported: {error}"
        raise DatasetError(f"{problem} (pip install spotlabel[train])") from error


def _map(path: Path, field: Field, record: npt.NDArray[np.void]) -> Int64:
    """``Segmentation`` of a struct: int64 (H, W), 0 or more."""
    values = _whole(path, field, record, "Segmentation")
    if values.ndim != 2 or not values.size:
        problem = f"has shape {values.shape}, expected rows and columns"
        raise DatasetError.at(path, f"{field}.Segmentation", problem)
    if values.min() < 0 or (field == "GTcls" and values.max() > len(VOC_CLASSES)):
        problem = f"holds numbers from {values.min()} to {values.max()}, expected 0 to {len(VOC_CLASSES)}"
        raise DatasetError.at(path, f"{field}.Segmentation", problem)
    return values


def _categories(path: Path, record: npt.NDArray[np.void], objects: int) -> Int64:
    """``Categories`` of a struct: int64 (N,) in 1..20, one for each object."""
    values = _whole(path, "GTinst", record, "Categories").reshape(-1)
    where = "GTinst.Categories"
    if len(values) < objects:
        problem = f"{len(values)} numbers, but Segmentation holds objects up to {objects}"
        raise DatasetError.at(path, where, problem)
    wrong = values[(values < 1) | (values > len(VOC_CLASSES))]
    if len(wrong):
        raise DatasetError.at(path, where, f"class {wrong[0]}, expected 1 to {len(VOC_CLASSES)}")
    return values


def _whole(path: Path, field: Field, record: npt.NDArray[np.void], name: str) -> Int64:
    """An array of whole numbers in a struct, as int64."""
    names = record.dtype.names or ()
    values = np.asarray(record[name][0]) if name in names else None
    if values is None or values.dtype.kind not in "uif" or not (values == np.floor(values)).all():
        found = "is missing" if values is None else f"is of type {values.dtype}"
        raise DatasetError.at(path, f"{field}.{name}", f"{found}, expected whole numbers")
    return values.astype(np.int64)
