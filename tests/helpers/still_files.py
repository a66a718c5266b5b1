"""Small VOC trees, SBD folders and COCO sets on disk for the tests of still pictures."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

Rows = list[tuple]


def write_picture(path: Path, size: tuple[int, int], seed: int = 0) -> None:
    """A smooth picture of ``size`` (H, W) as JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (3, 4, 3), np.uint8)
    cv2.imwrite(str(path), cv2.resize(small, size[::-1], interpolation=cv2.INTER_LINEAR))


def voc_xml(size: tuple[int, int] | None, objects: Rows) -> str:
    """Objects: (name, xmin, ymin, xmax, ymax[, more elements])."""
    parts = ["<annotation><folder>VOC2007</folder><filename>a.jpg</filename>"]
    if size:
        parts.append(f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>")
    for name, x0, y0, x1, y1, *more in objects:
        corners = f"<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        extra = "".join(more)
        parts.append(f"<object><name>{name}</name>{extra}<bndbox>{corners}</bndbox></object>")
    return "\n".join([*parts, "</annotation>"])


def write_voc(
    root: Path, pictures: dict[str, tuple[tuple[int, int], Rows]], split: str = "test", images: bool = True
) -> Path:
    """A year's folder: size and objects by picture, in this order in ``ImageSets/Main/<split>.txt``."""
    for folder in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for k, (name, (size, objects)) in enumerate(pictures.items()):
        (root / "Annotations" / f"{name}.xml").write_text(voc_xml(size, objects))
        if images:
            write_picture(root / "JPEGImages" / f"{name}.jpg", size, k)
    (root / "ImageSets" / "Main" / f"{split}.txt").write_text("".join(f"{name}\n" for name in pictures))
    return root


def write_palette_png(path: Path, numbers: np.ndarray) -> None:
    """A PNG of palette numbers uint8 (H, W) with VOC's colours, byte by byte."""
    palette = bytearray()
    for number in range(256):
        colour = [0, 0, 0]
        rest, bit = number, 7
        while rest:
            for channel in range(3):
                colour[channel] |= ((rest >> channel) & 1) << bit
            rest, bit = rest >> 3, bit - 1
        palette += bytes(colour)
    height, width = numbers.shape
    rows = b"".join(b"\0" + row.tobytes() for row in numbers.astype(np.uint8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"PLTE", bytes(palette)) + chunk(b"IDAT", zlib.compress(rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b""))


def write_sbd_map(path: Path, field: str, numbers: np.ndarray, categories: list[int] | None = None) -> None:
    """A file as SBD's ``inst`` (with categories) and ``cls`` have them."""
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, object] = {"Segmentation": numbers.astype(np.uint8), "Boundaries": np.zeros((1, 1))}
    if categories is not None:
        content["Categories"] = np.array(categories, np.uint8).reshape(-1, 1)
    savemat(path, {field: content})


def write_coco(path: Path, images: list[dict], annotations: list[dict], names: dict[int, str]) -> Path:
    """An annotations file."""
    categories = [{"id": key, "name": name} for key, name in names.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


COLOURS = {"car": (40, 40, 220), "bus": (220, 200, 40)}
"""BGR of the rectangles that stand for objects."""


def rectangles(names: list[str], seed: int = 0) -> dict[str, tuple[tuple[int, int], Rows]]:
    """Pictures for :func:`write_voc`: a car and a bus each, lying and standing pictures in turns."""
    rng = np.random.default_rng(seed)
    found = {}
    for k, name in enumerate(names):
        height, width = size = ((48, 72), (72, 48))[k % 2]
        objects = []
        for label in COLOURS:
            h, w = (int(side) for side in rng.integers(14, 24, 2))
            x, y = int(rng.integers(1, width - w)), int(rng.integers(1, height - h))
            objects.append((label, x, y, x + w - 1, y + h - 1))
        found[name] = (size, objects)
    return found


def draw_rectangles(path: Path, size: tuple[int, int], objects: Rows) -> np.ndarray:
    """The picture of :func:`rectangles` as a file; the numbers of its objects, uint8 (H, W), from 1."""
    image, numbers = np.full((*size, 3), 110, np.uint8), np.zeros(size, np.uint8)
    for number, (label, x0, y0, x1, y1, *_) in enumerate(objects, 1):
        image[y0 - 1 : y1, x0 - 1 : x1] = COLOURS[label]
        numbers[y0 - 1 : y1, x0 - 1 : x1] = number
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return numbers


def write_rectangles_voc(root: Path, split: str, names: list[str], seed: int = 0) -> None:
    """A VOC year of rectangles."""
    pictures = rectangles(names, seed)
    write_voc(root, pictures, split, images=False)
    for name, (size, objects) in pictures.items():
        draw_rectangles(root / "JPEGImages" / f"{name}.jpg", size, objects)


def write_rectangles_sbd(root: Path, split: str, names: list[str], seed: int = 0) -> None:
    """``benchmark_RELEASE`` of rectangles, with an outline of each object."""
    for name, (size, objects) in rectangles(names, seed).items():
        numbers = draw_rectangles(root / "dataset" / "img" / f"{name}.jpg", size, objects)
        present = np.unique(numbers[numbers > 0])  # one may hide another
        small = np.searchsorted(present, numbers) + 1
        small[numbers == 0] = 0
        kinds = [{"car": 7, "bus": 6}[objects[number - 1][0]] for number in present]
        write_sbd_map(root / "dataset" / "inst" / f"{name}.mat", "GTinst", small, kinds)
    (root / "dataset" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))


def write_rectangles_coco(folder: Path, file: str, images: str, names: list[str], seed: int = 0) -> None:
    """A COCO set of rectangles: ids 10, 20, 30... and categories 3 and 6."""
    rows, annotations = [], []
    ids = {"car": 3, "bus": 6}
    for k, (name, (size, objects)) in enumerate(rectangles(names, seed).items(), 1):
        draw_rectangles(folder / images / f"{name}.jpg", size, objects)
        rows.append({"id": 10 * k, "file_name": f"{name}.jpg", "height": size[0], "width": size[1]})
        for label, x0, y0, x1, y1 in objects:
            box = [x0 - 1, y0 - 1, x1 - x0 + 1, y1 - y0 + 1]
            x, y, w, h = box
            outline = [[x, y, x + w, y, x + w, y + h, x, y + h]]
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": 10 * k, "category_id": ids[label], "bbox": box,
                    "area": w * h, "iscrowd": 0, "segmentation": outline,
                }
            )  # fmt: skip
    write_coco(folder / "annotations" / file, rows, annotations, {3: "car", 6: "bus"})
