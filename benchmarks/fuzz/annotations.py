"""Annotation files of every reader, changed at random."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.fuzz import mutate
from benchmarks.fuzz.kind import Kind, Trial
from spotlabel.pipeline.boxes import BoxTable, RegionTable
from spotlabel.pipeline.datasets.registry import load_reader
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Sequence

_HEIGHT, _WIDTH = 40, 60
_WHAT = (
    "bytes, numbers, words, lines and JSON values changed, cut out, doubled, or replaced by hostile ones "
    "(nan, 1e400, entities...): refused in one line, or read to boxes that are finite, inside the image and "
    "not empty"
)


@dataclass(frozen=True)
class Form:
    """A small valid dataset.

    Attributes:
        name: for ``--only``.
        reader: that reads it.
        images: places of the images 1 to 3, of their numbers; empty for a video.
        files: what is changed, by place below the root.
        options: of the reader.
    """

    name: str
    reader: str
    images: str
    files: Mapping[str, bytes]
    options: Mapping[str, object] = field(default_factory=dict)


def picture(suffix: str, pixels: npt.NDArray[np.uint8]) -> bytes:
    """Bytes of an image file."""
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return bytes(data.tobytes())


def _truth(left: int) -> bytes:
    pixels = np.zeros((_HEIGHT, _WIDTH), np.uint8)
    pixels[6:14, left : left + 10] = 255
    pixels[20:22, 30:34] = 170
    return picture(".png", pixels)


_XML = """<?xml version="1.0" encoding="utf-8"?>
<sequence name="A">
<sequence_attribute camera_state="stable" sence_weather="cloudy" />
<ignored_region><box left="0.5" top="0.5" width="10" height="5" /></ignored_region>
<frame density="2" num="1"><target_list>
<target id="1"><box left="1.5" top="2.5" width="10" height="20" /><attribute vehicle_type="Sedan" /></target>
<target id="2"><box left="30" top="20" width="90" height="9" /><attribute vehicle_type="Bus" /></target>
</target_list></frame>
<frame density="1" num="3"><target_list>
<target id="1"><box left="4.5" top="2.5" width="10" height="20" /><attribute vehicle_type="Van" /></target>
</target_list></frame>
</sequence>
"""
_ROWS = "1,1,2,3,10,20,1,3,1\n1,2,31,21,90,9,1,3,1\n2,1,4,3,10,20,1,3,0.5\n3,1,6,3,10.5,20.25,1,3,1\n"
_UAVDT = "1,1,2,3,10,20,1,1,1\n3,1,11,3,10,20,2,1,2\n3,2,0,0,5,5,3,4,3\n"
_VISDRONE = "1,0,2,3,10,20,1,4,0,0\n1,1,0,0,5,6,0,0,0,0\n2,0,3,3,10,20,1,4,1,2\n3,5,20,20,9,8,1,11,0,0\n"
_CSV = "frame,x0,y0,x1,y1,class,track\n0,1,2,11,22,car,4\n1,2,3,12,23,car,4\n2,50,30,70,50,bus,\n"
_VOC = (
    "<annotation><folder>x</folder><filename>000001.jpg</filename><size><width>60</width><height>40</height>"
    "<depth>3</depth></size><object><name>car</name><difficult>0</difficult><truncated>1</truncated><bndbox>"
    "<xmin>2</xmin><ymin>3</ymin><xmax>11</xmax><ymax>22</ymax></bndbox></object></annotation>\n"
)
_EDGES = 'xtl="1" ytl="2" xbr="11" ybr="22"'
_CVAT_IMAGES = "<annotations><meta><task><size>3</size></task></meta>{}</annotations>\n".format(
    "".join(
        f'<image id="{n - 1}" name="{n:06}.jpg" width="60" height="40">\n'
        f'<box label="car" occluded="0" {_EDGES}><attribute name="track_id">{n}</attribute></box>\n</image>\n'
        for n in (1, 2, 3)
    )
)
_CVAT_TRACKS = (
    "<annotations><meta><task><size>3</size><start_frame>0</start_frame><stop_frame>2</stop_frame></task></meta>\n"
    + '<track id="0" label="car">\n'
    + "".join(f'<box frame="{n}" outside="{n // 2}" occluded="0" keyframe="1" {_EDGES}/>\n' for n in range(3))
    + "</track>\n</annotations>\n"
)


def _coco(name: str, first: int) -> bytes:
    return json.dumps({
        "images": [{"id": n, "file_name": name.format(n), "width": _WIDTH, "height": _HEIGHT}
                   for n in range(first, first + 3)],
        "annotations": [
            {"id": 1, "image_id": first, "bbox": [1, 2, 10, 20], "category_id": 3, "track_id": 5,
             "iscrowd": 0},
            {"id": 2, "image_id": first + 2, "bbox": [50.5, 30.25, 20, 20], "category_id": 7, "iscrowd": 1},
        ],
        "categories": [{"id": 7, "name": "bus"}, {"id": 3, "name": "car"}],
    }).encode()  # fmt: skip


_SEQINFO = b"[Sequence]\nname=A\nimDir=img1\nframeRate=25\nseqLength=3\nimWidth=60\nimHeight=40\nimExt=.jpg\n"
_GT = {f"groundtruth/gt{n:06}.png": _truth(10 * n) for n in (1, 2, 3)}
_REGION = picture(".bmp", np.full((_HEIGHT, _WIDTH), 255, np.uint8))
FORMS = (
    Form("ua-detrac", "ua-detrac", "DETRAC-Images/A/img{:05}.jpg",
         {"DETRAC-Train-Annotations-XML/A.xml": _XML.encode()}),
    Form("mot", "mot", "A/img1/{:06}.jpg", {"A/gt/gt.txt": _ROWS.encode(), "A/seqinfo.ini": _SEQINFO}),
    Form("annotated", "mot", "A/img1/{:06}.jpg", {"A/gt/gt.txt": _ROWS.encode(), "frames.txt": b"1\n2\n3\n"},
         {"annotated": "frames.txt"}),
    Form("coco", "coco", "images/A/{:06}.jpg", {"boxes.json": _coco("A/{:06}.jpg", 1)}),
    Form("uavdt", "uavdt", "UAV-benchmark-M/M0101/img{:06}.jpg",
         {"UAV-benchmark-MOTD_v1.0/GT/M0101_gt_whole.txt": _UAVDT.encode(),
          "UAV-benchmark-MOTD_v1.0/GT/M0101_gt_ignore.txt": b"2,1,0,0,10,10,1,-1,-1\n"}),
    Form("visdrone", "visdrone", "sequences/A/{:07}.jpg", {"annotations/A.txt": _VISDRONE.encode()}),
    Form("voc", "voc", "JPEGImages/A/{:06}.jpg",
         {f"Annotations/A/{number:06}.xml": _VOC.replace("car", name).encode()
          for number, name in enumerate(("car", "bus", "van"), 1)}),
    Form("yolo", "yolo", "images/A/{:04}.jpg",
         {**{f"labels/A/{n:04}.txt": b"1 0.25 0.5 0.1 0.2\n0 0.5 0.5 1 1 7\n" for n in (1, 2, 3)},
          "data.yaml": b"names: [bus, car]\nnc: 2\n"}),
    Form("cvat", "cvat", "images/{:06}.jpg", {"annotations.xml": _CVAT_IMAGES.encode()}),
    Form("cdnet", "cdnet", "baseline/A/input/in{:06}.jpg",
         {**{f"baseline/A/{place}": content for place, content in _GT.items()},
          "baseline/A/temporalROI.txt": b"1 3", "baseline/A/ROI.bmp": _REGION}),
    Form("sbi", "sbi", "A/input/in{:06}.jpg", {f"A/{place}": content for place, content in _GT.items()}),
    Form("davis", "davis", "JPEGImages/480p/A/{:05}.jpg",
         {f"Annotations/480p/A/{n:05}.png": _truth(10 * n) for n in (1, 2, 3)}),
    Form("video-csv", "video", "", {"road.csv": _CSV.encode()}),
    Form("video-mot", "video", "", {"road.txt": _ROWS.encode()}),
    Form("video-ua-detrac", "video", "", {"road.xml": _XML.encode()}),
    Form("video-coco", "video", "", {"road.json": _coco("frame{:04}.jpg", 0)}),
    Form("video-cvat", "video", "", {"road.xml": _CVAT_TRACKS.encode()}),
)  # fmt: skip


def _prepare(form: Form, root: Path) -> Trial:
    if form.images:
        for number in (1, 2, 3):
            _write(
                root / form.images.format(number),
                picture(".jpg", np.full((_HEIGHT, _WIDTH, 3), 90, np.uint8)),
            )
    else:
        _video(root / "road.avi")
    for place, content in form.files.items():
        _write(root / place, content)
    reader = load_reader(form.reader)
    options = reader.options_type(**form.options)

    def trial(draw: random.Random) -> list[str]:
        place = draw.choice(sorted(form.files))
        own = form.files[place]
        (root / place).write_bytes(_mutated(place, own, draw))
        try:
            sequences = reader.listed(root, options, FrameOptions())
            return [problem for sequence in sequences for problem in _nonsense(sequence)]
        finally:
            (root / place).write_bytes(own)

    untouched = [p for sequence in reader.listed(root, options, FrameOptions()) for p in _nonsense(sequence)]
    assert not untouched, untouched
    return trial


def _mutated(place: str, content: bytes, draw: random.Random) -> bytes:
    if place.endswith((".png", ".bmp")):
        return mutate.flipped(content, draw) if draw.random() < 0.7 else mutate.changed(content, draw)
    if place.endswith(".json") and draw.random() < 0.6:
        return json.dumps(mutate.tree(json.loads(content), draw)).encode()
    return mutate.text(content, draw)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _video(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (_WIDTH, _HEIGHT))
    for grey in (40, 90, 140):
        writer.write(np.full((_HEIGHT, _WIDTH, 3), grey, np.uint8))
    writer.release()


def _nonsense(sequence: Sequence) -> Iterator[str]:
    """What no reader may hand out."""
    found = sequence.load()
    tables: tuple[BoxTable | RegionTable, ...] = (found.boxes, found.regions)
    for table in tables:
        yield from nonsense_of_boxes(table.xyxy, _HEIGHT, _WIDTH)
        if len(table) != len(sequence.frames):
            yield f"{len(table)} frames with boxes, {len(sequence.frames)} images"
    classes = found.boxes.class_id
    if len(classes) and not 0 <= classes.min() <= classes.max() < len(found.class_names):
        yield f"classes {classes.tolist()} of {found.class_names}"
    for marked in (found.listed, found.annotated):
        if marked is not None and (marked.dtype != np.bool_ or len(marked) != len(sequence.frames)):
            yield "marks of frames that are no frames"


def nonsense_of_boxes(xyxy: npt.NDArray[np.float32], height: int, width: int) -> Iterator[str]:
    """Why these are no boxes of a picture of this size."""
    if not np.isfinite(xyxy).all():
        yield "a box that is not finite"
        return
    inside = (xyxy >= 0).all() and (xyxy[:, 2] <= width).all() and (xyxy[:, 3] <= height).all()
    if not inside or not (xyxy[:, 2:] > xyxy[:, :2]).all():
        yield f"a box outside the image or empty: {xyxy.tolist()[:9]}"


KINDS = tuple(Kind(form.name, "R13", 1.0, _WHAT, partial(_prepare, form)) for form in FORMS)
