"""Evidence depends on the versions of what decodes its frames, and masks do not (R16)."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import pytest

from spotlabel.labelers.baselines.opencv_subtractors import Mog2
from spotlabel.pipeline.frames.decoders import LIBRARIES, image_decoders
from spotlabel.pipeline.recipes.recipe import Recipe, build_recipe
from spotlabel.pipeline.running.job import run_sequence
from spotlabel.pipeline.store import EvidenceReader, MaskReader
from spotlabel.pipeline.upkeep import freshness
from spotlabel.pipeline.upkeep.labelled import labelled_sequences
from spotlabel.pipeline.upkeep.plan import Plan, items, plan_item
from tests.helpers.recipes import tree


def made(root: Path, out: Path) -> Recipe:
    recipe = build_recipe(tree(root, out, "a"))
    outcome = run_sequence(recipe, "a", False, lambda stage, done, total: None)
    assert (outcome.evidence, outcome.masks) == ("made", "made")
    return recipe


def plan(recipe: Recipe, **how: Any) -> Plan:
    return plan_item(recipe, items(recipe)[0], **how)


def other_version(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    def installed(name: str) -> str:
        return "0" if name == library else metadata.version(name)

    monkeypatch.setattr(freshness, "_installed_version", installed)


def test_another_decoder_makes_evidence_stale_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = made(tmp_path / "data", tmp_path / "out")
    version = metadata.version("simplejpeg")
    item = items(recipe)[0]
    assert EvidenceReader(item.evidence_path).fingerprint["decoders"] == {"simplejpeg": version}
    assert "decoders" not in MaskReader(item.mask_path).fingerprint
    other_version(monkeypatch, "simplejpeg")
    found = plan(recipe)
    assert str(found.evidence) == f"stale (decoders.simplejpeg: {version} -> 0)"
    assert str(found.masks) == "stale (evidence is stale)"
    assert plan(recipe, masks_only=True).idle
    assert len(labelled_sequences(recipe)) == 1  # training decodes the frames anew, with what it has


def test_a_library_that_decodes_nothing_here_matters_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = made(tmp_path / "data", tmp_path / "out")
    other_version(monkeypatch, "av")
    assert plan(recipe).idle


def test_a_store_that_does_not_tell_its_decoder_is_judged_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(freshness, "frame_decoders", lambda *_: ())
        recipe = made(tmp_path / "data", tmp_path / "out")
    assert "decoders" not in EvidenceReader(items(recipe)[0].evidence_path).fingerprint
    other_version(monkeypatch, "simplejpeg")
    assert plan(recipe).idle


def test_what_decodes_is_told_by_the_bytes(tmp_path: Path) -> None:
    image = cv2.imread(str(_jpeg(tmp_path)))
    assert image is not None
    png, disguised = tmp_path / "a.png", tmp_path / "b.png"
    cv2.imwrite(str(png), image)
    shutil.copy(_jpeg(tmp_path), disguised)
    assert image_decoders([png]) == ["opencv-contrib-python"]
    assert image_decoders([disguised]) == ["simplejpeg"]
    assert image_decoders([png, disguised, tmp_path / "absent.jpg"]) == [
        "opencv-contrib-python",
        "simplejpeg",
    ]


def test_every_decoder_is_a_distribution() -> None:
    assert all(metadata.version(name) for name in LIBRARIES)


def test_evidence_made_again_with_other_pixels_is_told_from_changed_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another processor: the same inputs, and evidence that differs in a pixel."""
    here = made(tmp_path / "data", tmp_path / "here")
    usual = Mog2.label

    def otherwise(self: Mog2, clip: Any) -> Any:
        for number, evidence in enumerate(usual(self, clip)):
            evidence.values[22, 30] ^= number == 7
            yield evidence

    monkeypatch.setattr(Mog2, "label", otherwise)
    there = made(tmp_path / "data", tmp_path / "there")
    monkeypatch.undo()
    shutil.copy(items(there)[0].evidence_path, items(here)[0].evidence_path)
    found = plan(here)
    assert found.evidence.state == "fresh"
    assert str(found.masks) == (
        "stale (evidence was made again from the same inputs with other pixels, as another processor may)"
    )


def _jpeg(folder: Path) -> Path:
    path = folder / "frame.jpg"
    if not path.exists():
        cv2.imwrite(str(path), cv2.UMat(24, 32, cv2.CV_8UC3, (10, 90, 200)).get())
    return path
