"""Four pictures that a small region-based detector can learn by heart, and how well it has."""

from __future__ import annotations

import numpy as np
import torch

from spotlabel.detector.contract import Batch, Detector
from spotlabel.detector.data.colour import IMAGENET_COLOURS
from spotlabel.detector.evaluation.average_precision import evaluate
from spotlabel.detector.evaluation.matching import match_sequence
from spotlabel.detector.evaluation.records import Detections, Truth
from tests.helpers.regions import batch_of

SIZE, PICTURES, CLASSES, ROWS = 128, 4, 2, 50


def scenes() -> Batch:
    """Noise, and in each picture five bright ellipses with their mask; the tall ones are of class 1."""
    pictures, boxes, classes, masks = [], [], [], []
    row, column = np.mgrid[:SIZE, :SIZE] + 0.5
    for seed in range(PICTURES):
        rng = np.random.default_rng(seed)
        picture = rng.integers(60, 110, (SIZE, SIZE, 3)) / 255
        mask = np.zeros((SIZE, SIZE), bool)
        own = []
        for place in rng.permutation(9)[:5]:
            w, h = rng.integers(14, 36, 2)
            x, y = 42 * (place % 3) + rng.integers(2, 44 - w), 42 * (place // 3) + rng.integers(2, 44 - h)
            inside = ((column - x - w / 2) / (w / 2)) ** 2 + ((row - y - h / 2) / (h / 2)) ** 2 <= 1
            picture[inside] = rng.integers(140, 255, 3) / 255
            mask |= inside
            own.append((x, y, x + w, y + h))
        boxes.append(own)
        classes.append([int(y1 - y0 > x1 - x0) for x0, y0, x1, y1 in own])
        pictures.append((picture - IMAGENET_COLOURS.mean) / IMAGENET_COLOURS.std)
        masks.append(mask)
    image = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32))
    batch = batch_of(image, boxes, classes)
    batch["mask"] = torch.from_numpy(np.stack(masks)[:, None].astype(np.float32))
    return batch


def average_precision(model: Detector, batch: Batch, overlap: float = 0.5) -> float:
    """Mean over the classes of AP at an IoU, by the benchmarks' matcher, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        found = model.find(batch["image"], ROWS)
    model.train()
    frame = np.repeat(np.arange(1, PICTURES + 1), ROWS)
    corners, scores = found.boxes.flatten(0, 1).double().numpy(), found.scores.flatten().double().numpy()
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    figures = []
    for label in range(CLASSES):
        own = batch["present"] & (batch["classes"] == label)
        objects = batch["boxes"][own].double().numpy()
        truth = Truth(
            name="batch",
            frames=PICTURES,
            frame=own.nonzero()[:, 0].numpy() + 1,
            boxes=np.concatenate([objects[:, :2], objects[:, 2:] - objects[:, :2]], axis=1),
        )
        kept = (found.classes.flatten().numpy() == label) & (scores > 0)
        figures.append(
            evaluate([match_sequence(truth, Detections(frame, boxes, scores).select(kept), overlap)]).ap
        )
    return float(np.mean(figures))


def learnt(model: Detector, batch: Batch, most: int, enough: float, check: int = 25) -> float:
    """Train until AP50 is enough, at most ``most`` steps; the last AP50."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    found = 0.0
    for step in range(1, most + 1):
        optimiser.zero_grad()
        model(batch)["total"].backward()
        optimiser.step()
        if step % check == 0:
            found = average_precision(model, batch)
            if found > enough:
                break
    return found
