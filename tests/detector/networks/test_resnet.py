"""ResNet backbones: torchvision's sizes, names and numbers; ImageNet weights from files and packages."""

from __future__ import annotations

import types
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from spotlabel.detector.centernet.presets import PRESETS, build_detector
from spotlabel.detector.checkpoint import CheckpointError
from spotlabel.detector.networks import imagenet
from spotlabel.detector.networks.backbones import BACKBONES, build_backbone
from spotlabel.detector.networks.imagenet import imagenet_weights, load_imagenet
from spotlabel.detector.networks.resnet import RESNET_18, RESNET_34, ResNet
from tests.helpers import hash_tensors

torch.set_num_threads(1)

# Mean, standard deviation and last element of the outputs of the four stages: torchvision 0.28 in float64,
# filled by name with hash tensors, on an RGB image.
GOLDEN = {
    "resnet18": [
        (1.234597868e00, 7.463762862e-01, 3.778246349e-01),
        (6.161438251e-01, 7.863727167e-01, 0.000000000e00),
        (3.404030611e-01, 4.607002614e-01, 3.045748850e-01),
        (1.804909502e-01, 2.371543744e-01, 1.670306159e-01),
    ],
    "resnet50": [
        (4.420632199e-01, 5.955559581e-01, 2.557337452e00),
        (2.967598577e-01, 3.425845941e-01, 1.793135372e-01),
        (2.086792403e-01, 2.210402801e-01, 7.128120174e-02),
        (1.188169164e-01, 1.423456167e-01, 2.955378133e-01),
    ],
}


def public(backbone: ResNet, classifier: bool = True) -> dict[str, Tensor]:
    """A public state dict for a backbone's trunk, filled by name: float64."""
    state = {k: hash_tensors.parameter(k, tuple(v.shape)) for k, v in backbone.trunk.state_dict().items()}
    if classifier:
        width = backbone.trunk.widths[-1]
        state |= {"fc.weight": torch.zeros(10, width).double(), "fc.bias": torch.zeros(10).double()}
    return state


@pytest.mark.parametrize(
    ("name", "parameters", "entries"),
    [("resnet18", 11_176_512, 120), ("resnet34", 21_284_672, 216), ("resnet50", 23_508_032, 318)],
)
def test_trunks_have_the_size_of_torchvisions(name: str, parameters: int, entries: int) -> None:
    with torch.device("meta"):
        trunk = build_backbone(name).trunk
    assert sum(p.numel() for p in trunk.parameters()) == parameters
    assert len(trunk.state_dict()) == entries


def test_names_are_torchvisions() -> None:
    with torch.device("meta"):
        small, large = (set(build_backbone(name).trunk.state_dict()) for name in ("resnet18", "resnet50"))
    assert {"conv1.weight", "bn1.running_mean", "bn1.num_batches_tracked"} <= small & large
    assert {"layer2.0.downsample.0.weight", "layer2.0.downsample.1.bias", "layer4.1.bn2.weight"} <= small
    assert {"layer1.0.downsample.1.running_var", "layer3.5.conv3.weight", "layer4.2.bn3.bias"} <= large
    assert not any(name.startswith("layer1.0.downsample") for name in small)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_stages_give_torchvisions_numbers_on_the_same_image(name: str) -> None:
    backbone = build_backbone(name).double().eval()
    load_imagenet(backbone, public(backbone))
    bgr = hash_tensors.tensor("input", (1, 3, 64, 64), -2, 2)
    with torch.no_grad():
        found = backbone.trunk(bgr)
    for stage, expected in zip(found, GOLDEN[name], strict=True):
        figures = (float(stage.mean()), float(stage.std()), float(stage[0, -1, -1, -1]))
        assert figures == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_one_feature_map_of_stride_four() -> None:
    backbone = build_backbone("resnet18").eval()
    with torch.no_grad():
        (feature,) = backbone(torch.zeros(2, 3, 64, 96))
    assert feature.shape == (2, backbone.channels, 16, 24)
    assert (backbone.stride, backbone.maps, backbone.multiple) == (4, 1, 32)


def test_every_stage_reaches_the_feature_map() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18").eval()
    backbone(torch.randn(1, 3, 64, 64))[0].square().mean().backward()
    assert all(p.grad is not None and bool((p.grad != 0).any()) for p in backbone.parameters())


@pytest.mark.parametrize("preset", PRESETS)
def test_resnets_carry_every_preset(preset: str) -> None:
    model = build_detector(preset, ResNet(RESNET_18, channels=16), 2).eval()
    size = model.multiple
    with torch.no_grad():
        (out,) = model.outputs(torch.zeros(1, 3, size, 2 * size))
    assert out["hm"].shape == (1, 2, size // 4, size // 2)
    with pytest.raises(ValueError, match=f"multiples of {model.multiple}"):
        model.outputs(torch.zeros(1, 3, size + 16, size))


def test_unknown_names_are_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no backbone 'vgg'; there are hourglass-104, .*resnet18, resnet34"):
        build_backbone("vgg")
    assert {"resnet18", "resnet34", "resnet50"} <= set(BACKBONES)
    with pytest.raises(ValueError, match="no ImageNet weights of 'hourglass-52'"):
        imagenet_weights("hourglass-52")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file_are_loaded_for_bgr(tmp_path: Path, suffix: str) -> None:
    backbone = build_backbone("resnet18").double()
    wanted = public(backbone)
    path = tmp_path / f"resnet18{suffix}"
    if suffix == ".pth":
        torch.save(wanted, path)
    else:
        save_file(wanted, path)
    report = load_imagenet(backbone, imagenet_weights("resnet18", path))
    assert (len(report.copied), report.new, report.skipped) == (100, (), ())
    assert sorted(report.unknown) == ["fc.bias", "fc.weight"]
    state = backbone.trunk.state_dict()
    assert torch.equal(state["conv1.weight"], wanted["conv1.weight"][:, [2, 1, 0]])
    assert torch.equal(state["layer4.1.bn2.running_var"], wanted["layer4.1.bn2.running_var"])


def test_old_files_without_counters_load(tmp_path: Path) -> None:
    backbone = build_backbone("resnet18").double()
    wanted = {k: v for k, v in public(backbone, classifier=False).items() if "num_batches" not in k}
    report = load_imagenet(backbone, wanted)
    assert (len(report.copied), report.unknown) == (100, ())


def test_weights_of_another_network_are_refused() -> None:
    large = public(ResNet(RESNET_34).double())
    small = public(ResNet(RESNET_18).double())
    with pytest.raises(CheckpointError, match=r"they also hold layer1\.2\.conv1\.weight and \d+ more"):
        load_imagenet(ResNet(RESNET_18), large)
    with pytest.raises(CheckpointError, match=r"they lack layer1\.2\.conv1\.weight and"):
        load_imagenet(ResNet(RESNET_34), small)
    with pytest.raises(CheckpointError, match=r"they misfit in conv1\.weight"):
        load_imagenet(ResNet(RESNET_18), {**small, "conv1.weight": torch.zeros(64, 1, 7, 7)})
    with pytest.raises(CheckpointError, match="no tensor that fits"):
        load_imagenet(ResNet(RESNET_18), {"x": torch.zeros(1)})


def test_bad_files_are_named(tmp_path: Path) -> None:
    for suffix in (".pth", ".safetensors"):
        path = tmp_path / f"weights{suffix}"
        with pytest.raises(CheckpointError, match=rf"weights\{suffix}: there is no such"):
            imagenet_weights("resnet18", path)
        path.write_bytes(b"not weights at all")
        with pytest.raises(CheckpointError, match=rf"weights\{suffix}: "):
            imagenet_weights("resnet18", path)
    save_file({"conv1.weight": torch.tensor([float("nan")])}, path)
    with pytest.raises(CheckpointError, match=r"conv1\.weight: the tensor holds NaN"):
        imagenet_weights("resnet18", path)


@pytest.mark.parametrize(
    "error", [ImportError("No module named x"), RuntimeError("operator does\nnot exist"), OSError("offline")]
)
def test_without_a_package_that_works_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(name: str) -> None:
        raise error

    monkeypatch.setattr(imagenet.importlib, "import_module", refuse)
    with pytest.raises(CheckpointError, match=r"no ImageNet weights of resnet34.*torchvision: .*timm: ") as e:
        imagenet_weights("resnet34")
    assert "\n" not in str(e.value)
    assert "give a file of them" in str(e.value)


def test_packages_are_asked_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, object]]] = []
    weights = {"conv1.weight": torch.ones(1)}

    class Entry:
        def get_state_dict(self, **options: object) -> dict[str, Tensor]:
            asked.append(("torchvision", options))
            return weights

    class Network:
        def state_dict(self) -> dict[str, Tensor]:
            return weights

    def create_model(name: str, **options: object) -> Network:
        asked.append((name, options))
        return Network()

    models = types.SimpleNamespace(
        get_model_weights=lambda name: types.SimpleNamespace(DEFAULT=Entry() if name == "resnet18" else None)
    )
    packages = {"torchvision.models": models, "timm": types.SimpleNamespace(create_model=create_model)}

    def find(name: str) -> object:
        if name not in packages:
            raise ImportError(name)
        return packages[name]

    monkeypatch.setattr(imagenet.importlib, "import_module", find)
    assert imagenet_weights("resnet18") == weights
    del packages["torchvision.models"]
    assert imagenet_weights("resnet50") == weights
    assert asked == [
        ("torchvision", {"progress": False, "check_hash": True, "weights_only": True}),
        ("resnet50.tv_in1k", {"pretrained": True}),
    ]
