"""What holds for every labeler, and finding labelers by name."""

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
from spotlabel.labelers.baselines.opencv_subtractors import Knn, Mog2, Mog2Settings
from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.flow.farneback import Farneback
from spotlabel.labelers.flow.released import ReleasedFlow
from spotlabel.pipeline.errors import Interrupted
from tests.helpers.clips import ListClip, images, run, values


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
        if distribution not in ("pybgs", "onnxruntime-gpu"):
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
        if isinstance(self._result, BaseException):
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
        ("mine", type("Mine", (Mine,), {"files": {"weights": "get them"}}), "none of its settings: weights"),
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


@pytest.mark.parametrize("stop", [SystemExit(0), SystemExit("bye"), GeneratorExit(), BaseException("odd")])
def test_a_plugin_that_ends_the_program_is_named_and_left_out(monkeypatch, caplog, stop):
    offer(monkeypatch, FakePoint("mine", Mine), FakePoint("quitter", stop))
    with caplog.at_level(logging.WARNING, "spotlabel"):
        assert registry.load("mine") is Mine
        with pytest.raises(LabelerError, match="unknown labeler 'quitter'"):
            registry.load("quitter")
    assert f"cannot load 'quitter' (somewhere:quitter): {type(stop).__name__}: " in caplog.text


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Interrupted(2)])
def test_the_users_interrupt_is_not_the_plugins(monkeypatch, stop):
    offer(monkeypatch, FakePoint("slow", stop))
    with pytest.raises(type(stop)):
        plugins.load_plugins("any")
