"""Videos of red cars and recipes that ask a box segmenter of :mod:`tests.helpers.segmenters` about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.helpers.segmenters import segmenter

HEIGHT, WIDTH = 48, 96


def red_video(root: Path, name: str, frames: int = 12, seed: int = 0) -> None:
    """A sequence in MOT layout: a red car drives over noise and out of the image; its box holds a shadow."""
    random = np.random.default_rng(seed)
    images, gt = root / name / "img1", root / name / "gt"
    images.mkdir(parents=True)
    gt.mkdir()
    ground = random.integers(80, 130, (HEIGHT, WIDTH, 3), np.uint8)
    rows = []
    for number in range(1, frames + 1):
        x = 6 * number
        image = ground + random.integers(0, 4, ground.shape, np.uint8)
        image[28:32, x : x + 24] //= 2
        image[12:28, x : x + 24] = (40, 40, 200)
        cv2.imwrite(str(images / f"{number:06}.png"), image)
        width = min(24, WIDTH - x)
        rows.append(f"{number},1,{x + 1},13,{width},20,1,3,1")
    (gt / "gt.txt").write_text("\n".join(rows))


def taught_tree(root: Path, out: Path, *names: str, **teaching: Any) -> dict[str, Any]:
    """A recipe of ``boxbg-student`` with a short training; videos and teacher are made below ``root``."""
    network = root.with_name(f"{root.name}-teacher.onnx")
    if not network.exists():
        root.mkdir(parents=True, exist_ok=True)
        network.write_bytes(segmenter())
    for seed, name in enumerate(names):
        if not (root / name).exists():
            red_video(root, name, seed=seed)
    short = {"size": 64, "steps": 6, "batch": 2, "boxes": 8, **teaching}
    return {
        "data": str(root),
        "out": str(out),
        "dataset": {"reader": "mot"},
        "labeler": "boxbg-student",
        "evidence": {"boxbg-student": {"network": str(network), "teaching": short}},
    }
