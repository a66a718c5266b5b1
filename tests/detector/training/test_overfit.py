"""Every preset learns one batch by heart: the losses, targets, gates and decoder pull in one direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from spotlabel.detector.centernet.decode import decode_outputs
from spotlabel.detector.centernet.gate import GateMode
from spotlabel.detector.centernet.network import CenterNet
from spotlabel.detector.centernet.presets import PRESETS, build_detector
from spotlabel.detector.centernet.targets import batch_targets
from spotlabel.detector.contract import Batch
from spotlabel.detector.data.batches import stack_samples
from spotlabel.detector.data.samples import make_sample
from spotlabel.detector.data.views import letterbox_view
from spotlabel.detector.evaluation.average_precision import evaluate
from spotlabel.detector.evaluation.matching import match_sequence
from spotlabel.detector.evaluation.records import Detections, Truth
from spotlabel.detector.networks.backbone import Backbone
from spotlabel.detector.networks.backbones import build_backbone
from spotlabel.detector.networks.resnet import BasicBlock, ResNet, ResNetSize

torch.set_num_threads(1)

SIZE, IMAGES, CLASSES = 128, 4, 2
STEPS = 300
CHECK = 25


@dataclass(frozen=True)
class Scene:
    """One image: uint8 (S, S, 3), its mask uint8 (S, S), boxes (N, 4) as x0, y0, x1, y1, class (N,)."""

    image: np.ndarray
    mask: np.ndarray
    boxes: np.ndarray
    label: np.ndarray


def scene(seed: int) -> Scene:
    """Noise, and five bright ellipses; the tall ones are of class 1."""
    rng = np.random.default_rng(seed)
    image = rng.integers(60, 110, (SIZE, SIZE, 3)).astype(np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    boxes = []
    row, column = np.mgrid[:SIZE, :SIZE] + 0.5
    for place in rng.permutation(9)[:5]:
        w, h = rng.integers(14, 36, 2)
        x, y = 42 * (place % 3) + rng.integers(2, 44 - w), 42 * (place // 3) + rng.integers(2, 44 - h)
        inside = ((column - x - w / 2) / (w / 2)) ** 2 + ((row - y - h / 2) / (h / 2)) ** 2 <= 1
        image[inside] = rng.integers(140, 255, 3)
        mask[inside] = 1
        boxes.append((x, y, x + w, y + h))
    corners = np.array(boxes, np.float64)
    tall = corners[:, 3] - corners[:, 1] > corners[:, 2] - corners[:, 0]
    return Scene(image, mask, corners, tall.astype(np.int64))


SCENES = [scene(seed) for seed in range(IMAGES)]


def batch() -> Batch:
    """All scenes as they are."""
    view = letterbox_view((SIZE, SIZE), (SIZE, SIZE))
    return stack_samples([make_sample(s.image, s.mask, s.boxes, s.label, view=view) for s in SCENES])


def average_precision(outputs: dict[str, Tensor]) -> float:
    """Mean over classes of AP at IoU 0.7, by the benchmarks' matcher."""
    rows = decode_outputs(outputs).double().numpy()  # (B, 100, 6), boxes in cells
    frame = np.repeat(np.arange(1, IMAGES + 1), rows.shape[1])
    flat = rows.reshape(-1, 6)
    boxes = np.concatenate([flat[:, :2], flat[:, 2:4] - flat[:, :2]], axis=1) * 4
    figures = []
    for label in range(CLASSES):
        kept = [s.boxes[s.label == label] for s in SCENES]
        objects = np.concatenate(kept)
        truth = Truth(
            name="batch",
            frames=IMAGES,
            frame=np.repeat(np.arange(1, IMAGES + 1), [len(k) for k in kept]),
            boxes=np.concatenate([objects[:, :2], objects[:, 2:] - objects[:, :2]], axis=1),
        )
        found = Detections(frame, boxes, flat[:, 4]).select(flat[:, 5] == label)
        figures.append(evaluate([match_sequence(truth, found, 0.7)]).ap)
    return float(np.mean(figures))


def foreground_iou(outputs: dict[str, Tensor], target: Tensor) -> float:
    """IoU of the segmentation with the mask; 1 where the network does not segment."""
    if "seg" not in outputs:
        return 1.0
    found, wanted = outputs["seg"] > 0, target > 0.5
    return float((found & wanted).sum() / (found | wanted).sum())


@dataclass(frozen=True)
class Learnt:
    """What a network knows of the batch in evaluation mode: heatmap loss, AP, IoU, segmentation loss.

    The last is a share of the loss of the best answer that is the same for every pixel; 0 without one.
    """

    hm: float
    ap: float
    iou: float
    seg: float

    def enough(self, segments: bool) -> bool:
        """Far from what a broken network reaches (9, 0, .15); sound ones are here after 50 to 125 steps."""
        told_apart = self.iou > 0.6 if segments else self.seg < 0.7
        return self.hm < 0.15 and self.ap > 0.9 and told_apart


def learnt(model: CenterNet, batch: Batch) -> Learnt:
    model.eval()
    with torch.no_grad():
        last, losses = model.outputs(batch["image"])[-1], model.losses(batch)
    model.train()
    share = batch["mask"].mean()
    constant = -(share * share.log() + (1 - share) * (1 - share).log())
    return Learnt(
        hm=float(losses["hm"]),
        ap=average_precision(last),
        iou=foreground_iou(last, batch["mask"]),
        seg=float(losses["seg"] / constant) if "seg" in losses else 0.0,
    )


def overfit(preset: str, backbone: Backbone) -> int:
    """Train until the batch is learnt; after how many steps it was.

    Where raw logits are factors they need not be above 0 on the foreground: the heatmap is learnt as well
    from either sign, and seed and rounding decide where 0 comes to lie. There the loss is asked for instead.
    """
    segments = PRESETS[preset].gate.mode is not GateMode.MUL_LOGIT
    model = build_detector(preset, backbone, CLASSES)
    learned = batch()
    figures = learnt(model, learned)
    assert not figures.enough(segments)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(1, STEPS + 1):
        optimiser.zero_grad()
        model(learned)["total"].backward()
        optimiser.step()
        if step % CHECK == 0:
            figures = learnt(model, learned)
            if figures.enough(segments):
                return step
    raise AssertionError(f"not learnt in {STEPS} steps: {figures}")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_learns_one_batch(preset: str) -> None:
    torch.manual_seed(0)
    assert overfit(preset, build_backbone("hourglass-tiny")) <= STEPS


def test_a_resnet_learns_one_batch() -> None:
    torch.manual_seed(0)
    thin = ResNet(ResNetSize(BasicBlock, (1, 1, 1, 1)), channels=32)
    assert overfit("centernet", thin) <= STEPS


def test_the_figures_tell_a_wrong_answer() -> None:
    targets = batch_targets(batch(), CLASSES, 4)
    size = SIZE // 4
    nothing = {
        "hm": torch.full((IMAGES, CLASSES, size, size), -10.0),
        "wh": torch.ones(IMAGES, 2, size, size),
        "reg": torch.zeros(IMAGES, 2, size, size),
        "seg": torch.full((IMAGES, 1, SIZE, SIZE), -1.0),
    }
    assert average_precision(nothing) < 0.05
    assert foreground_iou(nothing, targets["seg"]) == 0
    known = {**nothing, "hm": torch.logit(targets["hm"], 1e-6), "seg": targets["seg"] - 0.5}
    for n in range(IMAGES):
        for k in torch.nonzero(targets["mask"][n])[:, 0].tolist():
            row, column = divmod(int(targets["ind"][n, k]), size)
            known["wh"][n, :, row, column] = targets["wh"][n, k]
            known["reg"][n, :, row, column] = targets["reg"][n, k]
    assert average_precision(known) > 0.99
    assert foreground_iou(known, targets["seg"]) == 1
