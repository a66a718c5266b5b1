"""A paper's table made anew at toy size, and what each table would run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.reproduce.__main__ import main
from benchmarks.reproduce.beside import beside
from benchmarks.reproduce.steps import Given
from benchmarks.reproduce.tables import TABLES
from spotlabel.detector.model import read_model
from tests.helpers.still_files import write_rectangles_sbd, write_rectangles_voc

TOY = (
    "training.base=small", "training.backbone=small-c4", "training.epochs=1", "training.batch=2",
    "training.pictures=1", "stills.short=32", "stills.long=48", "stills.every_held_out=3",
)  # fmt: skip


def test_a_table_at_toy_size_from_pictures_to_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    names = [f"{k:06}" for k in range(1, 7)]
    for year in ("VOC2007", "VOC2012"):
        write_rectangles_voc(tmp_path / "VOCdevkit" / year, "trainval", names)
    write_rectangles_voc(tmp_path / "VOCdevkit" / "VOC2007", "test", ["000101", "000102"], seed=4)
    for split in ("train", "val"):
        write_rectangles_sbd(tmp_path / "benchmark_RELEASE", split, [f"{split}_{k}" for k in range(3)])
    out = tmp_path / "out"
    options = [word for change in TOY for word in ("--set", change)]
    ran = CliRunner().invoke(
        main, ["als-voc07", "--data", str(tmp_path), "--out", str(out), "--device", "cpu", *options]
    )
    assert ran.exit_code == 0, capfd.readouterr().err
    table = (out / "table.md").read_text()
    assert ran.stdout == table
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].strip("| *") for row in rows[2:5]] == [
        "Faster R-CNN, here", "split, no attention, here", "ALS, here"
    ]  # fmt: skip
    assert "| ALS | 80.1 |" in table
    told = capfd.readouterr().err
    assert "last.safetensors (als-split on small-c4) into als on small-c4: copied" in told
    spec, tensors = read_model(out / "training" / "als" / "last.safetensors")
    assert spec.preset == "als"
    assert any(name.startswith("separation.") for name in tensors)


@pytest.mark.parametrize("name", [name for name in TABLES if name != "spotnet-cdnet"])
def test_every_table_trains_detects_and_measures_each_network(name: str, tmp_path: Path) -> None:
    for sequence in ("M0101", "M0203"):
        (tmp_path / "UAV-benchmark-M" / sequence).mkdir(parents=True)
    ran = CliRunner().invoke(main, [name, "--data", str(tmp_path), "--out", "OUT", "--dry-run"])
    assert ran.exit_code == 0, ran.output
    lines = [shlex.split(line) for line in ran.stdout.splitlines()]
    kinds = [line[1] for line in lines if line[1] != "label"]
    assert kinds == ["train", "detect", "evaluate"] * len(TABLES[name].networks)
    assert {line[0] for line in lines} == {"spotlabel"}


def test_uavdt_is_trained_on_what_is_not_its_test_set(tmp_path: Path) -> None:
    for sequence in ("M0101", "M0203"):
        (tmp_path / "UAV-benchmark-M" / sequence).mkdir(parents=True)
    ran = CliRunner().invoke(main, ["spotnet-uavdt", "--data", str(tmp_path), "--dry-run"])
    label, train, detect, *_ = ran.stdout.splitlines()
    assert label.count("--only") == train.count("--only M0101") == 1
    assert detect.count("--only") == 20
    assert "--only M0101" not in detect


def test_what_is_not_given_is_told() -> None:
    ran = CliRunner().invoke(main, ["spotnet-cdnet", "--data", "x", "--dry-run"])
    assert ran.exit_code == 2
    assert "--model: is required: a SpotNet" in ran.output
    ran = CliRunner().invoke(main, ["spotnet-uavdt", "--data", "nowhere", "--dry-run"])
    assert ran.exit_code == 2
    assert "nowhere/UAV-benchmark-M: no such folder" in ran.output


def test_figures_come_from_the_benchmarks_own_reports(tmp_path: Path) -> None:
    given = Given(Path("data"), tmp_path)
    for name, text in {
        "centernet": '{"overall": {"ap": 51.25}}',
        "spotnet-multitask": '{"overall": {"ap": null}}',
        "spotnet": '{"overall": {"ap": 52.66}, "subset": {"overall": {"ap": 52.66}}}',
    }.items():
        given.report(name).mkdir(parents=True)
        (given.report(name) / "report.json").write_text(text)
    text = beside(TABLES["spotnet-uavdt"], given)
    assert "| **CenterNet, here** | **51.2** |" in text
    assert "| **SpotNet, no attention, here** | **-** |" in text
    assert "| **SpotNet, here** | **52.7** |" in text
    assert "| SpotNet | 52.8 |" in text
