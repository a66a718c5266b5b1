"""A group of one process: NCCL starts, its collectives give what they should, gradients pass through."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from benchmarks.bench_training import batch_of
from benchmarks.gpu.setting import Record, Setting
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.training.optimisation import build_optimiser
from spotlabel.detector.training.settings import TrainingSettings
from spotlabel.detector.training.step import StepOptions, train_step

_SIDE = 64


def run(setting: Setting, record: Record) -> None:
    """Raises AssertionError where a collective or a step gives something else."""
    backend = "nccl" if setting.device == "cuda" else "gloo"
    device = torch.device("cuda:0" if setting.device == "cuda" else "cpu")
    setting.work.mkdir(parents=True, exist_ok=True)
    store = setting.work / "store"
    store.unlink(missing_ok=True)
    dist.init_process_group(backend, init_method=f"file://{store}", rank=0, world_size=1)
    try:
        _check_collectives(device)
        record.fact("collectives", f"{backend}: all_reduce, broadcast, all_gather_object")
        alone, together = (_step(device, wrapped) for wrapped in (False, True))
        record.fact("loss of a step alone and in the group", [alone[0], together[0]])
        record.fact("largest difference of gradients", float((alone[1] - together[1]).abs().max()))
        torch.testing.assert_close(together[1], alone[1], rtol=1e-3, atol=1e-4)
        if device.type == "cuda":
            nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm2d(2))  # type: ignore[no-untyped-call]
            record.fact("NCCL", ".".join(map(str, torch.cuda.nccl.version())))  # type: ignore[no-untyped-call]
    finally:
        dist.destroy_process_group()


def _check_collectives(device: torch.device) -> None:
    count = torch.full((1,), 7.0, device=device)
    dist.all_reduce(count)
    dist.broadcast(count, src=0)
    gathered: list[object] = [None]
    dist.all_gather_object(gathered, {"step": 7})
    assert (count.item(), gathered) == (7.0, [{"step": 7}])


def _step(device: torch.device, wrapped: bool) -> tuple[float, torch.Tensor]:
    """Loss and gradient of one step from the same beginning."""
    torch.manual_seed(0)
    network = ModelSpec(preset="spotnet-paper", backbone="hourglass-tiny").build().to(device).train()
    forward = DistributedDataParallel(network, [0] if device.type == "cuda" else None) if wrapped else network
    optimiser = build_optimiser(network, TrainingSettings())
    losses = train_step(forward, optimiser, batch_of(2, (_SIDE, _SIDE), device), StepOptions())
    gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    return float(losses["total"]), torch.cat(gradients)
