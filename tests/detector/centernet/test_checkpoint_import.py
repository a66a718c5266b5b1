"""Import of public checkpoints: names, counts, old formats, and files that must be refused."""

import os
import pickle
import re
import zipfile

import pytest
import torch

from spotlabel.detector.centernet.presets import build_detector
from spotlabel.detector.checkpoint import (
    CheckpointError,
    import_public,
    load_public_checkpoint,
    public_name,
    read_public_checkpoint,
)
from spotlabel.detector.networks.hourglass import HOURGLASS_104, Hourglass
from tests.helpers.detectors import mini

BN = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
RESIDUAL = rf"(conv[12]\.weight|bn[12]\.{BN}|skip\.0\.weight|skip\.1\.{BN})"
CONV_BN = rf"(conv\.weight|bn\.{BN})"
CONV_BIAS = r"(weight|bias)"
UNET = r"(inc|down[1-4]\.maxpool_conv\.1|up[1-4]\.conv|up5\.conv|up6\.conv)\.double_conv"
PUBLIC = [
    rf"pre\.0\.{CONV_BN}",
    rf"pre\.1\.{RESIDUAL}",
    rf"kps\.[01](\.low2){{0,4}}\.(up1|low1|low3)\.[01]\.{RESIDUAL}",
    rf"kps\.[01](\.low2){{5}}\.[0-3]\.{RESIDUAL}",
    rf"cnvs\.[01]\.{CONV_BN}",
    rf"inters\.0\.{RESIDUAL}",
    rf"(inters_|cnvs_)\.0\.(0\.weight|1\.{BN})",
    rf"(hm|wh|reg)\.[01]\.(0\.conv|1)\.{CONV_BIAS}",
]
SEG = {
    "spotnet-released": [rf"seg\.[01]\.(0\.conv|2\.conv|3)\.{CONV_BIAS}"],
    "spotnet2": [
        rf"seg\.[01]\.{UNET}\.([03]\.{CONV_BIAS}|[14]\.{BN})",
        rf"seg\.[01]\.outc\.conv\.{CONV_BIAS}",
    ],
}


def on_meta(preset, classes):
    with torch.device("meta"):
        return build_detector(preset, Hourglass(HOURGLASS_104), classes)


def test_names_are_the_public_ones():
    for preset, seg in SEG.items():
        patterns = [re.compile(p) for p in [*PUBLIC, *seg]]
        names = [public_name(k) for k in on_meta(preset, 1).state_dict()]
        assert [n for n in names if not any(p.fullmatch(n) for p in patterns)] == []
        assert all(any(p.fullmatch(n) for n in names) for p in patterns)


def test_shapes_are_the_public_ones():
    state = {public_name(k): tuple(v.shape) for k, v in on_meta("centernet", 80).state_dict().items()}
    assert state["pre.0.conv.weight"] == (128, 3, 7, 7)
    assert state["kps.0.low2.low1.0.conv1.weight"] == (384, 256, 3, 3)
    assert state["hm.0.1.weight"] == (80, 256, 1, 1)


def test_counts_of_coco_weights_into_one_class():
    coco = {
        public_name(k): v for k, v in on_meta("centernet", 80).state_dict().items() if "num_batches" not in k
    }
    report = import_public(on_meta("spotnet-released", 1), coco)
    assert (len(report.copied), len(report.skipped), len(report.new), len(report.unknown)) == (820, 4, 12, 0)
    assert set(report.skipped) == {f"hm.{k}.1.{part}" for k in (0, 1) for part in ("weight", "bias")}
    assert all(name.startswith("seg.") for name in report.new)
    assert str(report).startswith("copied 820 of 824 tensors, 4 skipped for their shape")


def save(path, state, legacy=False, **more):
    torch.save({"epoch": 3, "state_dict": state, **more}, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("legacy", [False, True])
def test_load_from_file(tmp_path, legacy):
    source = mini("centernet", classes=5, seed=1)
    state = {"module." + public_name(k): v.float() for k, v in source.state_dict().items()}
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    state["module.SqEx.0.0.linear1.weight"] = torch.zeros(1, 8)
    path = save(tmp_path / "model.pth", state, legacy, optimizer={"param_groups": [{"lr": 1e-5}]})
    target = mini("spotnet-released", classes=1, seed=2)
    seg = target.seg[0][0].conv.weight.clone()
    report = load_public_checkpoint(target, path)
    assert len(report.skipped) == 4
    assert len(report.new) == 12
    assert report.unknown == ("SqEx.0.0.linear1.weight",)
    assert torch.equal(target.backbone.pre[0].conv.weight.float(), source.backbone.pre[0].conv.weight.float())
    assert torch.equal(target.hm[0][1].bias.float(), torch.tensor([-2.19]))
    assert torch.equal(target.seg[0][0].conv.weight, seg)
    once = {k: v.clone() for k, v in target.state_dict().items()}
    assert load_public_checkpoint(target, path) == report
    assert all(torch.equal(v, once[k]) for k, v in target.state_dict().items())


class Attack:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def test_a_malicious_pickle_is_refused_unexecuted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = tmp_path / "plain.pth"
    plain.write_bytes(pickle.dumps({"state_dict": Attack()}, protocol=2))
    torch.save({"state_dict": Attack()}, tmp_path / "zip.pth")
    torch.save({"state_dict": Attack()}, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    for name in ("plain.pth", "zip.pth", "legacy.pth"):
        with pytest.raises(CheckpointError, match=rf"{name}: refused: it asks for \w+\.mkdir") as caught:
            read_public_checkpoint(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "owned").exists()


def test_unusable_files_get_one_clear_line(tmp_path):
    (tmp_path / "text.pth").write_text("not a checkpoint\nat all\n")
    (tmp_path / "empty.pth").write_bytes(b"")
    whole = save(tmp_path / "whole.pth", {"a": torch.zeros(100)}).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[:-200])
    torch.save([1, 2], tmp_path / "list.pth")
    save(tmp_path / "numbers.pth", {"pre.0.conv.weight": 3})
    save(tmp_path / "nan.pth", {"pre.0.conv.weight": torch.tensor([float("nan")])})
    save(tmp_path / "other.pth", {"layer1.weight": torch.zeros(3)})
    expected = {
        "text": "refused: not a checkpoint of plain tensors",
        "empty": "cannot be read",
        "cut": "cannot be read",
        "list": "expected a dict of tensors",
        "numbers": "'pre.0.conv.weight': expected a named tensor, found int",
        "nan": "pre.0.conv.weight: the tensor holds NaN",
        "other": "no tensor that fits this network",
        "missing": "there is no such checkpoint",
    }
    for name, problem in expected.items():
        with pytest.raises(CheckpointError, match=rf"{name}\.pth: .*({problem})") as caught:
            load_public_checkpoint(mini("centernet"), tmp_path / f"{name}.pth")
        assert "\n" not in str(caught.value)


def test_damage_that_torch_stumbles_over_is_one_line(tmp_path):
    path = tmp_path / "legacy.pth"
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    whole, told = path.read_bytes(), []
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + b"e" + whole[at + 1 :])  # the opcode that pops a mark
        try:
            read_public_checkpoint(path)
        except CheckpointError as error:  # and nothing else
            told.append(str(error))
    assert len(told) > len(whole) // 6  # half of the places, at least
    assert not any("\n" in line for line in told)


def test_a_name_without_end_is_refused_before_torch_searches_it(tmp_path, monkeypatch):
    path = tmp_path / "long.pth"
    monkeypatch.setattr(torch, "load", None)  # not asked at all
    for zipped in (True, False):
        torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=zipped)
        _rename(path, b"_rebuild_tensor_v2", b"x" * 100_000, zipped)
        with pytest.raises(CheckpointError, match=r"long\.pth: refused: not a checkpoint of plain tensors"):
            read_public_checkpoint(path)


def _rename(path, old, new, zipped):
    if not zipped:
        path.write_bytes(path.read_bytes().replace(old, new))
        return
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content.replace(old, new))
