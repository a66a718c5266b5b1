"""PAWCS on small scenes: what it finds, and what its result must not depend on."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from spotlabel.labelers.base import ClipFrame, Evidence, EvidenceKind
from spotlabel.labelers.pawcs import Pawcs, PawcsDistance, PawcsHeld, PawcsSettings
from spotlabel.labelers.pawcs import model as model_module
from spotlabel.labelers.pawcs.engine import PawcsEngine
from spotlabel.labelers.pawcs.model import (
    HEAD,
    create_words,
    pack_high,
    put_word,
    turn_back_clock,
    weight,
    word_high,
)
from tests.helpers.clips import Replayed

HEIGHT, WIDTH = 64, 96
SQUARE = 20


class Scene(Replayed):
    """A textured background, a bright square that crosses it from frame ``enters`` on; noise all over."""

    def __init__(self, frames: int = 40, enters: int = 20, stops_after: int = 1000, noise: float = 2) -> None:
        rng = np.random.default_rng(1)
        coarse = rng.integers(60, 160, (HEIGHT // 8, WIDTH // 8, 3))
        background = coarse.repeat(8, axis=0).repeat(8, axis=1).astype(float)
        self.frames: list[ClipFrame] = []
        self.truth: list[np.ndarray] = []
        for number in range(frames):
            image = background.copy()
            boxes = np.zeros((0, 4), np.float32)
            truth = np.zeros((HEIGHT, WIDTH), bool)
            if number >= enters:
                x = 10 + 2 * min(number - enters, stops_after)
                truth[20 : 20 + SQUARE, x : x + SQUARE] = True
                image[truth] = (240, 30, 30)
                boxes = np.array([[x, 20, x + SQUARE, 20 + SQUARE]], np.float32)
            image += rng.normal(0, noise, image.shape)
            self.frames.append(ClipFrame(number + 1, np.clip(image, 0, 255).astype(np.uint8), boxes))
            self.truth.append(truth)
        self.size = HEIGHT, WIDTH
        self.step = 1


def label(scene: Scene, labeler: type[Pawcs] = Pawcs, **settings: object) -> list[Evidence]:
    return list(labeler(PawcsSettings.model_validate(settings)).label(scene))


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def test_a_constant_video_gives_empty_masks() -> None:
    scene = Scene(frames=12, enters=1000, noise=0)
    evidence = label(scene)
    assert len(evidence) == 12
    assert not any(item.values.any() for item in evidence)
    assert [item.warm_up for item in evidence] == [True] + [False] * 11


def test_a_moving_square_is_found_and_nothing_else() -> None:
    scene = Scene()
    evidence = label(scene)
    assert not any(item.values.any() for item in evidence[:20])
    scores = [
        overlap(item.values, truth) for item, truth in zip(evidence[22:], scene.truth[22:], strict=True)
    ]
    assert min(scores) > 0.7
    assert np.mean(scores) > 0.8


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_any_number_of_threads_gives_the_same_masks(threads: int) -> None:
    scene = Scene()
    one, several = label(scene, PawcsDistance), label(scene, PawcsDistance, threads=threads)
    for first, second in zip(one, several, strict=True):
        np.testing.assert_array_equal(first.values, second.values)


def test_result_depends_on_the_seed_alone() -> None:
    scene = Scene(frames=26)
    same = [label(scene, PawcsDistance, seed=5), label(scene, PawcsDistance, seed=5)]
    other = label(scene, PawcsDistance, seed=6)
    assert all((a.values == b.values).all() for a, b in zip(*same, strict=True))
    assert any((a.values != b.values).any() for a, b in zip(same[0], other, strict=True))


def test_another_process_gives_the_same_masks() -> None:
    code = (
        "import zlib, tests.labelers.pawcs.test_pawcs_engine as t\n"
        "values = [item.values.tobytes() for item in t.label(t.Scene(frames=26), t.PawcsDistance)]\n"
        "print(zlib.crc32(b''.join(values)))"
    )
    checksums = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True
        ).stdout.strip()
        for _ in range(2)
    }
    assert len(checksums) == 1


def test_distance_evidence_thresholds_to_the_mask() -> None:
    scene = Scene()
    masks, distances = label(scene), label(scene, PawcsDistance)
    assert PawcsDistance.kind is EvidenceKind.DISTANCE
    for mask, distance in zip(masks, distances, strict=True):
        assert distance.values.dtype == np.uint8
        np.testing.assert_array_equal(distance.values > PawcsDistance.neutral, mask.values)


def test_a_higher_distance_threshold_keeps_less() -> None:
    values = label(Scene(), PawcsDistance)[-1].values
    kept = [(values > threshold).sum() for threshold in (64, 128, 192, 250)]
    assert kept == sorted(kept, reverse=True)


def test_what_stands_still_in_a_box_is_kept_by_held_learning() -> None:
    scene = Scene(frames=120, enters=20, stops_after=10)
    held = label(scene, PawcsHeld)[-1].values
    assert overlap(held, scene.truth[-1]) > 0.7
    assert PawcsHeld.uses_boxes
    assert not Pawcs.uses_boxes


def test_a_warm_up_pass_finds_what_moves_in_the_first_frames() -> None:
    scene = Scene(frames=30, enters=0)
    plain, warmed = label(scene), label(scene, warm_up=30, unsure_frames=0)
    assert not plain[0].values.any()
    assert overlap(warmed[0].values, scene.truth[0]) > 0.6
    assert not warmed[0].warm_up


def test_memory_is_that_of_the_formula() -> None:
    engine = PawcsEngine(Scene(frames=1).frames[0].image, PawcsSettings())
    pixels, words, globals_ = HEIGHT * WIDTH, 50, engine.global_count
    per_pixel = 16 * words + 2 + 2 + 8  # words, order record
    per_pixel += 9 * 4 + 7 + 8  # floats, bytes, descriptor
    per_pixel += globals_ + globals_  # own order, one float per four pixels and word
    per_pixel += 8 + 4  # newcomers
    frame = pixels * per_pixel + globals_ * (40 + 4 + 8) + HEIGHT * (8 + 8 * globals_)
    kept_rows = engine.memory - frame  # some rows, not whole frames
    assert 0 < kept_rows < 1000 * WIDTH
    at_detrac = 960 * 540 * (16 * 50 + 12 + 51 + 50 + 12)
    assert at_detrac < 500e6


def test_frames_that_do_not_fit_are_refused() -> None:
    scene = Scene(frames=3)
    scene.frames[2] = ClipFrame(3, np.zeros((HEIGHT, WIDTH + 2, 3), np.uint8), np.zeros((0, 4), np.float32))
    with pytest.raises(ValueError, match=r"frame 3: shape \(64, 98, 3\), expected \(64, 96, 3\)"):
        label(scene)
    with pytest.raises(ValueError, match="8x8 pixels: PAWCS needs sides of at least 16"):
        PawcsEngine(np.zeros((8, 8, 3), np.uint8), PawcsSettings())


def test_turning_back_the_clock_keeps_weights() -> None:
    words = create_words(1, 50)
    limit = model_module.CLOCK_LIMIT
    histories = [
        (10, limit - 5, 40_000),
        (limit - 100, limit - 1, 60),
        (5, 2000, 900),
        (31_000, 45_000, 7000),
    ]
    for index in range(50):
        first, last, count = histories[index % 4]
        put_word(words, 0, index, 0, pack_high(7, first, last, count))
    before = [weight(word_high(words, 0, index), limit, 1000) for index in range(50)]
    turn_back_clock(words, 1000)
    clock = limit - model_module.CLOCK_STEP
    after = [weight(word_high(words, 0, index), clock, 1000) for index in range(50)]
    np.testing.assert_allclose(after, before, rtol=0.01)
    assert words.tail.shape[1] == 2 * (50 - HEAD)


def test_a_change_of_the_whole_scene_refreshes_the_model() -> None:
    dark = [np.full((HEIGHT, WIDTH, 3), 30, np.uint8)] * 30
    bright = [np.full((HEIGHT, WIDTH, 3), (200, 120, 90), np.uint8)] * 60
    engine = PawcsEngine(dark[0], PawcsSettings())
    masks = [engine.apply(image) for image in dark + bright]
    assert masks[31].mean() > 200
    assert not masks[-1].any()
