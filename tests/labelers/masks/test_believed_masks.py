"""What believability does to masks: weak boxes become unknown; the two-valued presets stay as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from spotlabel.labelers.base import EvidenceKind
from spotlabel.labelers.flow.farneback import Farneback, FarnebackSettings
from spotlabel.labelers.masks import PRESETS, draft_mask, finish_mask, make_mask
from spotlabel.pipeline.datasets.synthetic import SceneFrames, annotate
from spotlabel.pipeline.sequence import Camera
from spotlabel.pipeline.stages.neighbours import Candidate, with_neighbours
from spotlabel.pipeline.synthetic.settings import SceneSettings
from tests.helpers.clips import NO_BOXES, ListClip, run

DEFAULT = PRESETS["default"]
NAN = float("nan")


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def evidence_with(*places: tuple[int, int, int, int]) -> np.ndarray:
    plane = np.zeros((120, 160), np.bool_)
    for x0, y0, x1, y1 in places:
        plane[y0:y1, x0:x1] = True
    return plane


def candidate(evidence: np.ndarray, rows: np.ndarray, *tracks: int, settled: bool = True) -> Candidate:
    kind = EvidenceKind.BINARY if evidence.dtype == np.bool_ else EvidenceKind.MOTION
    draft = draft_mask(evidence, kind, rows, np.ones(len(rows), np.bool_), DEFAULT)
    return Candidate(draft, np.array(tracks, np.int64), settled)


def golden_cases() -> Iterator[tuple[np.ndarray, EvidenceKind, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(2026)
    for kind in EvidenceKind:
        for _ in range(4):
            coarse = np.where(rng.random((12, 16)) < 0.5, rng.integers(1, 256, (12, 16)), 0).astype(np.uint8)
            values = cv2.resize(coarse, (128, 96), interpolation=cv2.INTER_NEAREST)
            values[rng.random((96, 128)) < 0.1] = 0
            low, size = rng.uniform(0, 80, (6, 2)), rng.uniform(3, 45, (6, 2))
            rows = np.concatenate([low, np.minimum(low + size, [128, 96])], axis=1).astype(np.float32)
            yield values > 0 if kind == EvidenceKind.BINARY else values, kind, rows, rng.random(6) < 0.8


@pytest.mark.parametrize(
    ("preset", "digest"),
    [
        ("paper", "fc35403a71cf67e614135bb7b0e4224a"),
        ("spotnet-released", "c0ca537aa14c4d45da0b8610057fd797"),
    ],
)
def test_two_valued_presets_make_the_masks_of_mask_rules_1(preset: str, digest: str):
    hasher = hashlib.blake2b(digest_size=16)  # digests: of the masks that rules version 1 made of these cases
    for values, kind, rows, chosen in golden_cases():
        made = make_mask(values, kind, rows, chosen, rows[:1], PRESETS[preset], neutral=24, native_origin=0.5)
        hasher.update(made.mask.tobytes())
    assert hasher.hexdigest() == digest


def test_a_car_that_flickers_is_unknown_and_a_steady_one_is_believed():
    rows = boxes((20, 20, 60, 60), (80, 20, 120, 60))
    left, right = (20, 20, 60, 37), (20, 43, 60, 60)  # the upper, then the lower part of the first box
    steady = (82, 22, 118, 58)
    frames = [candidate(evidence_with(part, steady), rows, 1, 2) for part in (left, right, left)]
    for found in with_neighbours(frames):
        made = finish_mask(found[0].draft, found[1], NO_BOXES, DEFAULT)
        assert made.fill[0] > DEFAULT.min_fill
        assert made.believed.tolist() == [False, True]
        assert (made.mask[20:60, 20:60] == 255).all()
        assert made.mask[40, 100] == 1


def test_the_same_foreground_is_believed_when_it_stays():
    rows = boxes((20, 20, 60, 60))
    frames = [candidate(evidence_with((20, 20, 60, 37)), rows, 1) for _ in range(2)]
    made = [finish_mask(one.draft, near, NO_BOXES, DEFAULT) for one, near in with_neighbours(frames)]
    assert [found.believed.tolist() for found in made] == [[True], [True]]
    assert [found.temporal.tolist() for found in made] == [[1.0], [1.0]]


def test_a_parked_car_and_a_tiny_box_are_unknown_not_background():
    rows = boxes((20, 20, 60, 60), (100, 100, 105, 105))
    evidence = evidence_with((100, 100, 105, 105))
    evidence[30:60:6, 20:60:6] = True  # noise on the parked car
    made = make_mask(evidence, EvidenceKind.BINARY, rows, np.ones(2, np.bool_), NO_BOXES, DEFAULT)
    assert made.believed.tolist() == [False, False]
    assert (made.mask[20:60, 20:60] == 255).all()
    assert (made.mask[100:105, 100:105] == 255).all()


def test_a_car_hidden_by_another_is_unknown_but_for_what_is_known_of_the_other():
    rows = boxes(
        (20, 20, 60, 60), (36, 12, 76, 52)
    )  # the second is behind the first, and nothing of it is seen
    evidence = evidence_with((22, 22, 58, 58))
    made = make_mask(evidence, EvidenceKind.BINARY, rows, np.ones(2, np.bool_), NO_BOXES, DEFAULT)
    assert made.fill[1] > DEFAULT.min_fill  # by what hides it
    assert made.believed.tolist() == [True, False]
    assert (made.mask[24:52, 36:56] == 1).all()
    assert (made.mask[12:52, 60:76] == 255).all()


def test_a_frame_that_fails_alone_is_blamed_alone():
    rows = boxes((20, 20, 60, 60))
    good, bad = evidence_with((20, 20, 60, 60)), evidence_with((20, 20, 60, 32))
    frames = [candidate(values, rows, 4) for values in (good, good, bad, good, good)]
    temporal = [near[0] for _, near in with_neighbours(frames)]
    assert temporal[0] == temporal[1] == temporal[3] == temporal[4] == 1.0
    assert temporal[2] < 0.4


def test_frames_without_pixels_and_warm_up_frames_are_nobodys_neighbours():
    rows, values = boxes((20, 20, 60, 60)), evidence_with((20, 20, 60, 60))
    frames = [
        candidate(values, rows, 4, settled=False),
        candidate(values, rows, 4),
        None,
        candidate(values, rows, 4),
        candidate(values, rows[:0]),
    ]
    found = list(with_neighbours(frames))
    assert [one is None for one in found] == [False, False, True, False, False]
    assert [near[0] for _, near in (found[0], found[1], found[3])] == pytest.approx([NAN] * 3, nan_ok=True)
    assert found[4][1].shape == (0,)


def test_frames_pass_with_one_held_back():
    taken = 0

    def source() -> Iterator[None]:
        nonlocal taken
        for _ in range(6):
            taken += 1
            yield None

    lag = [taken - given for given, _ in enumerate(with_neighbours(source()), start=1)]
    assert lag == [1, 1, 1, 1, 1, 0]


def test_standing_cars_of_a_rendered_street_are_unknown_to_optical_flow():
    scene = SceneSettings(width=320, height=180, frames=60, camera=Camera.FIXED, jitter=0.0, foliage=0.0)
    frames = SceneFrames(scene)
    table = annotate(frames.scene).boxes
    clip = ListClip([frames.read(index) for index in range(8)])
    flow = enumerate(run(Farneback, clip, FarnebackSettings()))
    candidates = [
        candidate(item.values, table.at(index), *table.track_id[table.rows(index)].tolist())
        for index, item in flow
    ]
    first, last = (
        dict(zip(table.track_id[table.rows(i)].tolist(), table.at(i), strict=True)) for i in (0, 7)
    )
    still = {track for track in first if track in last and np.abs(first[track] - last[track]).max() < 1}
    called = []
    for index, (one, near) in enumerate(with_neighbours(candidates)):
        mask = finish_mask(one.draft, near, NO_BOXES, DEFAULT).mask
        truth = frames.truth(index) > 0
        for track, (x0, y0, x1, y1) in zip(one.tracks.tolist(), one.draft.rects.tolist(), strict=True):
            if track in still:
                called.append(mask[y0:y1, x0:x1][truth[y0:y1, x0:x1]])
    assert len(called) >= 8
    pixels = np.concatenate(called)
    assert (pixels == 255).mean() > 0.9
    assert (pixels == 0).mean() < 0.05
