"""Samples of still pictures and batches of them: geometry, masks, ignore regions, padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlabel.detector.data.colour import IMAGENET_COLOURS, Colours
from spotlabel.detector.data.stills.picture import Still
from spotlabel.detector.data.stills.sample import StillRules, make_still_sample, scaled_size, stack_stills
from spotlabel.detector.data.views import rng_of

PLAIN = Colours((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def rules(**changes: object) -> StillRules:
    values = {"short": 60, "long": 200, "multiple": 32, "colours": PLAIN, "mirror": False, **changes}
    return StillRules(**values)


def still(
    size=(30, 40), boxes=(), ignore=(), mask: np.ndarray | None = None, image: np.ndarray | None = None
):
    count = len(boxes)
    return Still(
        np.zeros((*size, 3), np.uint8) if image is None else image,
        mask,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.arange(count, dtype=np.int64),
        np.array(ignore, np.float32).reshape(-1, 4),
    )


def sample(picture: Still, seed: int = 0, **changes: object):
    return make_still_sample(picture, rules(**changes), rng_of(seed, 0, 0))


@pytest.mark.parametrize(
    ("size", "short", "long", "expected"),
    [
        ((375, 500), 600, 1000, (600, 800)),
        ((500, 333), 600, 1000, (901, 600)),
        ((540, 960), 600, 1000, (562, 1000)),
        ((480, 640), 800, 1333, (800, 1067)),
        ((427, 640), 800, 1333, (800, 1199)),
        ((100, 1000), 600, 1000, (100, 1000)),
        ((1, 4000), 600, 1000, (1, 1000)),
    ],
)
def test_sizes(size, short, long, expected) -> None:
    assert scaled_size(size, short, long) == expected


def test_boxes_and_masks_scale_edge_onto_edge() -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[10:20, 4:12] = 1
    made = sample(still(boxes=[(4, 10, 12, 20)], mask=mask))
    assert made.image.shape == (60, 80, 3)
    assert made.boxes.tolist() == [[8, 20, 24, 40]]
    inside = made.mask > 0.5
    assert np.argwhere(inside).min(0).tolist() == [20, 8]
    assert np.argwhere(inside).max(0).tolist() == [39, 23]
    assert (made.known == 1).all()
    assert (made.labelled == 1).all()


def mirror_seed(wanted: bool) -> int:
    return next(seed for seed in range(50) if (rng_of(seed, 0, 0).random_sample() < 0.5) == wanted)


def test_a_mirrored_picture_is_the_mirror_of_everything() -> None:
    rng = np.random.default_rng(3)
    mask = rng.choice(np.array([0, 1, 255], np.uint8), (30, 40), p=(0.6, 0.2, 0.2))
    image = rng.integers(0, 256, (30, 40, 3), np.uint8)
    picture = still(boxes=[(4, 10, 12, 20)], ignore=[(30, 2, 37, 9)], mask=mask, image=image)
    plain, turned = sample(picture), sample(picture, mirror_seed(True), mirror=True)
    assert turned.boxes.tolist() == [[80 - 24, 20, 80 - 8, 40]]
    # Bilinear weights come out in another order: a grey level is off at most.
    assert np.abs(turned.image - plain.image[:, ::-1]).max() <= 1.01 / 255
    assert np.abs(turned.mask - plain.mask[:, ::-1]).max() <= 1.01 / 255
    assert np.array_equal(turned.labelled, plain.labelled[:, ::-1])
    assert np.array_equal(turned.known, plain.known[:, ::-1])
    kept = sample(picture, mirror_seed(False), mirror=True)
    assert np.array_equal(kept.image, plain.image)


def test_unknown_pixels_and_ignore_regions() -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[0:4, 0:4] = 255  # outside all boxes
    mask[12:14, 6:8] = 255  # inside one
    made = sample(still(boxes=[(4, 10, 12, 20)], ignore=[(30, 20, 35, 25)], mask=mask))
    assert (made.known[:8, :8] == 0).all()
    assert (made.known[24:28, 12:16] == 0).all()
    assert (made.labelled[24:28, 12:16] == 1).all()
    expected = np.ones((60, 80))
    expected[40:50, 60:70] = 0
    expected[:8, :8] = 0
    assert (made.labelled <= expected).all()
    # Bilinear edges of unknown pixels count as unknown; those of ignore regions are sharp.
    assert (made.labelled != expected).sum() == 9 * 9 - 8 * 8
    assert (made.known[40:50, 60:70] == 1).all()


def test_a_picture_without_mask_says_nothing_about_pixels() -> None:
    made = sample(still(boxes=[(4, 10, 12, 20)], ignore=[(30, 20, 35, 25)]))
    assert (made.known == 0).all()
    assert (made.mask == 0).all()
    assert (made.labelled == 0).sum() == 100
    batch = stack_stills([made], 32)
    assert (batch["known"] == 0).all()
    assert (batch["labelled"] == 0).sum() == 100


def test_colours_and_jitter() -> None:
    image = np.full((30, 40, 3), (10, 100, 200), np.uint8)
    made = sample(still(image=image), colours=IMAGENET_COLOURS)
    expected = (np.array([10, 100, 200]) / 255 - IMAGENET_COLOURS.mean) / IMAGENET_COLOURS.std
    assert np.allclose(made.image, expected, atol=1e-6)
    changed, again = sample(still(image=image), 5, jitter=True), sample(still(image=image), 5, jitter=True)
    assert np.array_equal(changed.image, again.image)
    assert np.abs(changed.image - np.array([10, 100, 200]) / 255).max() > 0.01


def test_batches_have_one_canvas_and_as_many_slots_as_needed() -> None:
    first = sample(still((30, 40), boxes=[(4, 10, 12, 20), (0, 0, 40, 30)], mask=np.ones((30, 40), np.uint8)))
    second = sample(still((40, 30), boxes=[(1, 2, 3, 4)], image=np.full((40, 30, 3), 255, np.uint8)))
    batch = stack_stills([first, second], 32)
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "image": (2, 3, 96, 96), "extent": (2, 2), "boxes": (2, 2, 4), "classes": (2, 2), "present": (2, 2),
        "mask": (2, 1, 96, 96), "known": (2, 1, 96, 96), "labelled": (2, 1, 96, 96),
    }  # fmt: skip
    assert batch["extent"].tolist() == [[60, 80], [80, 60]]
    assert batch["present"].tolist() == [[True, True], [True, False]]
    assert batch["classes"].tolist() == [[0, 1], [0, 0]]
    assert batch["boxes"][1].tolist() == [[2, 4, 6, 8], [0, 0, 0, 0]]
    assert (batch["image"][1, :, :80, :60] == 1).all()
    assert batch["image"][1].sum() == 3 * 80 * 60
    assert batch["mask"][0].sum() == 60 * 80
    assert (batch["known"][0] == 1).all()
    assert not batch["known"][1].any()
    kinds = {name: str(value.dtype) for name, value in batch.items()}
    assert (kinds["extent"], kinds["classes"], kinds["present"]) == (
        "torch.int64",
        "torch.int64",
        "torch.bool",
    )
    assert {kinds[name] for name in ("image", "boxes", "mask", "known", "labelled")} == {"torch.float32"}
    assert stack_stills([sample(still())], 32)["boxes"].shape == (1, 1, 4)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="mask of shape"):
        sample(still(mask=np.zeros((30, 41), np.uint8)))


@settings(max_examples=100)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([32, 128]), st.booleans())
def test_canvases_hold_every_picture(height: int, width: int, multiple: int, mirror: bool) -> None:
    box = (0, 0, width, height)
    made = sample(still((height, width), boxes=[box]), multiple=multiple, mirror=mirror)
    batch = stack_stills([made, sample(still((7, 9)))], multiple)
    canvas = batch["image"].shape[2:]
    h, w = batch["extent"][0].tolist()
    assert all(side % multiple == 0 for side in canvas)
    assert max(h, 60) <= canvas[0] < max(h, 60) + multiple
    assert batch["boxes"][0, 0].tolist() == pytest.approx([0, 0, w, h], abs=1e-4)
    assert min(h, w) <= 60 or max(h, w) <= 200
