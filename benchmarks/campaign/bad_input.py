"""R12 and R13: images cut at every length, annotation files changed at random."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.campaign.bench import Bench
from benchmarks.campaign.result import Result, Tally
from spotlabel.pipeline.boxes import BoxTable, RegionTable
from spotlabel.pipeline.datasets.registry import load_reader
from spotlabel.pipeline.errors import DatasetError, FrameError
from spotlabel.pipeline.frames.decode import decode_image
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Annotations

_HEIGHT, _WIDTH = 40, 60
_HOSTILE = (
    b"nan", b"inf", b"-inf", b"1e400", b"-1e9", b"-1", b"0", b"99999999999999999999", b"1.5", b"\0",
    b"\xff\xfe", b"", b"<", b">", b'"', b",", b"{", b"]", b"&b;", b'<!ENTITY b "c">', b"\n", b"null",
    b"true", b"[]", b"{}",
)  # fmt: skip


def run(bench: Bench) -> Iterator[Result]:
    """Cut images, then three annotation formats."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    logger = logging.getLogger("spotlabel")
    logger.addHandler(logging.NullHandler())  # thousands of warnings are what is wanted here
    logger.propagate = False
    yield _cut_images(bench)
    for form in _FORMS:
        yield _changed_annotations(bench, form)


def _cut_images(bench: Bench) -> Result:
    image = np.random.default_rng(bench.seed).integers(0, 256, (24, 32, 3), np.uint8)
    images = {suffix: _encoded(suffix, image) for suffix in (".jpg", ".png", ".bmp")}
    lengths = [(suffix, length) for suffix, data in images.items() for length in range(len(data))]
    draw = bench.draw("images")
    chosen = sorted(draw.sample(lengths, min(len(lengths), bench.counts.broken_frames)))
    tally = Tally(
        "R12",
        "image files cut short",
        f"JPEG, PNG and BMP cut at {'every length' if len(chosen) == len(lengths) else 'random lengths'}: an "
        "error with the file's name, never an image",
        len(chosen),
    )
    for suffix, length in chosen:
        problems = []
        try:
            decode_image(images[suffix][:length], f"x{suffix}", "refuse")
            problems.append("was taken for an image")
        except FrameError as error:
            problems += [] if f"x{suffix}" in str(error) else [f"names no file: {error}"]
        tally.record(f"{suffix} of {length} bytes", problems)
    return tally.result()


def _encoded(suffix: str, image: npt.NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(suffix, image)
    assert done
    return bytes(data.tobytes())


@dataclass(frozen=True)
class _Form:
    """A small valid dataset: reader, where its images and annotations lie, what the file says."""

    reader: str
    images: str
    annotations: str
    text: str


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
_COCO = {
    "images": [
        {"id": n, "file_name": f"A/{n:06}.jpg", "width": _WIDTH, "height": _HEIGHT} for n in (1, 2, 3)
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "bbox": [1, 2, 10, 20], "category_id": 3, "track_id": 5, "iscrowd": 0},
        {"id": 2, "image_id": 3, "bbox": [50.5, 30.25, 20, 20], "category_id": 7, "iscrowd": 1},
    ],
    "categories": [{"id": 7, "name": "bus"}, {"id": 3, "name": "car"}],
}
_FORMS = (
    _Form("ua-detrac", "DETRAC-Images/A/img{:05}.jpg", "DETRAC-Train-Annotations-XML/A.xml", _XML),
    _Form("mot", "A/img1/{:06}.jpg", "A/gt/gt.txt", _ROWS),
    _Form("coco", "images/A/{:06}.jpg", "boxes.json", json.dumps(_COCO)),
)


def _changed_annotations(bench: Bench, form: _Form) -> Result:
    root, draw = bench.fresh(f"changed-{form.reader}"), bench.draw(form.reader)
    image = _encoded(".jpg", np.full((_HEIGHT, _WIDTH, 3), 90, np.uint8))
    for number in (1, 2, 3):
        path = root / form.images.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
    target = root / form.annotations
    target.parent.mkdir(parents=True, exist_ok=True)
    tally = Tally(
        "R13",
        f"{form.reader} annotations changed at random",
        "bytes changed, cut out, doubled, or replaced by hostile words (nan, 1e400, entities...): "
        "refused in one line that names the file, or read to boxes that are finite, inside the image and not "
        "empty; nothing else",
        bench.counts.broken_annotations,
    )
    refused = 0
    for _ in range(bench.counts.broken_annotations):
        content = _changed(form.text.encode(), draw)
        target.write_bytes(content)
        problems, was_refused = _read(form.reader, root, target)
        refused += was_refused
        tally.record(f"{content!r}" if problems else "", problems)
    return tally.result(f"{refused} refused, {tally.count - refused} still read to valid boxes")


def _changed(content: bytes, draw: random.Random) -> bytes:
    """One to three changes of a file."""
    for _ in range(draw.randint(1, 3)):
        at, length = draw.randrange(len(content) + 1), draw.choice((0, 1, 1, 3, 20))
        piece = draw.choice(
            (bytes([draw.randrange(256)]), draw.choice(_HOSTILE), content[at : at + length] * 2)
        )
        content = content[:at] + piece + content[at + length :]
    return content[: draw.randrange(len(content) + 1)] if draw.random() < 0.1 else content


def _read(name: str, root: Path, target: Path) -> tuple[list[str], bool]:
    """What is wrong with how a changed file was taken, and whether it was refused."""
    reader = load_reader(name)
    try:
        sequences = reader.sequences(root, reader.options_type(), FrameOptions())
        found = [sequence.load() for sequence in sequences]
    except DatasetError as error:
        told = str(error)
        problems = [] if "\n" not in told else [f"more than one line: {told!r}"]
        named = target.name in told or str(root) in told
        return problems + ([] if named else [f"names no file: {told}"]), True
    except Exception as error:
        return [f"{type(error).__name__}: {error}"], False
    return [problem for annotations in found for problem in _invalid(annotations)], False


def _invalid(annotations: Annotations) -> Iterator[str]:
    """Boxes and regions that no reader may hand out."""
    tables: tuple[BoxTable | RegionTable, ...] = (annotations.boxes, annotations.regions)
    for table in tables:
        xyxy = table.xyxy
        if not np.isfinite(xyxy).all():
            yield "a box that is not finite"
        inside = (xyxy >= 0).all() and (xyxy[:, 2] <= _WIDTH).all() and (xyxy[:, 3] <= _HEIGHT).all()
        if not inside or not (xyxy[:, 2:] > xyxy[:, :2]).all():
            yield f"a box outside the image or empty: {xyxy.tolist()}"
