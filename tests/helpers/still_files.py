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
