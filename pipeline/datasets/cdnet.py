"""CDnet 2012/2014 (Wang et al., CVPRW 2014) and SBI2015 (Maddalena and Petrosino, 2015).

Layout: ``<category>/<sequence>/input/in%06d.jpg``, ``groundtruth/gt%06d.png``, ``ROI.bmp``,
``temporalROI.txt``; SBI2015 has no categories, PNG images and frames from 0. The datasets have no boxes: they
are derived from the ground truth (:mod:`spotlabel.pipeline.datasets.derived`), and marked so.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.cdnet_truth import MOVING, UNKNOWN, CdnetTruth
from spotlabel.pipeline.datasets.label_image import scan_labels, subfolders
from spotlabel.pipeline.datasets.layout import can_be_listed, entries, leads_nowhere
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder, scan_images
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Camera, Sequence

IMAGE_NAME = re.compile(r"in(\d+)\.(jpg|jpeg|png|bmp)", re.IGNORECASE)
MOVING_CATEGORY = "PTZ"
VERSION = 2
SBI_VERSION = 3


class CdnetOptions(ReaderOptions):
    """Options of the readers ``cdnet`` and ``sbi``."""

    boxes: Literal["moving", "with-unknown"] = "moving"
    """Pixels whose components get boxes: moving ones (255), as people draw boxes, or unknown ones (170) too,
    which surround objects and often their cast shadows."""
    unusable_truth: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Frame numbers whose ground truth is wrong, by sequence name; treated as frames without ground truth."""


def _sbi_unusable() -> dict[str, tuple[int, ...]]:
    return {"HighwayI": (0,)}


class SbiOptions(CdnetOptions):
    """Options of the reader ``sbi``; the ground truth of HighwayI's first frame is bad."""

    first_truth: Literal["skip", "use"] = "skip"
    """The first ground-truth picture of a sequence: in most it is a copy of the second one or shows specks;
    ``skip`` takes its frame for one without ground truth."""

    unusable_truth: dict[str, tuple[int, ...]] = Field(default_factory=_sbi_unusable)
    """Frame numbers whose ground truth is wrong, by sequence name; treated as frames without ground truth."""


def list_sequences(
    root: Path,
    options: ReaderOptions,
    frame_options: FrameOptions,
    only: str | None = None,
    *,
    reader: Literal["cdnet", "sbi"],
) -> list[Sequence]:
    """Sequences of a dataset root, of one category, or of a single sequence folder.

    Args:
        root: any of the three; a sequence folder is one with a folder ``input``.
        options: a :class:`CdnetOptions`.
        frame_options: how frames are decoded.
        only: name of the only sequence wanted.
        reader: CDnet has categories and always a ``temporalROI.txt``; SBI2015 need not have either.

    Returns:
        Sequences in natural order, named ``<category>/<sequence>``, or ``<sequence>`` where the root is the
        sequence folder itself or (SBI2015) there are no categories.

    Raises:
        DatasetError: no sequence found. One that cannot be listed (no images, a number twice) has a
            ``problem`` and stops no other.
    """
    assert isinstance(options, CdnetOptions)
    sequences = _sequence_folders(root, categories=reader == "cdnet")
    wanted = {name: folder for name, folder in sequences if only is None or name == only}

    def sequence(name: str) -> Sequence:
        return _sequence(name, wanted[name], options, frame_options, reader)

    version = VERSION if reader == "cdnet" else SBI_VERSION
    return one_by_one(wanted, f"{reader} {version}", sequence)


def _sequence_folders(root: Path, *, categories: bool) -> list[tuple[str, Path]]:
    """Name and folder of every sequence."""
    if _is_sequence(root):
        return [(_name(root), root)]
    sequences = []
    for folder in subfolders(root):
        if _is_sequence(folder) or not can_be_listed(folder):
            sequences.append((f"{_name(root)}/{folder.name}" if categories else folder.name, folder))
        else:
            below = [s for s in entries(folder) if _is_sequence(s) or leads_nowhere(s)]
            sequences += [(f"{folder.name}/{s.name}", s) for s in below]
    if not sequences:
        problem = "no sequence found, looked for <category>/<sequence>/input, <sequence>/input and input"
        raise DatasetError.at(root, "", problem)
    return sequences


def _is_sequence(folder: Path) -> bool:
    return (folder / "input").is_dir()


def _name(folder: Path) -> str:
    """Name of a folder that may be given as "." or "../x"; a link keeps its own name."""
    return os.path.basename(os.path.abspath(folder))


def _sequence(
    name: str,
    folder: Path,
    options: CdnetOptions,
    frame_options: FrameOptions,
    reader: Literal["cdnet", "sbi"],
) -> Sequence:
    frames = ImageFolder(scan_images(folder / "input", IMAGE_NAME), frame_options)
    files = scan_labels(folder / "groundtruth", r"gt(\d+)\.png")
    unusable = frozenset(options.unusable_truth.get(name, ()))
    if isinstance(options, SbiOptions) and options.first_truth == "skip" and files:
        unusable |= {min(files)}
    truth = CdnetTruth(
        folder=folder,
        frames=frames,
        files=files,
        beyond=options.beyond,
        unusable=unusable,
        boxed_from=UNKNOWN if options.boxes == "with-unknown" else MOVING,
        temporal_roi="required" if reader == "cdnet" else "optional",
    )
    category = _name(folder / "..") if reader == "cdnet" else ""
    return Sequence(
        name=name,
        frames=frames,
        camera=Camera.MOVING if category == MOVING_CATEGORY else Camera.FIXED,
        annotation_files=truth.annotation_files(),
        reader=f"{reader} {VERSION if reader == 'cdnet' else SBI_VERSION}",
        load=truth.load,
        attributes={"category": category} if category else {},
        derived_boxes=True,
        truth=truth,
    )


READER = Reader("cdnet", VERSION, CdnetOptions, partial(list_sequences, reader="cdnet"), finds_one=True)
SBI_READER = Reader("sbi", SBI_VERSION, SbiOptions, partial(list_sequences, reader="sbi"), finds_one=True)
