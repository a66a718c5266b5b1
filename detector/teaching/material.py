"""What a student is shown: boxes of a lesson with more or less around them, mirrored, cut off, recoloured."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Image = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
UNKNOWN = 128
"""Of the fourth channel: what the other labeler says is not known."""
MARGINS = (0.18, 0.42)
"""So much of a box's side is shown around it, on each side another share."""
CUT_OFF = 0.3
"""Share of whole objects that are cut off by an artificial border of the image."""
LEFT = (0.3, 0.85)
"""So much of a cut box is left."""
UNAIDED = 0.2
"""Share of crops without the other labeler's evidence."""


@dataclass(frozen=True)
class Material:
    """Boxes to learn from, N of them, each in a crop of W x W px.

    Attributes:
        crops: uint8 (N, W, W, 4), BGR and the other labeler's evidence.
        targets: uint8 (N, W, W), probability of the object, 0 to 255.
        weights: uint8 (N, W, W), how far that counts.
        boxes: float32 (N, 4), ``x0, y0, x1, y1`` in pixel edges of the crop.
        images: float32 (N, 4), likewise the image.
        whole: bool (N,), boxes whose targets show a whole object.
    """

    crops: Image
    targets: Image
    weights: Image
    boxes: Float32
    images: Float32
    whole: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shown:
    """A batch of B crops of S x S px.

    Attributes:
        crops: float32 [B, 5, S, S], the student's input.
        targets: float32 [B, S, S] in [0, 1].
        weights: float32 [B, S, S] in [0, 1], 0 outside boxes.
        within: bool [B, S, S], boxes.
        whole: bool [B], whether the target is the whole object.
    """

    crops: Tensor
    targets: Tensor
    weights: Tensor
    within: Tensor
    whole: Tensor


def shown(
    material: Material,
    rows: npt.NDArray[np.intp],
    size: int,
    rng: np.random.Generator,
    *,
    cut_off: float = CUT_OFF,
    unaided: float = UNAIDED,
) -> Shown:
    """Some boxes as a student is to see them once.

    Args:
        material: all boxes.
        rows: which, intp (B,).
        size: S.
        rng: decides how.
        cut_off: share of whole objects that are cut off by an artificial border of the image.
        unaided: share of crops without the other labeler's evidence.
    """
    views = [_view(material, int(row), size, rng, (cut_off, unaided)) for row in rows]
    crops, targets, weights, within = (np.stack(parts) for parts in zip(*views, strict=True))
    return Shown(
        torch.from_numpy(crops),
        torch.from_numpy(targets),
        torch.from_numpy(weights),
        torch.from_numpy(within),
        torch.from_numpy(material.whole[rows]),
    )


def _view(
    material: Material, row: int, size: int, rng: np.random.Generator, shares: tuple[float, float]
) -> tuple[Float32, Float32, Float32, npt.NDArray[np.bool_]]:
    crop, target, weight = material.crops[row], material.targets[row], material.weights[row]
    box, image = material.boxes[row].copy(), material.images[row].copy()
    if material.whole[row] and rng.random() < shares[0]:
        box, image = _cut_off(target, box, image, rng)
    around = rng.uniform(*MARGINS, 4) * np.tile(box[2:] - box[:2], 2)
    window = box + around * [-1, -1, 1, 1]
    flip = bool(rng.random() < 0.5)
    matrix = _to(window, size, flip)
    colours = _warped(_recoloured(crop[..., :3], rng), matrix, size, 0).astype(np.float32) / 255
    evidence = _warped(crop[..., 3], matrix, size, UNKNOWN)
    if rng.random() < shares[1]:
        evidence = np.full_like(evidence, UNKNOWN)
    inside, visible = (_filled(corners, matrix, size) for corners in (box, image))
    colours[~visible] = 0
    evidence = np.where(visible, evidence, UNKNOWN).astype(np.float32)
    planes = np.concatenate([
        (colours[..., ::-1].transpose(2, 0, 1) - 0.5) / 0.25,
        (inside.astype(np.float32) - ~visible)[None],
        np.minimum((evidence - UNKNOWN) / UNKNOWN, 1)[None],
    ])  # fmt: skip
    within = inside & visible
    targets = _warped(target, matrix, size, 0).astype(np.float32) / np.float32(255)
    weights = _warped(weight, matrix, size, 0).astype(np.float32) / np.float32(255)
    return planes.astype(np.float32), targets, weights * within.astype(np.float32), within


def _cut_off(
    target: Image, box: Float32, image: Float32, rng: np.random.Generator
) -> tuple[Float32, Float32]:
    """Box and image as if the image ended within the object; as they were if nothing of it would be left."""
    side, left = int(rng.integers(4)), float(rng.uniform(*LEFT))
    cut, axis = image.copy(), side % 2
    length = (box[axis + 2] - box[axis]) * left
    cut[side] = box[axis + 2] - length if side < 2 else box[axis] + length
    x0, y0, x1, y1 = np.rint([*np.maximum(box[:2], cut[:2]), *np.minimum(box[2:], cut[2:])]).astype(int)
    rows, columns = np.nonzero(target[y0:y1, x0:x1] > 127)
    if not len(rows):
        return box, image
    tight = [x0 + columns.min(), y0 + rows.min(), x0 + columns.max() + 1, y0 + rows.max() + 1]
    return np.array(tight, np.float32), cut


def _to(window: Float32, size: int, flip: bool) -> npt.NDArray[np.float64]:
    """The matrix, (2, 3), from pixel edges of a lesson's crop to those of what is shown."""
    scale = size / (window[2:] - window[:2]).astype(np.float64)
    shift = -window[:2] * scale
    if flip:
        scale[0], shift[0] = -scale[0], size - shift[0]
    return np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])


def _warped(plane: Image, matrix: npt.NDArray[np.float64], size: int, outside: int) -> Image:
    centres = matrix.copy()
    centres[:, 2] += 0.5 * np.diag(matrix[:, :2]) - 0.5
    fill = (outside,) * 4
    warped: Image = cv2.warpAffine(plane, centres, (size, size), flags=cv2.INTER_LINEAR, borderValue=fill)
    return warped


def _filled(corners: Float32, matrix: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.bool_]:
    """Pixels whose centres lie in a box, bool (size, size)."""
    ends = np.sort(corners.reshape(2, 2) * np.diag(matrix[:, :2]) + matrix[:, 2], axis=0)
    centres = np.arange(size) + 0.5
    columns, rows = ((centres >= ends[0, axis]) & (centres < ends[1, axis]) for axis in (0, 1))
    filled: npt.NDArray[np.bool_] = rows[:, None] & columns
    return filled


def _recoloured(colours: Image, rng: np.random.Generator) -> Image:
    """Another light, another white balance, a little blur, a little noise; uint8 (W, W, 3)."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.92, 1.08, 3)
    changed = colours.astype(np.float32) * gain.astype(np.float32) + np.float32(rng.uniform(-20, 20))
    if rng.random() < 0.3:
        changed = cv2.GaussianBlur(changed, (0, 0), float(rng.uniform(0.4, 1.2)))
    if rng.random() < 0.3:
        changed += rng.normal(0, rng.uniform(2, 8), changed.shape).astype(np.float32)
    recoloured: Image = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
    return recoloured
