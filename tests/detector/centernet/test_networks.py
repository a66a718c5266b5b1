"""Heads, gates and presets on small networks: what the gate changes, and what it must not."""

import pytest
import torch
from torch.nn import functional

from spotlabel.detector.centernet.gate import Gate, GateMode, GatePool
from spotlabel.detector.centernet.heads import SegHead
from spotlabel.detector.centernet.network import CenterNet
from spotlabel.detector.centernet.presets import PRESETS, build_detector
from spotlabel.detector.networks.hourglass import Hourglass, HourglassSize
from tests.helpers.detectors import MINI, Replay, mini

IMAGE = torch.linspace(-2, 2, 2 * 3 * 64 * 64, dtype=torch.float64).sin().reshape(2, 3, 64, 64)


def run(model):
    with torch.no_grad():
        return model.outputs(IMAGE)


@pytest.mark.parametrize(
    ("preset", "seg", "mode", "targets"),
    [
        ("centernet", None, "none", {"hm"}),
        ("spotnet-multitask", "conv2", "none", {"hm"}),
        ("spotnet-released", "conv2", "mul_logit", {"hm"}),
        ("spotnet-paper", "conv3", "mul_sigmoid", {"hm", "wh", "reg"}),
        ("spotnet2", "unet", "add_logit", {"hm"}),
    ],
)
def test_presets(preset, seg, mode, targets):
    model = mini(preset)
    out = run(model)
    assert model.gate == Gate(GateMode(mode), GatePool.MAX, frozenset(targets))
    assert len(model.seg) == (2 if seg else 0)
    assert all(("seg" in o) == (seg is not None) for o in out)
    assert PRESETS[preset].seg_head == (seg or "none")


def test_the_last_stack_alone_gives_the_same_numbers():
    model = mini("spotnet-released")
    with torch.no_grad():
        last = model.outputs(IMAGE, last_only=True)
    assert len(last) == 1
    assert all(torch.equal(last[0][k], v) for k, v in run(model)[1].items())


def test_heatmaps_start_near_a_score_of_one_tenth():
    for preset in PRESETS:
        for head in mini(preset).hm:
            assert torch.equal(head[-1].bias.float(), torch.full((2,), -2.19))


def test_a_wide_open_sigmoid_gate_is_no_gate():
    model = mini("spotnet-paper")
    for head in model.seg:
        torch.nn.init.zeros_(head[-1].weight)
        torch.nn.init.constant_(head[-1].bias, 1e3)
    gated = run(model)
    model.gate = Gate()
    for a, b in zip(gated, run(model), strict=True):
        assert all(torch.equal(a[k], b[k]) for k in ("hm", "wh", "reg"))


@pytest.mark.parametrize(
    ("pool", "pooled"),
    [
        ("max", lambda x: functional.max_pool2d(x, 4)),
        ("avg", lambda x: functional.avg_pool2d(x, 4)),
        ("bilinear", lambda x: functional.interpolate(x, (16, 16), mode="bilinear", align_corners=True)),
    ],
)
@pytest.mark.parametrize("mode", ["mul_logit", "mul_sigmoid", "add_logit"])
def test_gate_formulas(pool, pooled, mode):
    model = mini("spotnet-released")
    model.gate = Gate(GateMode(mode), GatePool(pool))
    features = model.backbone(IMAGE)
    ungated = CenterNet(Replay(features), 2, SegHead.CONV2).double()
    ungated.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("backbone")})
    for k, out in enumerate(run(model)):
        seg = model.seg[k](features[k])
        plain = {name: heads[k](features[k]) for name, heads in (("wh", model.wh), ("reg", model.reg))}
        hm = {
            "mul_logit": lambda s=seg, k=k: model.hm[k](features[k] * pooled(s)),
            "mul_sigmoid": lambda s=seg, k=k: model.hm[k](features[k] * pooled(s.sigmoid())),
            "add_logit": lambda s=seg, k=k: model.hm[k](features[k]) + pooled(s),
        }[mode]()
        assert torch.equal(out["hm"], hm)
        assert torch.equal(out["seg"], seg)
        assert all(torch.equal(out[name], value) for name, value in plain.items())


def test_gated_heads_are_the_chosen_ones():
    model = mini("spotnet-paper")
    gated_all = run(model)[0]
    model.gate = Gate(GateMode.MUL_SIGMOID, targets=frozenset({"wh"}))
    gated_wh = run(model)[0]
    model.gate = Gate()
    plain = run(model)[0]
    assert torch.equal(gated_wh["wh"], gated_all["wh"])
    assert torch.equal(gated_wh["hm"], plain["hm"])
    assert torch.equal(gated_wh["reg"], plain["reg"])
    assert not torch.equal(plain["wh"], gated_all["wh"])
    assert not torch.equal(plain["reg"], gated_all["reg"])


def test_without_a_gate_the_heatmap_knows_nothing_of_the_segmentation():
    model = mini("spotnet-multitask")
    before = run(model)
    for parameter in model.seg.parameters():
        torch.nn.init.uniform_(parameter)
    after = run(model)
    assert all(torch.equal(a["hm"], b["hm"]) for a, b in zip(before, after, strict=True))
    assert not torch.equal(before[0]["seg"], after[0]["seg"])
    model.outputs(IMAGE)[1]["hm"].sum().backward()
    assert all(p.grad is None for p in model.seg.parameters())


@pytest.mark.parametrize("mode", ["mul_logit", "mul_sigmoid", "add_logit"])
def test_the_heatmap_trains_the_segmentation_through_the_gate(mode):
    model = mini("spotnet-released")
    model.gate = Gate(GateMode(mode))

    def loss():
        return model.outputs(IMAGE[:1])[1]["hm"].square().mean()

    loss().backward()
    weight = model.seg[1][0].conv.weight
    assert weight.grad is not None
    generator = torch.Generator().manual_seed(1)
    for index in torch.randperm(weight.numel(), generator=generator)[:20]:
        with torch.no_grad():
            flat, step = weight.view(-1), 1e-6
            flat[index] += step
            high = loss()
            flat[index] -= 2 * step
            low = loss()
            flat[index] += step
        slope = (high - low) / (2 * step)
        assert slope == pytest.approx(float(weight.grad.view(-1)[index]), rel=1e-4, abs=1e-9)


def test_one_pixel_of_each_cell_gets_the_gradient_of_a_max_pooled_gate():
    seg = torch.rand(1, 1, 32, 48, dtype=torch.float64, requires_grad=True)
    feature = torch.rand(1, 3, 8, 12, dtype=torch.float64, requires_grad=True)
    gate = Gate(GateMode.MUL_LOGIT)
    attention = gate.attention(seg, 4)
    upstream = torch.rand(1, 3, 8, 12, dtype=torch.float64)
    gate.apply("hm", torch.nn.Identity(), feature, attention).backward(upstream)
    touched = functional.avg_pool2d((seg.grad != 0).double(), 4) * 16
    assert torch.equal(touched, torch.ones_like(touched))
    assert torch.equal(feature.grad, attention.detach() * upstream)


def test_the_unet_head_asks_for_larger_multiples():
    model = mini("spotnet2")
    assert model.multiple == 64
    with pytest.raises(ValueError, match=r"32x64.*multiples of 64"):
        model.outputs(IMAGE[:, :, :32])
    assert mini("centernet").multiple == 16


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="mul_logit needs a segmentation head"):
        CenterNet(Hourglass(MINI), 1, SegHead.NONE, Gate(GateMode.MUL_LOGIT))
    with pytest.raises(ValueError, match="heatmap logits only"):
        Gate(GateMode.ADD_LOGIT, targets=frozenset({"hm", "wh"}))
    with pytest.raises(ValueError, match=r"\['cls'\]"):
        Gate(targets=frozenset({"cls"}))
    with pytest.raises(ValueError, match="there are centernet, spotnet-multitask"):
        build_detector("yolo", Hourglass(MINI), 1)
    with pytest.raises(ValueError, match="module count"):
        HourglassSize(8, (8, 8), (1,), 1)
    backbone = Hourglass(MINI)
    backbone.stride = 8
    with pytest.raises(ValueError, match="stride 4, not 8"):
        CenterNet(backbone, 1, SegHead.CONV2)
