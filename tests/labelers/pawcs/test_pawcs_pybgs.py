"""PAWCS through pybgs: settings, randomness, the working directory, refusals."""

from __future__ import annotations

import builtins
import os
import sys

import numpy as np
import pytest
from defusedxml import ElementTree

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.pawcs.reference import PawcsPybgs, PawcsSettings, config_xml
from tests.helpers.clips import ListClip, images, moving_square, run, values

needs_pybgs = pytest.mark.pybgs


@pytest.fixture
def _pybgs():
    pytest.importorskip("pybgs", reason="pybgs is not installed (make setup PYBGS=1)")


def test_config_names_every_setting_of_pybgs():
    root = ElementTree.fromstring(config_xml(PawcsSettings(words=25, color_distance_threshold=30)))
    assert root.tag == "opencv_storage"
    assert {element.tag: element.text for element in root} == {
        "fRelLBSPThreshold": "0.333",
        "nDescDistThresholdOffset": "2",
        "nMinColorDistThreshold": "30",
        "nMaxNbWords": "25",
        "nSamplesForMovingAvgs": "100",
        "showOutput": "0",
    }


def test_without_pybgs_the_error_says_how_to_get_it(monkeypatch):
    real_import = builtins.__import__

    def refuse(name, *rest, **named):
        if name == "pybgs":
            raise ImportError("libopencv_core.so.406: cannot open shared object file")
        return real_import(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "pybgs", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(
        LabelerError, match=r"libopencv_core.*make setup.*libopencv-dev cmake g\+\+"
    ) as caught:
        PawcsPybgs(PawcsSettings())
    assert "\n" not in str(caught.value)


@needs_pybgs
@pytest.mark.usefixtures("_pybgs")
class TestWithPybgs:
    def test_finds_what_drives_in_and_marks_the_first_frame(self):
        evidence = run(PawcsPybgs, ListClip(moving_square(14)))
        assert [item.warm_up for item in evidence] == [True] + [False] * 13
        last = evidence[-1].values
        assert last.dtype == np.bool_
        assert last[18:30, 27:41].mean() > 0.8
        assert last[:8].mean() < 0.1

    def test_settings_and_seed_reach_pybgs(self, scene):
        default = values(run(PawcsPybgs, scene))
        blunt = values(run(PawcsPybgs, scene, PawcsSettings(color_distance_threshold=120)))
        reseeded = values(run(PawcsPybgs, scene, PawcsSettings(seed=99)))
        assert blunt.sum() < default.sum() / 2
        assert not np.array_equal(default, reseeded)

    def test_two_runs_in_one_process_agree_bit_by_bit(self, scene):
        first, second = values(run(PawcsPybgs, scene)), values(run(PawcsPybgs, scene))
        assert first.any()
        assert np.array_equal(first, second)

    def test_stray_config_in_the_working_directory_has_no_effect(self, scene, tmp_path, monkeypatch):
        expected = values(run(PawcsPybgs, scene))
        (tmp_path / "config").mkdir()
        stray = tmp_path / "config/PAWCS.xml"
        stray.write_text(config_xml(PawcsSettings(color_distance_threshold=120, words=3)))
        before = stray.read_bytes()
        monkeypatch.chdir(tmp_path)
        assert np.array_equal(values(run(PawcsPybgs, scene)), expected)
        assert os.getcwd() == str(tmp_path)
        assert stray.read_bytes() == before
        stray.write_text("<?xml version='1.0'?><opencv_storage><trunc")
        assert np.array_equal(values(run(PawcsPybgs, scene)), expected)

    def test_leaves_nothing_in_the_working_directory(self, tmp_path, monkeypatch):
        (tmp_path / "config").mkdir()
        monkeypatch.chdir(tmp_path)
        run(PawcsPybgs, ListClip(moving_square(2)))
        assert [path.name for path in tmp_path.rglob("*")] == ["config"]

    def test_views_of_larger_images_are_accepted(self):
        frames = moving_square(6, size=(48, 64))
        views = [np.pad(frame, ((4, 4), (4, 4), (0, 0)))[4:-4, 4:-4] for frame in frames]
        assert not views[0].flags.c_contiguous
        got, expected = run(PawcsPybgs, ListClip(views)), run(PawcsPybgs, ListClip(frames))
        assert np.array_equal(values(got), values(expected))

    def test_small_frames_are_refused_with_their_size(self):
        with pytest.raises(LabelerError, match=r"frames are 40x7, PAWCS needs 8 px a side"):
            run(PawcsPybgs, ListClip([np.zeros((7, 40, 3), np.uint8)]))
        assert len(run(PawcsPybgs, ListClip([np.zeros((8, 8, 3), np.uint8)]))) == 1

    def test_a_frame_that_pybgs_refuses_is_named(self):
        frames = [np.zeros((20, 20, 3), np.uint8), np.zeros((24, 20, 3), np.uint8)]
        with pytest.raises(LabelerError, match=r"frame 2, shape \(24, 20, 3\)") as caught:
            run(PawcsPybgs, ListClip(frames))
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def scene():
    return ListClip(moving_square(20))


@needs_pybgs
@pytest.mark.realdata
@pytest.mark.usefixtures("_pybgs")
def test_real_road_gives_vehicles_and_repeats(shared_data):
    folder = shared_data / "cdnet/baseline/highway/input"
    frames = images(folder, [f"in{number:06d}.jpg" for number in range(700, 724, 2)])
    clip = ListClip([frame[::2, ::2] for frame in frames])
    first, second = values(run(PawcsPybgs, clip)), values(run(PawcsPybgs, clip))
    assert np.array_equal(first, second)
    assert not first[:, :2].any()  # the outer 2 px are never modelled
    assert 0.001 < first[-1].mean() < 0.3
