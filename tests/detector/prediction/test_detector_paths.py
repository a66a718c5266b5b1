"""Folders with any name, any number of loader processes: nothing of the detector depends on either."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from spotlabel.detector.checkpoint import load_public_checkpoint
from spotlabel.detector.contract import Batch
from spotlabel.detector.data.frames import EpochBatches, FrameList, SampleRules
from spotlabel.detector.data.labelled import ClassMap, open_labelled
from spotlabel.detector.data.loader import Batches, LoaderOptions
from spotlabel.detector.data.split import Part
from spotlabel.detector.evaluation.traffic.files import read_detections, write_detections
from spotlabel.detector.model import ModelSpec, load_model, save_model
from spotlabel.pipeline.cli.main import main
from spotlabel.pipeline.datasets import mot
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.store import FrameState, MaskWriter, StoreInfo
from tests.helpers.detectors import mini
from tests.helpers.recipes import HEIGHT, WIDTH, video
from tests.helpers.training_data import labelled

NAME = "Straße 交通 №1"
ONE = ClassMap(("object",), merge=True)


def batches(part: Part, workers: int, canvas: tuple[int, int] = (64, 64)) -> list[Batch]:
    frames = FrameList((part,), ONE)
    order = EpochBatches(len(frames), 2, seed=1)
    options = LoaderOptions(workers, start_method="fork")
    return list(Batches(frames, order, SampleRules(canvas, seed=7), torch.device("cpu"), options).epoch(0))


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes:UserWarning")
def test_none_two_or_four_loader_processes_give_the_same_batches(tmp_path: Path) -> None:
    street = labelled(tmp_path, frames=8)
    part = Part(street, tuple(street.usable()))
    alone, two, four = (batches(part, workers) for workers in (0, 2, 4))
    assert len(alone) == 4
    for others in (two, four):
        for a, b in zip(alone, others, strict=True):
            assert a.keys() == b.keys()
            assert all(torch.equal(v, w) for v, w in zip(a.values(), b.values(), strict=True))
    views = {row.numpy().tobytes() for batch in alone for row in batch["image"]}
    assert len(views) == 8  # every sample of the epoch has its own view and colours


def test_images_and_masks_in_folders_of_any_name(tmp_path: Path) -> None:
    root = tmp_path / NAME
    video(root, NAME, frames=4)
    (sequence,) = mot.READER.sequences(root, mot.READER.options_type(), FrameOptions())
    annotations = sequence.load()
    path = root / "masks" / f"{NAME}.h5"
    path.parent.mkdir()
    facts = {"class_names": annotations.class_names}
    info = StoreInfo(sequence.name, sequence.frames.size, sequence.frames.numbers, {}, facts)
    with MaskWriter.writing(path, info, annotations.boxes) as writer:
        for index in range(len(sequence.frames)):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[20:32, :30] = 1
            count = len(annotations.boxes.at(index))
            writer.put(index, mask, FrameState.OK, np.ones(count, np.float32), np.ones(count, np.bool_))
    opened = open_labelled(sequence, path)
    (first, _) = batches(Part(opened, tuple(opened.usable())), workers=0)
    assert opened.name == NAME
    assert first["mask"].max() == 1
    assert first["present"].sum() == 2


def test_models_and_checkpoints_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    spec = ModelSpec(preset="centernet", backbone="hourglass-tiny", class_names=("авто", "巴士"))
    network = spec.build()
    save_model(folder / f"{NAME}.safetensors", network, spec)
    loaded, found = load_model(folder / f"{NAME}.safetensors")
    assert found == spec
    assert torch.equal(loaded.hm[0][1].bias, network.hm[0][1].bias)
    state = {name.removeprefix("backbone."): value for name, value in mini("centernet").state_dict().items()}
    torch.save({"state_dict": state}, folder / f"{NAME}.pth")
    report = load_public_checkpoint(mini("centernet", seed=1), folder / f"{NAME}.pth")
    assert (report.new, report.skipped, report.unknown) == ((), (), ())


@pytest.mark.parametrize("benchmark", ["ua-detrac", "uavdt"])
def test_detections_of_any_name(tmp_path: Path, benchmark: str) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    path = folder / f"{NAME}.txt"
    box, one = np.array([[10.0, 20, 40, 50]]), np.ones(1, np.int64)
    write_detections(path, benchmark, one, box, np.array([0.5]), image=(540, 960))
    assert read_detections(path, benchmark).boxes[0, 2:].tolist() == [30, 30]


def test_evaluation_of_any_name(tmp_path: Path) -> None:
    truth, found = tmp_path / NAME / "GT", tmp_path / NAME / "found"
    for folder in (truth, found):
        folder.mkdir(parents=True)
    (truth / f"{NAME}_gt_whole.txt").write_text("1,1,10,10,20,20,1,1,1\n")
    (truth / f"{NAME}_gt_ignore.txt").write_text("")
    (found / f"{NAME}.txt").write_text("1,-1,10,10,20,20,0.9,1,-1\n")
    arguments = ["--truth", str(truth), "--detections", str(found), "--only", NAME]
    result = CliRunner().invoke(main, ["evaluate", "uavdt", *arguments])
    assert result.exit_code == 0, result.output
    assert NAME in result.stdout
    assert "100.00" in result.stdout
