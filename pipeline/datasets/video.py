"""Video files with a boxes file each, in any form that the other readers know.

Pairs ``name.mp4`` (or another container) and ``name.csv``, ``.txt``, ``.xml`` or ``.json`` in one folder, or
one pair that the options name. The form follows from the boxes file: XML is UA-DETRAC's or CVAT's, JSON is
COCO's, text with a header line is :mod:`spotlabel.pipeline.datasets.csv_rows`, text without one holds MOT
rows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from spotlabel.pipeline.datasets import coco_json, csv_rows, cvat_xml, detrac_xml, mot_rows, sax
from spotlabel.pipeline.datasets.annotated import as_listed
from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.coco import check_sizes
from spotlabel.pipeline.datasets.csv_header import has_header
from spotlabel.pipeline.datasets.known_formats import refuse_known
from spotlabel.pipeline.datasets.layout import OwnDataOptions, entries, folders, paired
from spotlabel.pipeline.datasets.mot import inactive_regions
from spotlabel.pipeline.datasets.native import NativeBoxes, NativeRects
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.datasets.vehicle_types import Vocabulary
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import VideoFile
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

NAME = "video"
VERSION = 1

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".mpg", ".mpeg", ".webm", ".wmv", ".ts")
BOX_SUFFIXES = (".csv", ".txt", ".xml", ".json")

Form = Literal["csv", "mot", "detrac", "cvat", "coco"]
FIRST_FRAME: dict[Form, int] = {"csv": 0, "mot": 1, "detrac": 1, "cvat": 0, "coco": 0}


class VideoOptions(OwnDataOptions):
    """Options of the video reader; paths are relative to the root or absolute."""

    video: Path | None = None
    """One video file; asks for ``boxes``."""
    boxes: Path | None = None
    """The boxes file of ``video``."""
    first_frame: int | None = None
    """What the boxes files call the first frame; if not set 1 in MOT rows and UA-DETRAC
    XML, 0 in CSV, COCO and CVAT XML."""
    classes: dict[int, str] | None = None
    """MOT rows: class names by class id; if not set those of ``labels.txt`` beside, else those of MOT17."""
    inactive: Literal["ignore", "drop"] = "ignore"
    """MOT rows with "consider" 0 become ignore regions, or are left out."""
    vehicle_types: Vocabulary = Vocabulary.ORIGINAL
    """UA-DETRAC XML: how vehicle types become classes."""


@dataclass(frozen=True)
class _Native:
    """Whatever form the boxes file has: its rows, the origin of its coordinates, the frames that it names."""

    origin: float
    boxes: NativeBoxes
    static: tuple[NativeRects, ...] = ()
    per_frame: NativeRects | None = None
    named: tuple[int, ...] | None = None


def list_sequences(
    root: Path, options: ReaderOptions, frame_options: FrameOptions, only: str | None = None
) -> list[Sequence]:
    """Videos that have a boxes file.

    Raises:
        DatasetError: there is none, or only one of ``video`` and ``boxes`` is set. A video with several boxes
            files, or a link that leads nowhere, has a ``problem`` and stops no other.
    """
    assert isinstance(options, VideoOptions)
    if (options.video is None) != (options.boxes is None):
        raise DatasetError.at(root, "", "only one of dataset.video and dataset.boxes is set", "set both")
    base = folders(root, None, "root", ["."])[0]
    if options.video is not None and options.boxes is not None:
        for path in (base / options.video, base / options.boxes):
            if not path.is_file():
                raise DatasetError.at(path, "", "no such file", "named by dataset.video and dataset.boxes")
        return [_sequence(base / options.video, base / options.boxes, options, frame_options)]
    videos = _by_stem(base, VIDEO_SUFFIXES)
    boxes = _by_stem(base, BOX_SUFFIXES)
    if Path(mot_rows.LABELS).stem not in videos:
        boxes.pop(Path(mot_rows.LABELS).stem, None)
    names = paired(
        root, videos, boxes, f"<name>{'|'.join(VIDEO_SUFFIXES)} and <name>{'|'.join(BOX_SUFFIXES)}"
    )

    def sequence(name: str) -> Sequence:
        video, own = _single(videos[name], "videos"), _single(boxes[name], "boxes files")
        return _sequence(video, own, options, frame_options)

    wanted = [name for name in names if only is None or name == only]
    return one_by_one(wanted, f"{NAME} {VERSION}", sequence)


READER = Reader(NAME, VERSION, VideoOptions, list_sequences, finds_one=True)


def _by_stem(base: Path, suffixes: tuple[str, ...]) -> dict[str, list[Path]]:
    """Files, and links that lead nowhere, of every name without its ending."""
    found: dict[str, list[Path]] = {}
    for path in entries(base):
        if path.suffix.lower() in suffixes and not os.path.isdir(path):
            found.setdefault(path.stem, []).append(path)
    return found


def _single(paths: list[Path], what: str) -> Path:
    """The only file of a name, which has to exist."""
    if len(paths) > 1:
        problem = f"several {what} of one name, the other is {paths[0].name}"
        raise DatasetError.at(paths[1], "", problem, "keep one, or set dataset.video and dataset.boxes")
    if not paths[0].exists():
        raise DatasetError.at(paths[0], "", "a link that leads nowhere", "mend it, or remove it")
    return paths[0]


def _sequence(video: Path, boxes: Path, options: VideoOptions, frame_options: FrameOptions) -> Sequence:
    form = _form(boxes)
    first = FIRST_FRAME[form] if options.first_frame is None else options.first_frame
    frames = VideoFile(video, frame_options, first)
    head = detrac_xml.listed_head(boxes) if form == "detrac" else detrac_xml.Head()
    return Sequence(
        name=video.stem,
        frames=frames,
        camera=options.camera or head.camera or Camera.FIXED,
        annotation_files=(boxes, labels) if form == "mot" and (labels := _labels(boxes)) else (boxes,),
        reader=f"{NAME} {_rules(boxes, form)}",
        load=partial(_load, video.stem, boxes, form, frames, options),
        attributes={"weather": head.weather} if head.weather else {},
        names_frames=form in ("coco", "cvat"),
    )


def _rules(boxes: Path, form: Form) -> str:
    """Version of the rules that a boxes file is read by."""
    if form == "coco":
        return coco_json.rules_of(boxes, VERSION)
    return csv_rows.rules_of(boxes, VERSION) if form == "csv" else f"{VERSION}"


def _labels(boxes: Path) -> Path | None:
    """The file of class names beside MOT rows, None if there is none."""
    path = mot_rows.labels_of(boxes)
    return path if path.is_file() and path != boxes else None


def _form(boxes: Path) -> Form:
    if boxes.suffix.lower() == ".xml":
        return _xml_form(boxes)
    refuse_known(boxes)
    if boxes.suffix.lower() == ".json":
        return "coco"
    return "csv" if has_header(boxes) else "mot"


def _xml_form(boxes: Path) -> Form:
    """UA-DETRAC's or CVAT's; refuses what is known to be of no use beside a video.

    A file that cannot be read counts as UA-DETRAC's: loading it will tell what is wrong with it.
    """
    found = sax.outermost(boxes)
    if found == "annotation":
        problem = "is Pascal VOC, which describes one image and no video"
        raise DatasetError.at(boxes, "", problem, "use reader voc with the images, or export CVAT XML")
    return "cvat" if found == cvat_xml.ROOT else "detrac"


def _load(name: str, boxes: Path, form: Form, frames: FrameSource, options: VideoOptions) -> Annotations:
    native = _read(name, boxes, form, frames, options)
    ignore = NativeRects.of_option(options.ignore, native.origin)
    found = build_annotations(
        native.boxes,
        Canvas.of(frames, native.origin, options, numbered=True),
        static=[ignore, *native.static],
        per_frame=native.per_frame,
        named=native.named,
    )
    says = form in ("coco", "cvat") and native.named is not None
    return as_listed(found, boxes) if says and options.annotated is None else found


def _read(name: str, boxes: Path, form: Form, frames: FrameSource, options: VideoOptions) -> _Native:
    if form == "csv":
        return _Native(0.0, csv_rows.read_csv(boxes))
    if form == "mot":
        rows = mot_rows.read_mot(boxes, options.classes)
        return _Native(mot_rows.ORIGIN, rows.boxes, per_frame=inactive_regions(rows, options.inactive))
    if form == "detrac":
        file = detrac_xml.read_detrac(boxes, options.vehicle_types)
        return _Native(detrac_xml.ORIGIN, file.boxes, static=(file.regions,), named=file.frames)
    if form == "cvat":
        cvat = cvat_xml.read_cvat(boxes)
        cvat.check(frames)
        return _Native(cvat_xml.ORIGIN, cvat.boxes, per_frame=cvat.unread, named=cvat.named())
    return _read_coco(name, boxes, frames)


def _read_coco(name: str, boxes: Path, frames: FrameSource) -> _Native:
    """Boxes of a file that describes one video, or several of which one has the video's name."""
    file = coco_json.read_coco(boxes)
    sequences = file.sequences()
    if len(sequences) > 1 and name not in sequences:
        problem = f"describes {len(sequences)} sequences, none of them named {name!r}"
        raise DatasetError.at(boxes, "images", problem, "expected one sequence, or the video's name")
    if not sequences:
        raise DatasetError.at(boxes, "images", "is empty", "expected an entry for every frame with boxes")
    chosen = name if name in sequences else next(iter(sequences))
    check_sizes(file, sequences[chosen], frames)
    rows, crowds = file.boxes(chosen)
    named = tuple(image.frame for image in sequences[chosen])
    return _Native(coco_json.ORIGIN, rows, per_frame=crowds, named=named)
