"""Labelers that are made of a folder: the content of the files that count decides, and nothing else of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spotlabel.pipeline import inputs
from spotlabel.pipeline.recipes.recipe import build_recipe
from spotlabel.pipeline.store import EvidenceReader
from spotlabel.pipeline.upkeep import labeler_files
from spotlabel.pipeline.upkeep.plan import items
from tests.helpers.recipes import spotlabel, stores, write
from tests.helpers.sam_folders import sam_folder
from tests.helpers.teacher_bench import TeacherBench

pytest.importorskip("transformers", reason="needs spotlabel[sam]")
pytest.importorskip("onnx", reason="needs spotlabel[teach]")


@pytest.fixture
def bench(tmp_path: Path) -> TeacherBench:
    made = TeacherBench(tmp_path, sam_folder(tmp_path / "networks" / "sam2", "sam2_video"), length=6)
    made.make()
    assert made.plan().idle
    return made


def test_a_copy_elsewhere_is_the_same_network_whatever_lies_beside_it(
    bench: TeacherBench, tmp_path: Path
) -> None:
    copy = shutil.copytree(bench.network, tmp_path / "elsewhere")
    shutil.rmtree(bench.network)
    (copy / "README.md").write_text("Of no account.")
    (copy / "sam2.1_hiera_tiny.pt").write_bytes(b"a pickle")
    evidence = {"teacher": {"network": str(copy)}}
    assert bench.plan(evidence=evidence).idle
    assert bench.run(evidence=evidence, out=str(tmp_path / "other")).error == ""
    made = stores(tmp_path / "out")
    assert stores(tmp_path / "other") == made
    assert all(str(tmp_path).encode() not in content for content in made.values())


def other_weights(folder: Path) -> None:
    shutil.rmtree(folder)
    sam_folder(folder, "sam2_video", seed=1)


def other_colours(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text().replace("0.485", "0.5"))


@pytest.mark.parametrize("change", [other_weights, other_colours])
def test_another_content_makes_evidence_stale(bench: TeacherBench, change: Callable[[Path], None]) -> None:
    before = stores(Path(bench.tree["out"]))
    change(bench.network)
    assert str(bench.plan().evidence) == "stale (files.network changed)"
    assert bench.run().evidence == "made"
    assert bench.plan().idle
    assert stores(Path(bench.tree["out"])).items().isdisjoint(before.items())


def test_what_runs_a_folder_belongs_to_what_evidence_depends_on(bench: TeacherBench, tmp_path: Path) -> None:
    fingerprint = EvidenceReader(tmp_path / "out/evidence/teacher/a.h5").fingerprint
    assert set(fingerprint["files"]) == {"network"}
    assert {"safetensors", "torch", "transformers"} < set(fingerprint["libraries"])
    recipe = build_recipe({**bench.tree, "evidence": {"teacher": {"network": str(tmp_path / "file.onnx")}}})
    libraries = items(recipe)[0].evidence_fingerprint(recipe, with_files=False)["libraries"]
    assert not {"safetensors", "torch", "transformers"} & set(libraries)


def test_a_folder_that_lacks_something_is_a_problem_of_every_video(
    bench: TeacherBench, tmp_path: Path
) -> None:
    (bench.network / "model.safetensors").rename(bench.network / "pytorch_model.bin")
    expected = (
        f"evidence.teacher.network: {bench.network}: lacks model.safetensors: pytorch_model.bin is a pickle, "
        "which is never opened; save it as safetensors"
    )
    assert bench.plan().problem == expected
    outcome = bench.run(out=str(tmp_path / "other"))
    assert outcome.error == expected
    assert not list((tmp_path / "other").rglob("*.h5"))


def test_relabelling_needs_no_network(bench: TeacherBench) -> None:
    (bench.network / "model.safetensors").unlink()
    outcome = bench.run(masks_only=True, masks={"min_blob": 99})
    assert (outcome.error, outcome.evidence, outcome.masks) == ("", "fresh", "made")
    shutil.rmtree(bench.network)
    outcome = bench.run(masks_only=True, masks={"min_blob": 98})
    assert (outcome.error, outcome.evidence, outcome.masks) == ("", "fresh", "made")


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_file_that_changes_while_it_is_used_is_no_input(
    bench: TeacherBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """After it was hashed, and with what it was changed back before anybody looks again."""

    def late(path: Path) -> Any:
        if path.name == name:
            content = path.read_bytes()
            path.write_bytes(b"other")
            path.write_bytes(content)
        return inputs.open_input(path)

    monkeypatch.setattr(labeler_files, "open_input", late)
    assert "changed while it was in use" in bench.run(out=str(tmp_path / "other")).error
    assert not list((tmp_path / "other").rglob("*.h5"))


def test_what_the_network_cannot_do_fails_the_video_in_a_line(bench: TeacherBench) -> None:
    (bench.network / "model.safetensors").write_bytes(b"no network")
    error = bench.run().error
    assert error.startswith(f"teacher: network: {bench.network}: model.safetensors is damaged: ")
    assert "\n" not in error


@pytest.mark.parametrize(
    "labeler", ["boxbg-teacher", "egoflow-cut-teacher", "boxbg-student", "egoflow-cut-student"]
)
def test_the_other_learned_labelers_take_folders_too(
    bench: TeacherBench, tmp_path: Path, labeler: str
) -> None:
    settings: dict[str, Any] = {"network": str(bench.network)}
    if labeler.endswith("student"):
        settings["teaching"] = {"size": 64, "steps": 2, "batch": 2, "boxes": 8}
    changes = {"labeler": labeler, "evidence": {labeler: settings}}
    outcome = bench.run(**changes)
    assert (outcome.error, outcome.evidence, outcome.masks) == ("", "made", "made")
    assert bench.plan(**changes).idle
    other_weights(bench.network)
    assert "files.network changed" in str(bench.plan(**changes).evidence)


def test_a_rendered_scene_is_labelled_with_the_same_bytes_twice(tmp_path: Path) -> None:
    """By the command, whose children find the folder by a relative path."""
    sam_folder(tmp_path / "models" / "sam", "sam")
    scene = {"name": "street", "frames": 6, "width": 160, "height": 96}
    recipe = {
        "dataset": {"reader": "synthetic", "scenes": [scene]},
        "labeler": "teacher",
        "evidence": {"teacher": {"network": "models/sam"}},
    }
    for out in ("one", "two"):
        path = write(tmp_path / f"{out}.yaml", {**recipe, "out": str(tmp_path / out)})
        done = spotlabel("label", path, "--jobs", "1", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    made = stores(tmp_path / "one")
    assert len(made) == 2
    assert stores(tmp_path / "two") == made
    status = spotlabel("status", path, cwd=tmp_path)
    assert status.returncode == 0, status.stdout
    other_weights(tmp_path / "models" / "sam")
    status = spotlabel("status", path, cwd=tmp_path)
    assert status.returncode == 1
    assert "files.network changed" in status.stdout
