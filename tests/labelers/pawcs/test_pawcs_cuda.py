"""PAWCS on a GPU, in numba's simulator: the same bits as on the CPU; what is said where there is no GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from spotlabel.labelers.errors import LabelerError
from spotlabel.labelers.pawcs import PawcsSettings, devices
from spotlabel.labelers.pawcs.engine import PawcsEngine
from tests.conftest import ROOT

IMAGE = np.zeros((16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def simulated() -> dict[str, Any]:
    root = str(ROOT)
    paths = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    child = subprocess.run(
        [sys.executable, "-m", "tests.helpers.pawcs_cuda_child", "10"],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": paths},
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    answer: dict[str, Any] = json.loads(child.stdout)
    return answer


def test_a_batch_gives_the_masks_of_the_cpu_on_each_video_alone(simulated: dict[str, Any]) -> None:
    assert simulated["masks"] == [0] * 20
    assert simulated["levels"] == [0] * 19


def test_so_are_the_models(simulated: dict[str, Any]) -> None:
    for model in simulated["models"]:
        assert all(model.values()), model


def test_the_scenes_put_every_path_to_the_test(simulated: dict[str, Any]) -> None:
    assert len(simulated["events"]) == 9
    assert all(count > 0 for count in simulated["events"].values()), simulated["events"]


def test_the_labeler_gives_the_same_evidence(simulated: dict[str, Any]) -> None:
    assert simulated["labeler"]


@pytest.fixture
def without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_problem", lambda: "no usable GPU was found")


@pytest.mark.usefixtures("without_cuda")
def test_cuda_without_a_gpu_is_one_clear_line() -> None:
    with pytest.raises(LabelerError, match=r"device: cuda: no usable GPU .* use device: cpu") as error:
        devices.create_engine(IMAGE, PawcsSettings(device="cuda"))
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("without_cuda")
@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_other_devices_come_to_the_cpu(device: Any) -> None:
    assert isinstance(devices.create_engine(IMAGE, PawcsSettings(device=device)), PawcsEngine)


def test_auto_takes_a_gpu_where_there_is_one_but_not_for_parity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cuda_problem", lambda: "")
    assert devices.chosen_device(PawcsSettings(device="auto")) == "cuda"
    assert devices.chosen_device(PawcsSettings(device="cuda")) == "cuda"
    assert devices.chosen_device(PawcsSettings(device="auto", parity=True)) == "cpu"
    assert devices.chosen_device(PawcsSettings()) == "cpu"


def test_parity_on_a_gpu_is_refused() -> None:
    with pytest.raises(ValidationError, match="use device: cpu"):
        PawcsSettings(device="cuda", parity=True)


def test_only_a_device_other_than_the_cpu_enters_fingerprints() -> None:
    assert "device" not in PawcsSettings().model_dump(mode="json")
    assert PawcsSettings(device="cuda").model_dump(mode="json")["device"] == "cuda"
