"""``boxbg`` on rendered squares with exact masks: one test for each thing it was built for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from labelers.base import ClipFrame, EvidenceKind
from labelers.boxbg.cues import KINDS, SHAPE
from labelers.boxbg.labeler import NEUTRAL, Boxbg
from labelers.boxbg.median import robust_fit
from labelers.boxbg.model import filled, fit_background
from labelers.boxbg.odds import LIMIT, Counts, log_odds
from labelers.boxbg.pose import PoseFinder
from labelers.boxbg.samples import CLEAR, DOUBTFUL, HIDDEN, collect, sight
from labelers.boxbg.settings import BoxbgSettings
from labelers.masks import make_mask, resolve
from tests.clips import NO_BOXES, texture

HEIGHT, WIDTH = 120, 160
MASKS = resolve("default", {})


@dataclass
class Actor:
    """An object of 30 x 20 px in every frame; ``place`` gives its left top corner at a frame, or nothing."""

    place: Callable[[int], tuple[int, int] | None]
    colour: tuple[int, int, int] = (40, 60, 200)


class Video:
    """Textured ground, actors with tight boxes, and whatever disturbs them."""

    step = 1
    size = (HEIGHT, WIDTH)

    def __init__(
        self,
        *actors: Actor,
        frames: int = 60,
        shake: float = 0.0,
        gain: Callable[[int], float] = lambda _: 1.0,
        shadow: float = 0.0,
        noise: float = 2.0,
        tiles: int = 0,
    ) -> None:
        rng = np.random.default_rng(3)
        big = cv2.merge([texture(HEIGHT + 40, WIDTH + 40, seed) // 3 + 70 for seed in (1, 1, 2)])
        for x, y, w, h, level in rng.integers((0, 0, 2, 2, 60), (WIDTH, HEIGHT, 9, 9, 170), (tiles, 5)):
            big[20 + y : 20 + y + h, 20 + x : 20 + x + w] = level
        self.frames: list[ClipFrame] = []
        self.truth: list[np.ndarray] = []
        self.shifts: list[np.ndarray] = []
        for index in range(frames):
            shift = rng.uniform(-shake, shake, 2)
            self.shifts.append(shift)
            scene = big.astype(np.float32)
            mask = np.zeros(big.shape[:2], np.uint8)
            places = [(actor, place) for actor in actors if (place := actor.place(index)) is not None]
            for _, (x, y) in places:
                scene[20 + y + 12 : 20 + y + 26, 20 + x + 10 : 20 + x + 46] *= 1 - shadow
            for actor, (x, y) in places:
                scene[20 + y : 20 + y + 20, 20 + x : 20 + x + 30] = actor.colour
                scene[20 + y + 4 : 20 + y + 8, 20 + x + 4 : 20 + x + 26] = (200, 190, 60)
                mask[20 + y : 20 + y + 20, 20 + x : 20 + x + 30] = 1
            matrix = np.array([[1, 0, shift[0] - 20], [0, 1, shift[1] - 20]])
            scene, mask = (cv2.warpAffine(plane, matrix, (WIDTH, HEIGHT)) for plane in (scene, mask))
            scene = scene * gain(index) + rng.normal(0, noise, scene.shape)
            outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            boxes = [(x, y, x + w, y + h) for x, y, w, h in map(cv2.boundingRect, outlines)]
            image = np.clip(np.rint(scene), 0, 255).astype(np.uint8)
            self.frames.append(ClipFrame(index, image, np.array(boxes, np.float32).reshape(-1, 4) + PADDING))
            self.truth.append(mask.astype(bool))

    def __len__(self) -> int:
        return len(self.frames)

    def sampled(self, every: int) -> Iterator[ClipFrame]:
        return iter(self.frames[::every])

    def __iter__(self) -> Iterator[ClipFrame]:
        return iter(self.frames)


PADDING = np.array([-4, -4, 4, 4], np.float32)
"""Boxes are not exact."""


def crosses(index: int) -> tuple[int, int] | None:
    """Through the image from left to right, again and again."""
    return (7 * index) % (WIDTH - 40) + 5, 20 + 30 * (index // 17 % 3)


def labelled(video: Video, **settings: object) -> list[np.ndarray]:
    evidence = [item.values for item in Boxbg(BoxbgSettings(**settings)).label(video)]
    assert len(evidence) == len(video.frames)
    masks = []
    for values, frame in zip(evidence, video.frames, strict=True):
        selected = np.ones(len(frame.boxes), bool)
        made = make_mask(
            values, EvidenceKind.DISTANCE, frame.boxes, selected, NO_BOXES, MASKS, neutral=NEUTRAL
        )
        masks.append(made.mask == 1)
    return masks


def iou(masks: list[np.ndarray], video: Video, frames: slice = slice(None)) -> float:
    found, truth = np.stack(masks[frames]), np.stack(video.truth[frames])
    return float((found & truth).sum() / (found | truth).sum())


def test_moving_objects_are_cut_out_of_loose_boxes() -> None:
    video = Video(Actor(crosses))
    assert iou(labelled(video), video) > 0.95


def test_a_car_that_stands_most_of_the_time_is_never_absorbed() -> None:
    def stands(index: int) -> tuple[int, int] | None:
        return (60, 50) if index < 45 else None

    video = Video(Actor(crosses), Actor(stands))
    masks = labelled(video)
    for index in (0, 20, 44):
        assert iou(masks, video, slice(index, index + 1)) > 0.9
    assert not any(mask[50:70, 62:88].mean() > 0.9 for mask in masks[46:60:5])  # and it leaves no ghost


def test_background_that_was_never_seen_is_filled_from_around() -> None:
    def parked(_: int) -> tuple[int, int]:
        return (100, 80)

    video = Video(Actor(crosses), Actor(parked))
    masks = labelled(video)
    found, truth = np.stack(masks)[:, 76:104, 96:134], np.stack(video.truth)[:, 76:104, 96:134]
    assert (found & truth).sum() / (found | truth).sum() > 0.85  # the box alone would have .56


def test_shake_is_taken_out() -> None:
    video = Video(Actor(crosses, (50, 50, 50)), shake=4.0, frames=80, tiles=250)
    steady, shaken = labelled(video), labelled(video, stabilise=False)
    assert iou(steady, video) > 0.85
    assert iou(steady, video) > iou(shaken, video) + 0.01


def drifting(video: Video, index: int) -> np.ndarray:
    """The camera wanders by 24 px and comes back: the frame's picture, moved."""
    matrix = np.array([[1, 0, 24 * np.sin(index / 13)], [0, 1, 6 * np.cos(index / 7) - 6]])
    size, border = (WIDTH, HEIGHT), cv2.BORDER_REFLECT
    return cv2.warpAffine(video.frames[index].image, matrix, size, borderMode=border)


def test_a_wandering_camera_and_frames_of_elsewhere_do_not_poison_the_background() -> None:
    video, still = Video(frames=60, tiles=250), Video(frames=2, tiles=250)
    elsewhere = cv2.merge([texture(HEIGHT, WIDTH, seed) for seed in (7, 8, 9)])
    for index, frame in enumerate(video.frames):
        image = elsewhere if index % 3 == 1 else drifting(video, index)
        video.frames[index] = ClipFrame(index, image, frame.boxes)
    samples = collect(video, 60, 1)
    background, poses = fit_background(samples, BoxbgSettings())
    lost = [index for index, pose in enumerate(poses) if pose is None]
    assert lost == list(range(1, 60, 3))
    anchor = int(np.argmin([pose.shift if pose else np.inf for pose in poses]))
    exact = PoseFinder(still.frames[0].image, np.ones(video.size, bool), True)
    pose = exact.find(video.frames[anchor].image, samples.sight[anchor])
    truth = cv2.warpAffine(still.frames[0].image, pose.matrix, (WIDTH, HEIGHT))
    middle = np.s_[30:90, 50:110]
    assert np.abs(background.at(0)[middle].astype(int) - truth[middle]).mean() < 4


def test_frames_of_elsewhere_are_not_labelled(caplog: pytest.LogCaptureFixture) -> None:
    video = Video(Actor(crosses), tiles=250)
    elsewhere = cv2.merge([texture(HEIGHT, WIDTH, seed) for seed in (7, 8, 9)])
    for index in range(30, 35):
        video.frames[index] = ClipFrame(index, elsewhere, video.frames[index].boxes)
    found = list(Boxbg(BoxbgSettings()).label(video))
    assert [index for index, item in enumerate(found) if item.warm_up] == list(range(30, 35))
    assert not np.stack([item.values for item in found[30:35]]).any()
    assert "boxbg: the camera shows something else in 5 of 60 frames (first: 30)" in caplog.text


@pytest.mark.parametrize("gain", [lambda i: 1 + 0.25 * np.sin(i / 9), lambda i: 0.7 + 0.01 * i])
def test_exposure_is_taken_out(gain: Callable[[int], float]) -> None:
    video = Video(Actor(crosses), gain=gain)
    assert iou(labelled(video), video) > 0.93


def test_shadow_inside_the_box_is_background() -> None:
    """Boxes that hold object and shadow; elsewhere in the video shadows reach out of boxes."""
    video = Video(Actor(crosses), shadow=0.5, frames=90)
    masks = labelled(video)
    assert iou(masks, video) > 0.93
    boxes = np.zeros((len(masks), HEIGHT, WIDTH), bool)
    for plane, frame in zip(boxes, video.frames, strict=True):
        for x0, y0, x1, y1 in frame.boxes.astype(int):
            plane[max(y0, 0) : y1, max(x0, 0) : x1] = True
    beside = boxes & ~np.stack(video.truth)
    assert (np.stack(masks) & beside).sum() / beside.sum() < 0.12


class SoftlyShaded(Video):
    """Patterned objects in wide boxes, on ground that they shade a little: no shadow leaves any box."""

    def __init__(self) -> None:
        super().__init__(frames=60)
        rng = np.random.default_rng(5)
        coat = rng.integers(20, 236, (5, 8, 3)).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)
        for index, frame in enumerate(self.frames):
            x, y = 12 + (5 * index) % (WIDTH - 60), 15 + 27 * (index // 20)
            image = frame.image.astype(np.float32)
            image[y : y + 26, x - 6 : x + 38] *= 0.8
            image[y : y + 20, x : x + 32] = coat
            self.truth[index][y : y + 20, x : x + 32] = True
            box = np.array([[x - 10, y - 10, x + 42, y + 30]], np.float32)
            self.frames[index] = ClipFrame(index, np.rint(image).astype(np.uint8), box)


def test_soft_shadow_that_never_leaves_its_box_is_background() -> None:
    video = SoftlyShaded()
    masks, without = labelled(video), labelled(video, plain_excess=100.0)
    assert iou(masks, video) > 0.9
    assert iou(without, video) < iou(masks, video) - 0.05


def test_objects_that_are_all_plain_and_dark_are_no_shadow() -> None:
    video = Video(Actor(crosses, (80, 80, 80)), frames=80)
    assert iou(labelled(video), video) > 0.85


def test_the_same_clip_gives_the_same_bytes() -> None:
    video = Video(Actor(crosses), shake=2.0, frames=20)
    first, second = ([item.values for item in Boxbg(BoxbgSettings()).label(video)] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_evidence_keeps_away_from_where_there_is_no_box() -> None:
    video = Video(Actor(crosses), frames=12)
    for item, frame in zip(Boxbg(BoxbgSettings()).label(video), video.frames, strict=True):
        x0, y0, x1, y1 = frame.boxes[0].astype(int)
        values = item.values.copy()
        values[max(y0 - 14, 0) : y1 + 14, max(x0 - 14, 0) : x1 + 14] = 0
        assert not values.any()


def test_frames_without_boxes_and_short_clips() -> None:
    video = Video(frames=3)
    assert not np.stack([item.values for item in Boxbg(BoxbgSettings()).label(video)]).any()
    one = Video(Actor(crosses), frames=1)
    (item,) = Boxbg(BoxbgSettings()).label(one)
    assert item.values.shape == (HEIGHT, WIDTH)
    none = Video(frames=0)
    assert list(Boxbg(BoxbgSettings()).label(none)) == []


@pytest.mark.parametrize(("frames", "most"), [(5, 8), (8, 8), (9, 8), (100, 8), (64, 16)])
def test_samples_are_even_and_bounded(frames: int, most: int) -> None:
    samples = collect(Video(frames=frames), most, margin=2)
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
    samples = collect(_Holes(32, {3, 8, 9}), 8, margin=2)
    assert samples.numbers == [0, 4, 12, 16, 20, 24, 28]


def test_samples_are_found_where_all_that_would_be_taken_are_lost() -> None:
    samples = collect(_Holes(32, set(range(0, 32, 4))), 8, margin=2)
    assert samples.numbers == [1, 6, 11, 17, 22, 27]
    assert not collect(_Holes(9, set(range(9))), 4, margin=2).numbers


def test_sight() -> None:
    image = np.zeros((10, 12, 3), np.uint8)
    boxes = np.array([[2, 3, 5, 6]], np.float32)
    regions = np.array([[4, 0, 12, 10]], np.float32)
    plane = sight(ClipFrame(0, image, boxes, regions), margin=1)
    assert plane[3, 0] == CLEAR
    assert plane[9, 11] == DOUBTFUL
    assert (plane[2:7, 1:6] == HIDDEN).all()
    assert (plane == HIDDEN).sum() == 25


def test_robust_fit_prefers_clear_sight() -> None:
    images = np.zeros((5, 1, 3, 3), np.uint8)
    images[:, 0, 0] = np.array([10, 12, 14, 200, 201])[:, None]
    images[:, 0, 1] = np.array([90, 91, 92, 93, 94])[:, None]
    seen = np.zeros((5, 1, 3), np.uint8)
    seen[:3, 0, 0], seen[3:, 0, 0] = CLEAR, DOUBTFUL
    seen[:, 0, 1] = DOUBTFUL
    centre, sigma, count = robust_fit(images, seen)
    assert centre[0, :, 0].tolist() == [12, 92, 0]
    assert sigma[0, 0, 0] == pytest.approx(2 * 1.4826)
    assert count[0].tolist() == [3, 5, 0]


@pytest.mark.parametrize("count", [1, 2, 7, 16, 33])
def test_median_is_numpys_lower_median(count: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, 4, 5, 3), np.uint8)
    centre, _, _ = robust_fit(images, np.full((count, 4, 5), CLEAR, np.uint8))
    assert np.array_equal(centre, np.sort(images, axis=0)[(count - 1) // 2])


def test_filling_keeps_what_is_known_and_continues_it() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, :16], image[:, 16:] = 50, 100
    known = np.ones((32, 32), bool)
    known[10:20, 4:10] = False
    broken = np.where(known[..., None], image, 0).astype(np.uint8)
    whole = filled(broken, known)
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
    plane = np.full(background.shape[:2], CLEAR, np.uint8)
    pose = PoseFinder(background, known, stabilise=True).find(frame, plane)
    corners = np.array([[20, 20, 1], [260, 20, 1], [20, 180, 1], [260, 180, 1]], float)
    assert np.abs(corners @ pose.matrix.T - corners @ away.T).max() < 0.25
    assert np.abs(pose.curve[40:200] - 0.8 * np.arange(40, 200)[:, None]).max() < 8


def test_a_still_frame_is_left_alone() -> None:
    video = Video(frames=8)
    background, poses = fit_background(collect(video, 8, 1), BoxbgSettings())
    assert all(pose is not None and pose.still for pose in poses)
    assert background.seen.all()
    assert all(pose is not None and pose.unchanged for pose in poses)


def test_slow_light_is_followed_in_parts() -> None:
    """A lamp comes on in one corner: no exposure explains that, but the part of the video does."""
    video = Video(frames=64)
    for index, frame in enumerate(video.frames):
        if index >= 32:
            frame.image[:40, :40] = np.clip(frame.image[:40, :40].astype(int) + 60, 0, 255)
    background, _ = fit_background(collect(video, 64, 1), BoxbgSettings(windows=4))
    early, late = background.at(8), background.at(56)
    assert np.abs(late[5:35, 5:35].astype(int) - early[5:35, 5:35] - 60).mean() < 3
    assert np.abs(late[60:].astype(int) - early[60:]).mean() < 1


def test_odds_without_any_pixel_follow_the_deviation() -> None:
    odds = log_odds(Counts(), 3.0, 2.0)
    by_deviation = odds.reshape(SHAPE).mean(axis=(0, 2, 3))
    assert (by_deviation[:3] < -1).all()
    assert (np.diff(by_deviation[3:]) > 0).all()
    assert (by_deviation[-2:] > 0.5).all()
    assert np.abs(odds).max() <= LIMIT


def test_what_is_common_around_boxes_is_no_object() -> None:
    rng = np.random.default_rng(0)
    counts = Counts()
    lit, shade, paint = 4000, 2000, 100  # three kinds of pixels
    inside = np.array([lit] * 3000 + [shade] * 1000 + [paint] * 5000, np.int32)
    around = np.array([lit] * 9000 + [shade] * 1000, np.int32)
    for kinds, where in ((inside, True), (around, False)):
        full = np.full(kinds.shape, where)
        counts.add(rng.permutation(kinds * 20)[None] // 20 % KINDS, full[None], ~full[None])
    odds = log_odds(counts, 3.0, 2.0)
    assert odds[paint] > 2
    assert odds[shade] < odds[paint] - 2


def _plain_and_rough(share_of_plain: float) -> Counts:
    """Objects that are plain one time in ten where bright, and ``share_of_plain`` where somewhat dark."""
    inside, around = np.zeros(SHAPE), np.zeros(SHAPE)
    lit, bright, dark = 16, 19, 14  # light of 1, 1.4 and .74 times the background
    inside[lit, 0, 0, 0], around[lit, 0, 0, 0] = 5e5, 1e6
    inside[bright, 6, 0, 0], inside[bright, 6, 4, 2] = 1e4, 9e4
    inside[dark, 4, 0, 0], inside[dark, 4, 4, 2] = 1e5 * share_of_plain, 1e5 * (1 - share_of_plain)
    counts = Counts()
    counts.inside, counts.around = inside.ravel(), around.ravel()
    return counts


def test_plain_dark_pixels_beyond_what_objects_are_elsewhere_are_shadow() -> None:
    few, many = (log_odds(_plain_and_rough(share), 3.0, 2.0).reshape(SHAPE) for share in (0.1, 0.8))
    assert few[14, 4, 0, 0] > 1
    assert many[14, 4, 0, 0] < -0.5
    assert min(few[14, 4, 4, 2], many[14, 4, 4, 2]) > 1  # what has texture stays an object
    assert many[19, 6, 0, 0] > 1  # and so does what is bright
    off = log_odds(_plain_and_rough(0.8), 3.0, 100.0).reshape(SHAPE)
    assert off[14, 4, 0, 0] > 1
