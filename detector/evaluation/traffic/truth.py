"""Ground truth in the benchmarks' own numbers, which is what their rules are written for.

The dataset readers of :mod:`spotlabel.pipeline.datasets` clip and move coordinates for training; evaluation
must not.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from spotlabel.detector.evaluation.records import Float64, Truth
from spotlabel.detector.evaluation.tables import read_table, refuse_rows, whole
from spotlabel.detector.evaluation.traffic.uavdt import TEST_LENGTHS
from spotlabel.pipeline.errors import DatasetError

SIDES = ("left", "top", "width", "height")


def read_uavdt_truth(folder: Path, name: str) -> Truth:
    """Read ``<name>_gt_whole.txt`` and ``<name>_gt_ignore.txt``.

    Args:
        folder: the benchmark's ``GT`` folder.
        name: sequence, for example ``M0205``.

    Returns:
        Ground truth with labels ``id``, ``out_of_view``, ``occlusion`` and ``category``. Test sequences have
        the toolkit's length, others end with their last object.

    Raises:
        DatasetError: a file cannot be read or has a bad line.
    """
    path = folder / f"{name}_gt_whole.txt"
    table = read_table(path, 9)
    frame, boxes = whole(path, table, 0, "frame", 1), _sized(path, table[:, 2:6])
    ignore_path = folder / f"{name}_gt_ignore.txt"
    ignore = read_table(ignore_path, 9)
    labels = {"id": 1, "out_of_view": 6, "occlusion": 7, "category": 8}
    return Truth(
        name=name,
        frames=TEST_LENGTHS.get(name, int(frame.max(initial=0))),
        frame=frame,
        boxes=boxes,
        region_frame=whole(ignore_path, ignore, 0, "frame", 1),
        regions=_sized(ignore_path, ignore[:, 2:6]),
        labels={label: whole(path, table, column, label, -1) for label, column in labels.items()},
    )


def read_detrac_truth(path: Path, frames: int, regions: Path | None = None) -> Truth:
    """Read an annotation file of UA-DETRAC.

    Args:
        path: ``MVI_xxxxx.xml`` (or ``_v3.xml``).
        frames: number of frames of the sequence; the file only has those with objects.
        regions: ``MVI_xxxxx_IgR.txt``; by default the ``ignored_region`` of the annotation file.

    Returns:
        Ground truth with the label ``id``; attributes as the file names them.

    Raises:
        DatasetError: a file cannot be read, or an element has no proper numbers.
    """
    root = _parse(path)
    frame: list[int] = []
    ids: list[int] = []
    boxes: list[list[float]] = []
    for node in root.iter("frame"):
        number = _whole(path, node, "num")
        for target in node.iter("target"):
            ids.append(_whole(path, target, "id"))
            frame.append(number)
            boxes.append(_box(path, target.find("box"), f"frame {number}: target {ids[-1]}"))
    ignored = [_box(path, box, "ignored_region") for box in root.iterfind("ignored_region/box")]
    rectangles = np.array(ignored, np.float64).reshape(-1, 4)
    if regions is not None:
        rectangles = _sized(regions, read_table(regions, 4))
    attributes = root.find("sequence_attribute")
    return Truth(
        name=root.get("name") or path.stem,
        frames=frames,
        frame=np.array(frame, np.int64),
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        region_frame=np.zeros(len(rectangles), np.int64),
        regions=rectangles,
        labels={"id": np.array(ids, np.int64)},
        attributes=dict(attributes.attrib) if attributes is not None else {},
    )


def _sized(path: Path, boxes: Float64) -> Float64:
    empty = np.minimum(boxes[:, 2], boxes[:, 3]) <= 0
    refuse_rows(path, empty, lambda row: f"box {boxes[row].tolist()}: width and height must be positive")
    return boxes.copy()


def _parse(path: Path) -> Element:
    try:
        root = parse(path).getroot()
    except OSError as error:
        raise DatasetError.at(path, "", f"cannot be read: {error.strerror or error}") from error
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise DatasetError.at(
            path, "", f"not a usable XML file: {str(error) or type(error).__name__}"
        ) from error
    if root is None or root.tag != "sequence":
        raise DatasetError.at(path, "", "expected a <sequence> element of UA-DETRAC")
    return root


def _whole(path: Path, node: Element, name: str) -> int:
    text = node.get(name, "")
    try:
        return int(text)
    except ValueError:
        raise DatasetError.at(path, f"<{node.tag} {name}={text!r}>", "expected a whole number") from None


def _box(path: Path, node: Element | None, where: str) -> list[float]:
    if node is None:
        raise DatasetError.at(path, where, "has no <box>")
    try:
        box = [float(node.get(side, "")) for side in SIDES]
    except ValueError:
        box = [float("nan")]
    if not (np.isfinite(box).all() and min(box[2:]) > 0):
        found = " ".join(f"{side}={node.get(side)!r}" for side in SIDES)
        raise DatasetError.at(
            path, f"{where}: <box>", f"{found}: expected numbers, width and height positive"
        )
    return box
