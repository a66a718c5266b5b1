"""UA-DETRAC: image folders ``MVI_*`` and one XML file per sequence.

Images are ``<root>/<images>/MVI_xxxxx/img00001.jpg``, numbered from 1, or, as the dataset is shared today,
``MVI_xxxxx_img00001.jpg`` in one folder (``images``, or a folder in it such as ``images/train``). Annotations
are ``MVI_xxxxx.xml`` or ``MVI_xxxxx_v3.xml``. Coordinates are floats with 0.5 as the left and top image edge.
Frames without vehicles may be absent from the XML; they have no boxes.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

from spotlabel.pipeline.datasets.base import Reader, ReaderOptions
from spotlabel.pipeline.datasets.build import Canvas, build_annotations
from spotlabel.pipeline.datasets.detrac_xml import ORIGIN, listed_head, read_detrac
from spotlabel.pipeline.datasets.flat_images import flat_images, numbered
from spotlabel.pipeline.datasets.layout import entries, folders, image_folders, paired, subfolders, with_name
from spotlabel.pipeline.datasets.native import NativeRects
from spotlabel.pipeline.datasets.text import read_table
from spotlabel.pipeline.datasets.unusable import one_by_one
from spotlabel.pipeline.datasets.vehicle_types import Vocabulary
from spotlabel.pipeline.errors import DatasetError
from spotlabel.pipeline.frames import ImageFolder, scan_images
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations, Camera, FrameSource, Sequence

logger = logging.getLogger("spotlabel")

NAME = "ua-detrac"
VERSION = 1

IMAGE_NAME = re.compile(r"img(\d+)\.jpg", re.ASCII | re.IGNORECASE)
FLAT_NAME = re.compile(
    r"(?P<sequence>MVI_\d+)_+img(?P<number>\d+)(?:_jpg\.rf\.[0-9a-z]+)?\.jpg", re.ASCII | re.IGNORECASE
)
"""An image that carries the name of its sequence; Roboflow puts a hash behind it."""

_SPLITS = ("Insight-MVT_Annotation_Train", "Insight-MVT_Annotation_Test")
IMAGE_ROOTS = (
    "DETRAC-Images",
    *_SPLITS,
    "DETRAC-Images/DETRAC-Images",
    *(f"{parent}/{split}" for parent in ("DETRAC-train-data", "DETRAC-test-data") for split in _SPLITS),
    "DETRAC-train-data",
    "DETRAC-test-data",
    ".",
)
"""Folders below the root that may hold ``MVI_*``; for a sequence in several, the first counts."""

_XML_FOLDERS = ("DETRAC-Train-Annotations-XML", "DETRAC-Test-Annotations-XML")
XML_ROOTS = (
    *_XML_FOLDERS,
    *(f"{folder}/{folder}" for folder in _XML_FOLDERS),
    *(f"{folder}-v3" for folder in _XML_FOLDERS),
)
REGION_ROOTS = ("ignored_regions", "igrs")


class UaDetracOptions(ReaderOptions):
    """Options of the UA-DETRAC reader; folders are relative to the root or absolute."""

    images: Path | None = None
    """Folder that holds the ``MVI_*`` folders; the usual ones if not set."""
    annotations: Path | None = None
    """Folder of the XML files; the usual ones if not set."""
    ignored_regions: Path | None = None
    """Folder of ``<sequence>_IgR.txt``, read for sequences whose XML has no ``ignored_region``."""
    classes: Vocabulary = Vocabulary.ORIGINAL
    """How vehicle types become classes."""
    camera: Camera | None = None
    """Overrides what the files say of the camera."""
    first_frame: int | None = None
    """What the boxes file calls the first image; if not set, the number in the image's file name."""

    later: ClassVar[tuple[str, ...]] = ("first_frame",)


def list_sequences(
    root: Path, options: ReaderOptions, frame_options: FrameOptions, only: str | None = None
) -> list[Sequence]:
    """Sequences that have both images and an annotation file.

    A sequence that cannot be listed (an image number twice, a folder that cannot be read), or whose
    annotation file has an unusable head, is listed all the same: its ``load`` raises, so that it fails alone.

    Raises:
        DatasetError: there is none, or a folder that an option names does not exist.
    """
    assert isinstance(options, UaDetracOptions)
    images = image_folders(folders(root, options.images, "images", IMAGE_ROOTS), IMAGE_NAME, only)
    annotations = with_name(_xml_files(root, options), only)
    flat = _flat(root, options, images, only)
    looked = f"images in {', '.join(IMAGE_ROOTS)}, annotations in {', '.join(XML_ROOTS)}"
    names = paired(root, {**flat, **images}, annotations, looked)

    def sequence(name: str) -> Sequence:
        files = scan_images(images[name], IMAGE_NAME) if name in images else numbered(name, flat[name])
        frames = ImageFolder(files, frame_options)
        return _sequence(name, frames, annotations[name], _region_file(root, name, options), options)

    return one_by_one(names, f"{NAME} {VERSION}", sequence)


READER = Reader(NAME, VERSION, UaDetracOptions, list_sequences, finds_one=True)


def _flat(
    root: Path, options: UaDetracOptions, images: Mapping[str, Path], only: str | None
) -> dict[str, dict[str, list[tuple[int, Path]]]]:
    """Sequences whose images lie in one folder with others', as far as they have no folder of their own."""
    if only in images:
        return {}
    bases = folders(root, options.images, "images", (*IMAGE_ROOTS, "images"))
    own = {*images.values()}
    places = [place for base in bases for place in (base, *subfolders(base)) if place not in own]
    found = flat_images(dict.fromkeys(places), FLAT_NAME, only)
    return {name: by_folder for name, by_folder in found.items() if name not in images}


def read_regions(path: Path) -> NativeRects:
    """Static ignore regions of a file ``<sequence>_IgR.txt``, rows ``x,y,width,height`` in XML coordinates.

    Raises:
        DatasetError: names line and column.
    """
    return NativeRects.of_table(read_table(path, ("left", "top", "width", "height"), required=4))


def _xml_files(root: Path, options: UaDetracOptions) -> dict[str, Path]:
    """Annotation file of each sequence; the plain name counts before ``_v3``."""
    found: dict[str, Path] = {}
    for base in folders(root, options.annotations, "annotations", XML_ROOTS):
        files = [path for path in entries(base) if path.name.endswith(".xml")]
        for path in sorted(files, key=lambda path: (path.stem.endswith("_v3"), path.name)):
            found.setdefault(path.stem.removesuffix("_v3"), path)
    return found


def _region_file(root: Path, name: str, options: UaDetracOptions) -> Path | None:
    bases = folders(root, options.ignored_regions, "ignored_regions", REGION_ROOTS)
    files = (base / f"{name}_IgR.txt" for base in bases)
    return next((path for path in files if path.is_file()), None)


def _sequence(
    name: str, frames: FrameSource, xml: Path, region_file: Path | None, options: UaDetracOptions
) -> Sequence:
    head = listed_head(xml)
    if head.name and head.name != name:
        logger.warning(
            "%s: names the sequence %r, taken for %r because of its file name", xml, head.name, name
        )
    region_file = None if head.has_regions else region_file
    return Sequence(
        name=name,
        frames=frames,
        camera=options.camera or head.camera or Camera.FIXED,
        annotation_files=(xml, region_file) if region_file else (xml,),
        reader=f"{NAME} {VERSION}",
        load=partial(_load, xml, region_file, frames, options),
        attributes={"weather": head.weather} if head.weather else {},
    )


def _load(xml: Path, region_file: Path | None, frames: FrameSource, options: UaDetracOptions) -> Annotations:
    file = read_detrac(xml, options.classes)
    if file.head.camera is None and options.camera is None:
        problem = "sequence_attribute: camera_state is missing, expected stable or unstable"
        raise DatasetError.at(xml, "", problem, "set dataset.camera=fixed or moving")
    regions = file.regions if region_file is None else read_regions(region_file)
    canvas = Canvas.of(frames, ORIGIN, options, first_frame=options.first_frame, numbered=True)
    return build_annotations(file.boxes, canvas, static=[regions], named=file.frames)
