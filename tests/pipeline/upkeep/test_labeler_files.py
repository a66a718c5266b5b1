"""Labelers that are made of files: content counts, not place, and a missing one says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlabel.pipeline import inputs
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.store import EvidenceReader, MaskReader
from spotlabel.pipeline.upkeep import labeler_files
from spotlabel.pipeline.upkeep.labelled import labelled_sequences
from tests.helpers.recipes import spotlabel, tree, write
from tests.helpers.segmenters import segmenter
from tests.helpers.teacher_bench import TeacherBench

pytest.importorskip("onnxruntime", reason="needs spotlabel[learned]")


@pytest.fixture
def bench(tmp_path: Path) -> TeacherBench:
    network = tmp_path / "networks" / "red.onnx"
    network.parent.mkdir()
    network.write_bytes(segmenter())
    made = TeacherBench(tmp_path, network)
    made.make()
    return made


def test_a_relative_path_is_found_by_children_too(tmp_path: Path) -> None:
    """They run in a folder of their own; ``models/u2net.onnx``, the default, is such a path."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "u2net.onnx").write_bytes(segmenter())
    recipe = write(
        tmp_path / "recipe.yaml", {**tree(tmp_path / "data", tmp_path / "out", "a"), "labeler": "teacher"}
    )
    done = spotlabel("label", recipe, "--jobs", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "masks" / "a.h5").is_file()


def test_the_place_of_a_file_does_not_count(bench: TeacherBench, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.onnx"
    bench.network.rename(moved)
    evidence = {"teacher": {"network": str(moved)}}
    assert bench.plan(evidence=evidence).idle
    assert bench.run(evidence=evidence, out=str(tmp_path / "other")).error == ""
    for kind in ("evidence/teacher", "masks"):
        store, other = (tmp_path / out / kind / "a.h5" for out in ("out", "other"))
        assert store.read_bytes() == other.read_bytes()
        assert str(tmp_path).encode() not in store.read_bytes()


def test_another_content_makes_evidence_stale(bench: TeacherBench) -> None:
    bench.network.write_bytes(segmenter(steepness=20))
    assert str(bench.plan().evidence) == "stale (files.network changed)"
    assert bench.run().evidence == "made"
    assert bench.plan().idle


def test_a_missing_file_is_told_in_a_line_that_says_what_to_do(bench: TeacherBench, tmp_path: Path) -> None:
    bench.network.unlink()
    expected = (
        f"evidence.teacher.network: {bench.network} cannot be read (No such file or directory); "
        "`make teacher` fetches U2-Net's (docs/learned.md), or name another box segmenter"
    )
    assert bench.plan().problem == expected
    outcome = bench.run(out=str(tmp_path / "other"))
    assert outcome.error == expected
    assert not list((tmp_path / "other").rglob("*.h5"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("~nobody-of-this-name/x.onnx", "cannot be read (No such file or directory)"),
        ("x" * 300, "cannot be read (File name too long)"),
        ("a\0b", r"no path can hold a NUL character: 'a\x00b'"),
    ],
    ids=["home of nobody", "long", "NUL"],
)
def test_a_path_that_cannot_be_is_told_in_a_line_that_names_the_setting(
    bench: TeacherBench, name: str, reason: str
) -> None:
    evidence = {"teacher": {"network": name}}
    for problem in (bench.plan(evidence=evidence).problem, bench.run(evidence=evidence).error):
        assert problem.startswith("evidence.teacher.network: ")
        assert reason in problem
        assert "\0" not in problem


def test_a_folder_that_holds_no_network_says_what_it_should_hold(bench: TeacherBench) -> None:
    folder = {"teacher": {"network": str(bench.network.parent)}}
    problem = bench.plan(evidence=folder).problem
    assert (
        "networks: lacks config.json and preprocessor_config.json and model.safetensors; expected" in problem
    )


def test_relabelling_and_training_need_no_network(bench: TeacherBench) -> None:
    bench.network.unlink()
    outcome = bench.run(masks_only=True, masks={"min_blob": 99})
    assert (outcome.error, outcome.evidence, outcome.masks) == ("", "fresh", "made")
    recipe = build_recipe({**bench.tree, "masks": {"min_blob": 99}})
    assert len(labelled_sequences(recipe)) == 1


def test_a_file_that_changes_while_it_is_used_is_no_input(
    bench: TeacherBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(path: Path) -> bytes:
        path.write_bytes(segmenter(steepness=20))
        return inputs.read_input(path)

    monkeypatch.setattr(labeler_files, "read_input", late)
    assert "changed while it was in use" in bench.run(out=str(tmp_path / "other")).error
    assert not list((tmp_path / "other").rglob("*.h5"))


def test_what_the_network_cannot_do_fails_the_video_in_a_line(bench: TeacherBench) -> None:
    bench.network.write_bytes(b"no network")
    error = bench.run().error
    assert error.startswith(f"teacher: network: {bench.network}: cannot be loaded")
    assert "\n" not in error


def test_stores_tell_the_settings_and_the_content(bench: TeacherBench, tmp_path: Path) -> None:
    evidence = EvidenceReader(tmp_path / "out/evidence/teacher/a.h5")
    assert evidence.structure("settings") == {"batch": 16, "device": "cpu"}
    assert set(evidence.fingerprint["files"]) == {"network"}
    assert MaskReader(tmp_path / "out/masks/a.h5").structure("evidence_fingerprint") == evidence.fingerprint
