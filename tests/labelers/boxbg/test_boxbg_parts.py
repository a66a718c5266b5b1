"""The parts of ``boxbg``: samples, medians, registrations, odds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from spotlabel.labelers.base import ClipFrame
from spotlabel.labelers.boxbg.background import fill_unseen, fit_background
from spotlabel.labelers.boxbg.cues import BIN_COUNT, BIN_SHAPE
from spotlabel.labelers.boxbg.median import temporal_median
from spotlabel.labelers.boxbg.odds import LIMIT, BinCounts, log_odds
from spotlabel.labelers.boxbg.registration import Registrar
from spotlabel.labelers.boxbg.samples import OCCLUDED, UNCERTAIN, VISIBLE, collect_samples, visibility_mask
from spotlabel.labelers.boxbg.settings import BoxbgSettings
from tests.conftest import ROOT
from tests.helpers.boxbg_videos import Video
from tests.helpers.clips import texture
from tests.helpers.recipes import environment


@pytest.mark.parametrize(("frames", "most"), [(5, 8), (8, 8), (9, 8), (100, 8), (64, 16)])
def test_samples_are_even_and_bounded(frames: int, most: int) -> None:
    samples = collect_samples(Video(frames=frames), most, margin=2)
    steps = set(np.diff(samples.numbers).tolist())
    assert len(steps) == 1
    assert most / 2 <= len(samples.numbers) <= most or len(samples.numbers) == frames
    assert samples.numbers[0] == 0


class _Holes(Video):
    """A video of which some frames cannot be read."""

    def __init__(self, frames: int, lost: set[int]) -> None:
        super().__init__(frames=frames)
        self._lost = lost

    def __iter__(self) -> Iterator[ClipFrame]:
        return self.sampled(1)

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        return (frame for frame in self.frames[::every] if frame.number not in self._lost)


def test_samples_keep_to_their_places_where_frames_are_lost() -> None:
    samples = collect_samples(_Holes(32, {3, 8, 9}), 8, margin=2)
    assert samples.numbers == [0, 4, 12, 16, 20, 24, 28]


def test_samples_are_found_where_all_that_would_be_taken_are_lost() -> None:
    samples = collect_samples(_Holes(32, set(range(0, 32, 4))), 8, margin=2)
    assert samples.numbers == [1, 6, 11, 17, 22, 27]
    assert not collect_samples(_Holes(9, set(range(9))), 4, margin=2).numbers


def test_visibility_mask() -> None:
    image = np.zeros((10, 12, 3), np.uint8)
    boxes = np.array([[2, 3, 5, 6]], np.float32)
    regions = np.array([[4, 0, 12, 10]], np.float32)
    plane = visibility_mask(ClipFrame(0, image, boxes, regions), margin=1)
    assert plane[3, 0] == VISIBLE
    assert plane[9, 11] == UNCERTAIN
    assert (plane[2:7, 1:6] == OCCLUDED).all()
    assert (plane == OCCLUDED).sum() == 25


def test_temporal_median_prefers_visible_to_uncertain() -> None:
    images = np.zeros((5, 1, 3, 3), np.uint8)
    images[:, 0, 0] = np.array([10, 12, 14, 200, 201])[:, None]
    images[:, 0, 1] = np.array([90, 91, 92, 93, 94])[:, None]
    seen = np.zeros((5, 1, 3), np.uint8)
    seen[:3, 0, 0], seen[3:, 0, 0] = VISIBLE, UNCERTAIN
    seen[:, 0, 1] = UNCERTAIN
    centre, sigma, count = temporal_median(images, seen)
    assert centre[0, :, 0].tolist() == [12, 92, 0]
    assert sigma[0, 0, 0] == pytest.approx(2 * 1.4826)
    assert count[0].tolist() == [3, 5, 0]


@pytest.mark.parametrize("count", [1, 2, 7, 16, 33])
def test_median_is_numpys_lower_median(count: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, 4, 5, 3), np.uint8)
    centre, _, _ = temporal_median(images, np.full((count, 4, 5), VISIBLE, np.uint8))
    assert np.array_equal(centre, np.sort(images, axis=0)[(count - 1) // 2])


def test_filling_keeps_what_is_known_and_continues_it() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, :16], image[:, 16:] = 50, 100
    known = np.ones((32, 32), bool)
    known[10:20, 4:10] = False
    broken = np.where(known[..., None], image, 0).astype(np.uint8)
    whole = fill_unseen(broken, known)
    assert np.array_equal(whole[known], image[known])
    assert np.abs(whole[~known].astype(int) - 50).max() <= 12


@pytest.mark.parametrize(
    ("dx", "dy", "turn"), [(0.4, -0.3, 0.0), (3.6, 2.2, 0.0), (-9, 7, 0.0), (1, 1, 0.01)]
)
def test_pose_of_a_moved_and_brightened_frame(dx: float, dy: float, turn: float) -> None:
    big = cv2.merge([texture(280, 360, seed) for seed in (4, 5, 6)])
    background = big[40:-40, 40:-40]
    cos, sin = np.cos(turn), np.sin(turn)
    away = np.array([[cos, -sin, dx], [sin, cos, dy]])
    centre = np.array([140.0, 100.0])
    away[:, 2] += centre - away[:, :2] @ centre
    inner = away.copy()
    inner[:, 2] += away[:, :2] @ np.array([-40.0, -40.0])  # the same motion on the larger picture
    frame = cv2.warpAffine(big, inner, (280, 200))
    frame = np.clip(frame * 0.8, 0, 255).astype(np.uint8)
    known = np.ones(background.shape[:2], bool)
    plane = np.full(background.shape[:2], VISIBLE, np.uint8)
    registration = Registrar(background, known, stabilise=True).register(frame, plane)
    corners = np.array([[20, 20, 1], [260, 20, 1], [20, 180, 1], [260, 180, 1]], float)
    assert np.abs(corners @ registration.matrix.T - corners @ away.T).max() < 0.25
    assert np.abs(registration.exposure[40:200] - 0.8 * np.arange(40, 200)[:, None]).max() < 8


def test_a_still_frame_is_left_alone() -> None:
    video = Video(frames=8)
    background, registrations = fit_background(collect_samples(video, 8, 1), BoxbgSettings())
    assert all(registration is not None and registration.still for registration in registrations)
    assert background.seen.all()
    assert all(registration is not None and registration.is_identity for registration in registrations)


def test_slow_light_is_followed_in_parts() -> None:
    """A lamp comes on in one corner: no exposure explains that, but the part of the video does."""
    video = Video(frames=64)
    for index, frame in enumerate(video.frames):
        if index >= 32:
            frame.image[:40, :40] = np.clip(frame.image[:40, :40].astype(int) + 60, 0, 255)
    background, _ = fit_background(collect_samples(video, 64, 1), BoxbgSettings(windows=4))
    early, late = background.at(8), background.at(56)
    assert np.abs(late[5:35, 5:35].astype(int) - early[5:35, 5:35] - 60).mean() < 3
    assert np.abs(late[60:].astype(int) - early[60:]).mean() < 1


def test_odds_without_any_pixel_follow_the_deviation() -> None:
    odds = log_odds(BinCounts(), 3.0, 2.0)
    by_deviation = odds.reshape(BIN_SHAPE).mean(axis=(0, 2, 3))
    assert (by_deviation[:3] < -1).all()
    assert (np.diff(by_deviation[3:]) > 0).all()
    assert (by_deviation[-2:] > 0.5).all()
    assert np.abs(odds).max() <= LIMIT


def test_what_is_common_around_boxes_is_no_object() -> None:
    rng = np.random.default_rng(0)
    counts = BinCounts()
    lit, shade, paint = 4000, 2000, 100  # three kinds of pixels
    inside = np.array([lit] * 3000 + [shade] * 1000 + [paint] * 5000, np.int32)
    around = np.array([lit] * 9000 + [shade] * 1000, np.int32)
    for kinds, where in ((inside, True), (around, False)):
        full = np.full(kinds.shape, where)
        counts.add(rng.permutation(kinds * 20)[None] // 20 % BIN_COUNT, full[None], ~full[None])
    odds = log_odds(counts, 3.0, 2.0)
    assert odds[paint] > 2
    assert odds[shade] < odds[paint] - 2


def _plain_and_rough(share_of_plain: float) -> BinCounts:
    """Objects that are plain one time in ten where bright, and ``share_of_plain`` where somewhat dark."""
    inside, around = np.zeros(BIN_SHAPE), np.zeros(BIN_SHAPE)
    lit, bright, dark = 16, 19, 14  # light of 1, 1.4 and .74 times the background
    inside[lit, 0, 0, 0], around[lit, 0, 0, 0] = 5e5, 1e6
    inside[bright, 6, 0, 0], inside[bright, 6, 4, 2] = 1e4, 9e4
    inside[dark, 4, 0, 0], inside[dark, 4, 4, 2] = 1e5 * share_of_plain, 1e5 * (1 - share_of_plain)
    counts = BinCounts()
    counts.inside, counts.around = inside.ravel(), around.ravel()
    return counts


def test_plain_dark_pixels_beyond_what_objects_are_elsewhere_are_shadow() -> None:
    few, many = (log_odds(_plain_and_rough(share), 3.0, 2.0).reshape(BIN_SHAPE) for share in (0.1, 0.8))
    assert few[14, 4, 0, 0] > 1
    assert many[14, 4, 0, 0] < -0.5
    assert min(few[14, 4, 4, 2], many[14, 4, 4, 2]) > 1  # what has texture stays an object
    assert many[19, 6, 0, 0] > 1  # and so does what is bright
    off = log_odds(_plain_and_rough(0.8), 3.0, 100.0).reshape(BIN_SHAPE)
    assert off[14, 4, 0, 0] > 1


def test_it_is_told_that_nothing_is_compiled_yet_and_only_then(tmp_path: Path) -> None:
    """A tiny function stands for all: those of the labeler take long."""
    code = (
        "from spotlabel.labelers.boxbg import compiled\n"
        "from spotlabel.labelers.boxbg.labeler import Boxbg\n"
        "import tests.helpers.tiny_compiled as tiny\n"
        "compiled.COMPILED[:] = [tiny.doubled]\n"
        "print(repr(Boxbg.notice()))\n"
        "tiny.doubled(1)\n"
        "print(repr(Boxbg.notice()))\n"
    )
    told = []
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", code], env=environment(NUMBA_CACHE_DIR=str(tmp_path)), cwd=ROOT,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-2000:]
        told += ran.stdout.split("\n")[:2]
    first = "'boxbg: is compiled first, a quarter of a minute, once on this machine'"
    assert told == [first, "''", "''", "''"]
