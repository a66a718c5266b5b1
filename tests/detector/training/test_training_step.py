"""One step of training: rates, averages, switches that must not change the result, two processes."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from spotlabel.detector.contract import Batch, Detector
from spotlabel.detector.errors import TrainingError
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.networks.recompute import recompute_blocks
from spotlabel.detector.training.distributed import Group
from spotlabel.detector.training.memory import enough_memory
from spotlabel.detector.training.optimisation import AveragedWeights, build_optimiser, learning_rate
from spotlabel.detector.training.run import training_network
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.step import StepOptions, train_step
from tests.conftest import ROOT
from tests.helpers.recipes import environment

SPEC = ModelSpec(preset="spotnet-multitask", backbone="hourglass-tiny")
SIDE = 64


def fixed_network() -> Detector:
    """The same network in every process; batch statistics held, for they differ with the batch's size."""
    torch.manual_seed(5)
    network = SPEC.build().double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return network


def fixed_batch(count: int, dtype: torch.dtype = torch.float64) -> Batch:
    """Images, the first with most objects, the last with one; one unknown corner."""
    draw = torch.Generator().manual_seed(7)
    corner = torch.rand(count, 8, 2, generator=draw, dtype=dtype) * (SIDE - 24)
    size = 4 + torch.rand(count, 8, 2, generator=draw, dtype=dtype) * 20
    present = torch.arange(8) < torch.arange(count, 0, -1)[:, None]
    known = torch.ones(count, 1, SIDE, SIDE, dtype=dtype)
    known[0, :, :32] = 0
    return {
        "image": torch.randn(count, 3, SIDE, SIDE, generator=draw, dtype=dtype),
        "extent": torch.full((count, 2), SIDE),
        "boxes": torch.cat([corner, corner + size], dim=2) * present[..., None],
        "classes": torch.zeros(count, 8, dtype=torch.long),
        "present": present,
        "mask": (torch.rand(count, 1, SIDE, SIDE, generator=draw) > 0.5).to(dtype),
        "known": known,
        "labelled": known,
    }


def test_two_processes_have_the_gradient_of_one_with_both_batches(tmp_path: Path) -> None:
    """And a static graph changes nothing; see the child."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ran = subprocess.run(
        [*launch, str(ROOT / "tests" / "helpers" / "ddp_child.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment(OMP_NUM_THREADS="1"),
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    network = fixed_network()
    batch = fixed_batch(4)
    network.losses(batch)["total"].backward()
    for rank in range(2):
        found = load_file(tmp_path / f"{rank}.safetensors")
        for name, parameter in network.named_parameters():
            # Not closer: the reference's +1e-4 under the L1 terms stands once per process.
            assert torch.allclose(found[name], parameter.grad, rtol=1e-4, atol=1e-7), name


# --- rate and averages -------------------------------------------------------------------------------------


def test_the_rate_warms_up_and_falls_as_a_cosine() -> None:
    settings = TrainingSettings(lr=1.0, warm_up=10)
    rates = [learning_rate(step, 200, settings) for step in range(200)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[105] == pytest.approx(0.505, abs=0.01)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def test_the_warm_up_takes_a_tenth_of_a_short_run_at_most() -> None:
    assert learning_rate(2, 20, TrainingSettings(lr=1.0, warm_up=500)) == 1.0


def test_the_rate_drops_at_milestones() -> None:
    settings = TrainingSettings(base="released", lr=1.0)  # type: ignore[call-arg]
    assert [learning_rate(s, 140, settings) for s in (0, 89, 90, 119, 120, 139)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )


def test_the_rate_grows_with_the_images_of_a_step() -> None:
    settings = TrainingSettings(lr=0.01, lr_batch=16, batch=4, warm_up=0, schedule="step", milestones=())
    assert learning_rate(0, 100, settings) == pytest.approx(0.0025)
    assert learning_rate(0, 100, settings, world=8) == pytest.approx(0.02)
    assert learning_rate(0, 100, settings.model_copy(update={"lr_batch": 0}), world=8) == 0.01


def test_averaged_weights_follow_slowly() -> None:
    network = nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(0.0)
    averaged = AveragedWeights(network, decay=0.9)
    network.weight.data.fill_(1.0)
    averaged.update(network)
    first = 1 / 11  # the decay itself warms up: min(0.9, updates / (updates + 10))
    assert averaged.values["weight"].item() == pytest.approx(1 - first)
    for _ in range(1000):
        averaged.update(network)
    before = averaged.values["weight"].item()
    network.weight.data.fill_(2.0)
    averaged.update(network)
    assert averaged.values["weight"].item() == pytest.approx(0.9 * before + 0.1 * 2)


def test_averaged_weights_are_those_of_every_tensor_by_itself() -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    averaged, alone = AveragedWeights(network, decay=0.99), {}
    for name, value in network.state_dict().items():
        alone[name] = value.clone()
    for step in range(1, 4):
        network(torch.randn(2, 3, 8, 8))  # moves running means and the counter
        for parameter in network.parameters():
            parameter.data += torch.randn_like(parameter)
        averaged.update(network)
        for name, value in network.state_dict().items():
            mean = alone[name].lerp_(value, 1 - step / (step + 10)) if value.is_floating_point() else value
            assert torch.equal(averaged.values[name], mean), name
    assert averaged.values["1.num_batches_tracked"].item() == 3


def test_decay_spares_biases_and_normalisation() -> None:
    network = SPEC.build()
    matrices, vectors = build_optimiser(network, TrainingSettings(weight_decay=0.1)).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert all(p.ndim > 1 for p in matrices["params"])
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(network.parameters()))


# --- switches ----------------------------------------------------------------------------------------------


def ran_steps(
    steps: int, *, double: bool = False, recompute: bool = False, **options: object
) -> tuple[list[float], Detector]:
    """Total losses and network of some steps from one beginning.

    In double precision two correct ways stay together for some steps. In single precision they part at once:
    Adam divides gradients that are zero but for rounding by their own size, and rounding is the processor's.
    """
    torch.manual_seed(3)
    dtype = torch.float64 if double else torch.float32
    network = SPEC.build().train().to(dtype)
    if recompute:
        recompute_blocks(network)
    if options.get("channels_last"):
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = build_optimiser(network, TrainingSettings(lr=1e-3))
    batch = fixed_batch(2, dtype)
    chosen = StepOptions(**options)  # type: ignore[arg-type]
    return [float(train_step(network, optimiser, batch, chosen)["total"]) for _ in range(steps)], network


def gradient(network: nn.Module) -> torch.Tensor:
    """The last step's gradient as one vector."""
    return torch.cat([p.grad.double().flatten() for p in network.parameters() if p.grad is not None])


@pytest.mark.parametrize("switch", ["recompute", "channels_last"])
def test_a_switch_changes_neither_losses_nor_gradients_nor_weights_nor_statistics(switch: str) -> None:
    (plain, a), (switched, b) = ran_steps(3, double=True), ran_steps(3, double=True, **{switch: True})  # type: ignore[arg-type]
    assert switched == pytest.approx(plain, rel=1e-9)
    torch.testing.assert_close(gradient(b), gradient(a), rtol=1e-6, atol=1e-8)
    for name, value in a.state_dict().items():
        torch.testing.assert_close(b.state_dict()[name], value, rtol=1e-6, atol=1e-7, msg=name)


RECOMPUTED = [
    ("spotnet-multitask", "hourglass-tiny", 11),
    ("spotnet-multitask", "resnet18", 8),
    ("centernet", "resnet50", 16),
    ("faster-rcnn", "resnet-50-fpn", 16),
    ("faster-rcnn", "resnet-50-c4", 16),
    ("faster-rcnn", "small-c4", 4),
]


@pytest.mark.parametrize(("preset", "backbone", "blocks"), RECOMPUTED)
def test_every_residual_block_of_every_backbone_is_computed_again(
    preset: str, backbone: str, blocks: int
) -> None:
    with torch.device("meta"):
        network = ModelSpec(preset=preset, backbone=backbone).build()
    assert recompute_blocks(network) == blocks


def test_a_network_without_such_blocks_is_refused_in_one_line() -> None:
    spec = ModelSpec(preset="faster-rcnn", backbone="vgg-16")
    settings = TrainingSettings(preset=spec.preset, backbone=spec.backbone, checkpoint_activations=True)
    message = r"training\.checkpoint_activations: vgg-16 has no residual blocks"
    with torch.device("meta"), pytest.raises(TrainingError, match=message):
        training_network(spec, settings, Group(0, 1, torch.device("cpu")))


@pytest.mark.parametrize("backbone", ["resnet18", "small-c4"])
def test_blocks_that_are_computed_again_keep_less_and_give_the_same(backbone: str) -> None:
    spec = ModelSpec(preset="faster-rcnn" if backbone == "small-c4" else "centernet", backbone=backbone)
    image = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def passed(recompute: bool) -> tuple[int, torch.Tensor, dict[str, torch.Tensor]]:
        torch.manual_seed(4)
        network = spec.build().train().double()
        if recompute:
            recompute_blocks(network)
        kept = 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            total = sum(plane.sum() for plane in network.get_submodule("backbone")(image))
        total.backward()
        return kept, gradient(network), network.state_dict()

    (much, plain, state), (little, again, other) = passed(False), passed(True)
    assert little < 0.6 * much
    torch.testing.assert_close(again, plain, rtol=1e-9, atol=1e-12)
    for name, value in state.items():
        torch.testing.assert_close(other[name], value, msg=name)


def test_bfloat16_starts_where_single_precision_does_and_learns() -> None:
    (plain, a), (narrow, b) = ran_steps(1), ran_steps(1, bf16=True)
    assert narrow == pytest.approx(plain, rel=0.01)
    assert nn.functional.cosine_similarity(gradient(a), gradient(b), dim=0) > 0.8
    learnt = ran_steps(50, bf16=True)[0]
    assert learnt[-1] < 0.7 * learnt[0]


def test_the_gradient_is_clipped_to_its_norm() -> None:
    torch.manual_seed(3)
    network = SPEC.build().train()
    batch = fixed_batch(2, torch.float32)
    norm = float(
        train_step(network, torch.optim.SGD(network.parameters(), lr=0), batch, StepOptions(clip=0.5))[
            "gradient"
        ]
    )
    left = nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
    assert norm > 0.5
    assert float(left) == pytest.approx(0.5, rel=1e-3)


def advice(**settings: object) -> str:
    with pytest.raises(TrainingError) as caught, enough_memory(TrainingSettings(**settings)):  # type: ignore[arg-type]
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")
    return str(caught.value)


def test_a_gpu_that_is_too_small_is_told_with_what_to_change() -> None:
    text = advice(batch=2, canvas=(64, 96))
    assert "too small for 2 images of 64x96 on hourglass-104" in text
    assert "training.batch=1, training.bf16=true, training.checkpoint_activations=true" in text


def test_advice_that_is_followed_already_is_not_given() -> None:
    text = advice(batch=1, bf16=True, checkpoint_activations=True, batch_held_out=1)
    assert text.endswith("try, in this order: a smaller training.canvas or training.backbone")
