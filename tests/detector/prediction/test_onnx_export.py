"""ONNX files: onnxruntime finds what the detector finds, with nothing but the file at hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from spotlabel.detector.errors import PredictionError
from spotlabel.detector.model import ModelSpec, save_model
from spotlabel.detector.prediction.engine import Switches
from spotlabel.detector.prediction.onnx_export import export_onnx
from spotlabel.detector.prediction.predictor import Predictor
from spotlabel.pipeline.cli.main import main

HEIGHT, WIDTH = 40, 50


def detector(preset: str):
    """A random network whose heatmap is spread out, so that no two scores are near each other."""
    torch.manual_seed(0)
    spec = ModelSpec(preset=preset, backbone="hourglass-tiny", class_names=("car", "bus"))
    network = spec.build().eval()
    with torch.no_grad():
        network.hm[-1][-1].weight *= 100
        network.wh[-1][-1].bias.fill_(5)
    return network, spec


def images(count):
    return list(np.random.default_rng(0).integers(0, 256, (count, HEIGHT, WIDTH, 3), np.uint8))


def canvases(pictures, facts):
    """What a program does that knows the file alone."""
    height, width = json.loads(facts["canvas"])
    y, x = json.loads(facts["offset"])
    batch = np.zeros((len(pictures), height, width, 3), np.float32)
    batch[:, y : y + HEIGHT, x : x + WIDTH] = np.stack(pictures) / np.float32(255)
    mean, std = (np.array(json.loads(facts[key]), np.float32) for key in ("mean", "std"))
    return np.ascontiguousarray(((batch - mean) / std).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("preset", ["centernet", "spotnet-paper"])
def test_onnxruntime_finds_the_same_boxes(preset, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs spotlabel[onnx]")
    network, spec = detector(preset)
    path = tmp_path / "m.onnx"
    assert export_onnx(path, network, spec, (HEIGHT, WIDTH), count=50) == (64, 64)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["class_names"]) == ["car", "bus"]
    assert (facts["channels"], json.loads(facts["offset"])) == ("BGR", [12, 7])
    assert (json.loads(facts["image"]), json.loads(facts["canvas"])) == ([HEIGHT, WIDTH], [64, 64])
    assert json.loads(facts["boxes_order"]) == ["x0", "y0", "x1", "y1"]
    steps = json.loads(facts["steps"])
    assert steps.index("put the image on a black canvas at offset") < steps.index("subtract mean")
    assert ModelSpec.model_validate_json(facts["spec"]) == spec
    names = [output.name for output in session.get_outputs()]
    assert names == ["boxes", "scores", "classes", *(["attention"] if preset != "centernet" else [])]
    for count in (1, 3):
        pictures = images(count)
        answers = dict(zip(names, session.run(None, {"image": canvases(pictures, facts)}), strict=True))
        found = Predictor(network, spec, switches=Switches("cpu")).predict(pictures, len(names) == 4)
        for k, expected in enumerate(found):
            peaks = np.count_nonzero(expected.score[:50])
            assert peaks > 20
            boxes = answers["boxes"][k] - np.array([7, 12, 7, 12])
            np.testing.assert_allclose(boxes[:peaks], expected.boxes[:peaks], atol=1e-3)
            np.testing.assert_allclose(answers["scores"][k][:peaks], expected.score[:peaks], atol=1e-5)
            assert answers["classes"][k][:peaks].tolist() == expected.class_id[:peaks].tolist()
            if expected.attention:
                cropped = answers["attention"][k, 12 : 12 + HEIGHT, 7 : 7 + WIDTH]
                np.testing.assert_allclose(cropped, expected.attention["seg"], atol=1e-4)


def test_without_the_packages_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(PredictionError, match=r"export needs onnx, .* \(pip install spotlabel\[onnx\]\)"):
        export_onnx(tmp_path / "m.onnx", *detector("centernet"), (HEIGHT, WIDTH))
    assert list(tmp_path.iterdir()) == []


def test_a_detector_without_a_graph_is_refused_in_one_line(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript", reason="needs spotlabel[onnx]")
    network, spec = detector("centernet")
    monkeypatch.setattr(network, "graph", lambda count: None)
    with pytest.raises(PredictionError, match="centernet cannot be written as ONNX"):
        export_onnx(tmp_path / "m.onnx", network, spec, (HEIGHT, WIDTH))
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path: Path, monkeypatch):
    network, spec = detector("centernet")
    save_model(tmp_path / "m.safetensors", network, spec)
    asked = []

    def recorded(path, network, spec, size, *, opset):
        asked.append((path, spec.preset, size, opset))
        return 640, 1024

    monkeypatch.setattr("spotlabel.detector.cli.export.export_onnx", recorded)

    def run(*arguments):
        return CliRunner().invoke(main, ["export", "onnx", *map(str, arguments)])

    model, out = tmp_path / "m.safetensors", tmp_path / "m.onnx"
    result = run(model, out, "--size", "540x960", "--opset", 20)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out}: centernet on hourglass-tiny, canvas 640x1024\n"
    assert asked == [(out, "centernet", (540, 960), 20)]
    for arguments, problem in (
        ((tmp_path / "no.safetensors", out, "--size", "9x9"), "no such model file"),
        ((model, tmp_path / "no" / "m.onnx", "--size", "9x9"), "no: no such folder"),
        ((model, out, "--size", "540"), "expected HEIGHTxWIDTH like 540x960, found '540'"),
        ((model, out, "--size", "0x5"), "expected HEIGHTxWIDTH"),
        ((model, out, "--size", "9x9", "--opset", 9), "9 is not in the range 18<=x<=23"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert problem in result.stderr
