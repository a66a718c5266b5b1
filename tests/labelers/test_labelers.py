"""Flow and OpenCV labelers, and finding labelers by name."""

from __future__ import annotations

import importlib.metadata
import logging
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from spotlabel.labelers import plugins, registry
from spotlabel.labelers.base import EvidenceKind, Settings
from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.flow.dense import frame_pairs
from spotlabel.labelers.flow.farneback import Farneback, FarnebackSettings
from spotlabel.labelers.flow.released import ReleasedFlow
from spotlabel.labelers.opencv_subtractors import Knn, KnnSettings, Mog2, Mog2Settings
from tests.helpers.clips import ListClip, images, moving_square, run, texture, values

PIXEL = 16  # steps of motion evidence per px


def shifted(dx: int, dy: int, count: int = 2, height: int = 120, width: int = 160) -> list[np.ndarray]:
    """A texture that moves by (dx, dy) px per frame."""
    big = texture(height + 80, width + 80)
    views = [big[40 - i * dy : 40 - i * dy + height, 40 - i * dx : 40 - i * dx + width] for i in range(count)]
    return [cv2.cvtColor(view, cv2.COLOR_GRAY2BGR) for view in views]


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (0, 2), (3, 0), (-3, 4)])
def test_flow_measures_a_known_translation(dx, dy):
    speed = values(run(Farneback, ListClip(shifted(dx, dy))))[:, 24:-24, 24:-24] / PIXEL
    assert np.median(np.abs(speed - np.hypot(dx, dy))) < 1 / PIXEL
    assert np.percentile(np.abs(speed - np.hypot(dx, dy)), 95) < 0.1


def test_equal_frames_have_no_motion_up_to_the_edges():
    frame = cv2.cvtColor(np.random.default_rng(1).integers(0, 256, (90, 120), np.uint8), cv2.COLOR_GRAY2BGR)
    assert not values(run(Farneback, ListClip([frame, frame.copy(), frame.copy()]))).any()


def test_border_zero_is_opencvs_plain_flow():
    frames = shifted(2, 1)
    before, after = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames)
    flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    expected = np.minimum(np.rint(np.hypot(flow[..., 0], flow[..., 1]) * PIXEL), 255)
    got = values(run(Farneback, ListClip(frames), FarnebackSettings(border=0)))[1]
    assert np.abs(got - expected).max() <= 1  # a speed on the edge between two steps may round either way
    assert (got == expected).mean() > 0.999


def test_speed_over_a_gap_is_shared_among_its_frames():
    frames = shifted(3, 0)
    whole = values(run(Farneback, ListClip(frames, numbers=[7, 8])))[1]
    half = values(run(Farneback, ListClip(frames, numbers=[7, 9])))[1]
    subsampled = values(run(Farneback, ListClip(frames, numbers=[7, 9], step=2)))[1]
    assert np.abs(half - whole / 2).max() <= 1
    assert np.median(half) == 24
    assert np.array_equal(subsampled, whole)


def test_first_frame_is_paired_with_the_second_swapped():
    frames = shifted(2, 0, count=3)
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
    pairs = list(frame_pairs(ListClip(frames)))
    expected = [(1, 0), (0, 1), (1, 2)]
    assert len(pairs) == 3
    for pair, (start, end) in zip(pairs, expected, strict=True):
        assert pair is not None
        assert np.array_equal(pair.start, grey[start])
        assert np.array_equal(pair.end, grey[end])


@pytest.mark.parametrize("labeler", [Farneback, ReleasedFlow])
def test_one_frame_says_nothing_about_motion(labeler):
    (evidence,) = run(labeler, ListClip(shifted(0, 0, count=1)))
    assert evidence.warm_up
    assert evidence.values.shape == (120, 160)
    assert not evidence.values.any()


@pytest.mark.parametrize("labeler", [Mog2, Knn])
def test_subtractors_find_what_drives_in_and_mark_their_warm_up(labeler):
    settings = labeler.settings_type(warm_up_frames=30)
    evidence = run(labeler, ListClip(moving_square(42, stands=32)), settings)
    assert [item.warm_up for item in evidence] == [True] * 30 + [False] * 12
    last = evidence[-1].values
    square = np.zeros((48, 64), bool)
    square[16:32, 31:47] = True
    assert last.dtype == np.bool_
    assert last[square].mean() > 0.9
    assert last[:8].mean() < 0.1


def test_shadows_are_background_only_if_asked_for():
    scene = np.full((40, 40, 3), 160, np.uint8)
    shadowed = scene.copy()
    shadowed[10:20, 10:20] = 110
    frames = [scene.copy() for _ in range(20)] + [shadowed]
    seen = run(Mog2, ListClip(frames), Mog2Settings(detect_shadows=False))[-1].values
    ignored = run(Mog2, ListClip(frames), Mog2Settings(detect_shadows=True))[-1].values
    assert seen[12:18, 12:18].all()
    assert not ignored.any()


def test_knn_seed_decides_its_random_numbers():
    frames = [np.random.default_rng(i).integers(90, 130, (60, 60, 3), np.uint8) for i in range(25)]
    first, second = (values(run(Knn, ListClip(frames), KnnSettings(seed=3))) for _ in range(2))
    other = values(run(Knn, ListClip(frames), KnnSettings(seed=4)))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.realdata
@pytest.mark.parametrize("labeler", [Farneback, ReleasedFlow, Mog2, Knn])
def test_same_evidence_twice_and_with_any_number_of_threads(labeler, shared_data):
    folder = shared_data / "cdnet/baseline/highway/input"
    clip = ListClip(images(folder, [f"in{number:06d}.jpg" for number in range(700, 710)]))
    threads = cv2.getNumThreads()
    runs = []
    try:
        for count in (1, 1, 2):
            cv2.setNumThreads(count)
            runs.append(values(run(labeler, clip)))
    finally:
        cv2.setNumThreads(threads)
    assert runs[0].any()
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("name", sorted(registry.BUILTIN))
def test_every_builtin_keeps_the_interface(name):
    labeler = registry.load(name)
    assert labeler.name == name
    assert labeler.version >= 1
    assert isinstance(labeler.kind, EvidenceKind)
    assert (labeler.neutral == 0) == (labeler.kind != EvidenceKind.DISTANCE)
    for distribution in labeler.libraries:
        if distribution != "pybgs":
            assert importlib.metadata.version(distribution)
    defaults = labeler.settings_type()
    assert issubclass(labeler.settings_type, Settings)
    assert labeler.settings_type.model_validate(defaults.model_dump()) == defaults


def test_unknown_labeler_names_the_nearest():
    with pytest.raises(
        LabelerError, match=r"unknown labeler 'pawcs-pygbs'; did you mean 'pawcs-pybgs'\?.*mog2"
    ):
        registry.load("pawcs-pygbs")


def test_importing_the_registry_imports_no_labeler():
    code = "import sys, spotlabel.labelers.registry; print([m for m in ('pybgs', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class FakePoint:
    """Entry point whose loading gives an object or raises."""

    def __init__(self, name, result):
        self.name, self.value, self._result = name, f"somewhere:{name}", result

    def load(self):
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


@pytest.fixture(autouse=True)
def no_remembered_plugins():
    """The registry looks for plugins once per process; tests offer other ones each time."""
    registry._third_party.cache_clear()
    yield
    registry._third_party.cache_clear()


def offer(monkeypatch, *points):
    monkeypatch.setattr(plugins, "entry_points", lambda group: list(points))


class Mine(Mog2):
    name = "mine"


def test_third_party_labelers_load_and_broken_ones_are_reported(monkeypatch, caplog):
    broken = FakePoint("broken", ImportError("no module\nnamed nothing"))
    offer(monkeypatch, FakePoint("mine", Mine), broken)
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert registry.load("mine") is Mine
        with pytest.raises(LabelerError, match=r"unknown labeler 'broken'.*mine"):
            registry.load("broken")
    assert "cannot load 'broken' (somewhere:broken): ImportError: no module named nothing" in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("name", "thing", "reason"),
    [
        ("mog2", Mine, "comes with spotlabel"),
        ("other", Mine, "calls itself 'mine'"),
        ("mine", Mine(Mog2Settings()), "is no class"),
        ("mine", type("Mine", (Mine,), {"kind": "binary"}), "lacks or mistypes kind"),
        ("mine", type("Mine", (Mine,), {"settings_type": dict}), "no spotlabel.labelers.base.Settings"),
        ("mine", type("Mine", (Mine,), {"label": None}), "no method label"),
    ],
)
def test_misfits_are_reported_and_left_out(monkeypatch, caplog, name, thing, reason):
    offer(monkeypatch, FakePoint(name, thing))
    with caplog.at_level(logging.WARNING, "spotlabel"), pytest.raises(LabelerError) as caught:
        registry.load("nothing-like-it")
    assert reason in caplog.text
    assert all(builtin in str(caught.value) for builtin in registry.BUILTIN)
    assert name in registry.BUILTIN or name not in re.findall(r"[\w-]+", str(caught.value))


def test_plugins_are_looked_for_once(monkeypatch, caplog):
    offer(monkeypatch, FakePoint("mine", Mine), FakePoint("broken", ImportError("gone")))
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert registry.load("mine") is registry.load("mine") is Mine
    assert caplog.text.count("cannot load 'broken'") == 1


def test_a_name_offered_twice_is_taken_once(monkeypatch, caplog):
    offer(monkeypatch, FakePoint("mine", Mine), FakePoint("mine", Knn))
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert plugins.load_plugins("any") == {"mine": Mine}
    assert "offered twice" in caplog.text
