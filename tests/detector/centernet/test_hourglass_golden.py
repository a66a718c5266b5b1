"""Hourglass-104: sizes, costs and outputs against the reference figures."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from spotlabel.detector.centernet.presets import PRESETS, build_detector
from spotlabel.detector.networks.hourglass import (
    HOURGLASS_52,
    HOURGLASS_104,
    HOURGLASS_SMALL,
    HOURGLASS_TINY,
    Hourglass,
)
from tests.helpers import hash_tensors
from tests.helpers.detectors import Replay, fill_by_name

SQEX = 8_464  # parameters of a module that the released code builds and never uses
POINTS = {
    "wh0": (-7.869910568e-02, 7.386600642e-01, -6.363734522e-01, 9.213436822e-01),
    "wh1": (7.817818869e-02, 5.271651423e-01, -5.954081936e-02, 8.533396839e-01),
    "reg0": (-3.351478137e-01, 2.941938489e-01, 3.659041187e-01, -9.081390963e-01),
    "reg1": (-2.231061279e-01, 3.099248147e-01, -5.566683883e-01, 1.578947163e-01),
}
CENTERNET = {
    **POINTS,
    "hm0": (8.922927992e-01, 2.448612449e-01, 2.760120243e-01, 1.163466859e00),
    "hm1": (-8.001216054e-02, 1.999200923e-01, -2.923421654e-01, -2.008294065e-01),
}
RELEASED = {
    **POINTS,
    "seg0": (-7.369849062e-02, 1.422931481e-01, -5.937423918e-02, -3.158991113e-01),
    "seg1": (1.958458467e-01, 1.132257042e-01, -9.124286860e-02, 4.174933024e-02),
    "hm0": (-2.382024036e-02, 8.336545850e-02, -7.139557507e-02, 3.814300916e-02),
    "hm1": (1.667527887e-03, 6.078128229e-02, -6.729099511e-02, -4.183086470e-02),
}
UNET_MUL = {
    **POINTS,
    "seg0": (5.360257700e-02, 2.774874744e-03, 4.385508697e-02, 5.408946430e-02),
    "seg1": (-1.689031565e-01, 3.375725684e-03, -1.776722611e-01, -1.688067315e-01),
    "hm0": (1.468476511e-03, 1.439940092e-02, -3.869072857e-02, 1.731445119e-02),
    "hm1": (-1.335066301e-01, 4.029552487e-02, 2.616485514e-02, -1.389451702e-01),
}


def on_meta(preset, classes=1, size=HOURGLASS_104):
    with torch.device("meta"):
        return build_detector(preset, Hourglass(size), classes)


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def hourglass():
    with torch.device("meta"):
        backbone = Hourglass(HOURGLASS_104)
    return fill_by_name(backbone)


@pytest.fixture(scope="module")
def image():
    return hash_tensors.tensor("input", (1, 3, 128, 128), -2, 2)


@pytest.fixture(scope="module")
def features(hourglass, image):
    with torch.no_grad():
        return hourglass(image)


def outputs(features, preset, image, gate=None):
    with torch.device("meta"):
        model = build_detector(preset, Replay(features), 1)
    if gate is not None:
        model.gate = gate
    with torch.no_grad():
        stacks = fill_by_name(model).outputs(image)
    return by_stack(stacks)


def by_stack(stacks):
    return {f"{name}{k}": out for k, stack in enumerate(stacks) for name, out in stack.items()}


def check(found, golden, tolerance):
    assert found.keys() == golden.keys()
    for name, figures in golden.items():
        out = found[name]
        measured = torch.stack([out.mean(), out.std(), out[0, 0, 0, 0], out[0, -1, 7, 19]]).double()
        expected = torch.tensor(figures, dtype=torch.float64)
        assert torch.allclose(measured, expected, **tolerance(figures)), name


@pytest.mark.parametrize(
    ("preset", "classes", "parameters", "entries", "without_counters"),
    [
        ("centernet", 80, 191_284_008, 984, 824),
        ("centernet", 4, 191_244_944, 984, 824),
        ("centernet", 1, 191_243_402, 984, 824),
        ("spotnet-multitask", 1, 193_604_236, 996, 836),
        ("spotnet-released", 1, 193_604_236, 996, 836),
        ("spotnet-released", 4, 193_614_242 - SQEX, 996, 836),
        ("spotnet-paper", 1, 193_608_332, 996, 836),
        ("spotnet2", 1, 218_630_428 - SQEX, 1296, 1092),
    ],
)
def test_parameter_counts(preset, classes, parameters, entries, without_counters):
    model = on_meta(preset, classes)
    assert count(model) == parameters
    assert len(model.state_dict()) == entries
    assert sum(not k.endswith("num_batches_tracked") for k in model.state_dict()) == without_counters
    buffers = sum(
        v.numel() for k, v in model.state_dict().items() if k.endswith(("running_mean", "running_var"))
    )
    assert buffers == (134_400 if preset == "spotnet2" else 117_504)


def test_part_counts():
    model = on_meta("spotnet-released")
    parts = {name: count(part) for name, part in [*model.backbone.named_children(), *model.named_children()]}
    del parts["backbone"]
    assert parts == {
        "pre": 938_112,
        "kps": 184_268_800,
        "cnvs": 1_180_672,
        "inters": 1_180_672,
        "inters_": 66_048,
        "cnvs_": 66_048,
        "hm": 1_180_674,
        "wh": 1_181_188,
        "reg": 1_181_188,
        "seg": 2_360_834,
    }
    assert count(on_meta("spotnet2").seg) == 2 * 13_689_281
    assert count(on_meta("spotnet-paper").seg) == 2 * 1_182_465


def test_centernet_outputs(features, image):
    check(outputs(features, "centernet", image), CENTERNET, lambda _: {"rtol": 1e-6, "atol": 1e-10})


def test_unet_with_multiplied_logits_outputs(features, image):
    found = outputs(features, "spotnet2", image, gate=PRESETS["spotnet-released"].gate)
    check(found, UNET_MUL, lambda _: {"rtol": 1e-6, "atol": 1e-10})


def test_released_spotnet_outputs_in_three_precisions(hourglass, image):
    # The whole network in one piece; single precision last, because it changes the shared backbone in place.
    with torch.device("meta"):
        model = build_detector("spotnet-released", hourglass, 1)
    fill_by_name(model)
    for dtype, tolerance in (
        (torch.float64, lambda _: {"rtol": 1e-6, "atol": 1e-10}),
        (torch.float32, lambda figures: {"rtol": 0, "atol": 2e-3 * figures[1]}),
    ):
        with torch.no_grad():
            stacks = model.to(dtype).outputs(image.to(dtype))
        check(by_stack(stacks), RELEASED, tolerance)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        stacks = model.outputs(image.float())
    assert (stacks[0]["seg"].dtype, stacks[0]["hm"].dtype) == (torch.bfloat16, torch.float32)
    # A single element of a bfloat16 output is only good to some tenth of the spread; means are far better.
    for name, out in by_stack(stacks).items():
        mean, std = RELEASED[name][:2]
        assert out.double().mean() == pytest.approx(mean, abs=0.05 * std), name
        assert out.double().std() == pytest.approx(std, rel=0.05), name


@pytest.mark.parametrize(
    ("preset", "classes", "size", "gmac"),
    [
        ("centernet", 80, (512, 512), 292.71),
        ("centernet", 80, (640, 1024), 731.79),
        ("centernet", 80, (640, 1152), 823.26),
        ("centernet", 1, (512, 512), 292.05),
        ("centernet", 1, (640, 1024), 730.13),
        ("centernet", 1, (640, 1152), 821.40),
        ("spotnet-released", 1, (512, 512), 388.72),
        ("spotnet-released", 1, (640, 1024), 971.81),
        ("spotnet-released", 1, (640, 1152), 1093.28),
        ("spotnet2", 1, (512, 512), 360.64),
        ("spotnet2", 1, (640, 1024), 901.59),
        ("spotnet2", 1, (640, 1152), 1014.29),
    ],
)
def test_multiply_accumulates(preset, classes, size, gmac):
    model = on_meta(preset, classes).eval()
    with FlopCounterMode(display=False) as counter:
        model.outputs(torch.zeros(1, 3, *size, device="meta"))
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, rel=1e-3)


def test_inference_leaves_out_the_heads_of_the_first_stack():
    model = on_meta("spotnet-released").eval()
    with FlopCounterMode(display=False) as counter:
        model.outputs(torch.zeros(1, 3, 512, 512, device="meta"), last_only=True)
    assert counter.get_total_flops() / 2e9 == pytest.approx(311, rel=5e-3)


@pytest.mark.parametrize("size", [(512, 512), (640, 1024), (256, 384)])
def test_output_shapes(size):
    height, width = size
    stacks = on_meta("spotnet-released", 4).outputs(torch.zeros(2, 3, height, width, device="meta"))
    assert len(stacks) == 2
    for out in stacks:
        assert {name: tuple(t.shape) for name, t in out.items()} == {
            "hm": (2, 4, height // 4, width // 4),
            "wh": (2, 2, height // 4, width // 4),
            "reg": (2, 2, height // 4, width // 4),
            "seg": (2, 1, height, width),
        }


@pytest.mark.parametrize("size", [(500, 512), (512, 576), (64, 128)])
def test_an_input_that_does_not_fit_is_refused(size):
    with pytest.raises(ValueError, match="multiples of 128"):
        on_meta("centernet").outputs(torch.zeros(1, 3, *size, device="meta"))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("size", "most"), [(HOURGLASS_TINY, 700_000), (HOURGLASS_SMALL, 3_600_000)])
def test_small_backbones_carry_every_preset(preset, size, most):
    model = on_meta(preset, 4, size)
    assert count(model) < most
    out = model.outputs(torch.zeros(1, 3, 128, 192, device="meta"))
    assert [o["hm"].shape for o in out] == [(1, 4, 32, 48)]


def test_hourglass_52_is_one_stack_of_the_same_hourglass():
    model = on_meta("centernet", 1, HOURGLASS_52)
    assert count(model.backbone) == 938_112 + 184_268_800 // 2 + 1_180_672 // 2
