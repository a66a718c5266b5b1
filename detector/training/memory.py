"""A GPU that is too small, told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spotlabel.detector.errors import TrainingError
from spotlabel.detector.training.settings import TrainingSettings


@contextmanager
def enough_memory(settings: TrainingSettings) -> Iterator[None]:
    """Turn a full GPU into advice on what to change; only advice that is not followed already.

    Raises:
        TrainingError: the GPU ran out of memory inside the block.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        advice = [
            f"training.batch={settings.batch // 2}" if settings.batch > 1 else "",
            "" if settings.in_bf16 else "training.bf16=true",
            ""
            if settings.checkpoint_activations or settings.compile
            else "training.checkpoint_activations=true",
            "training.batch_held_out=1" if settings.batch_held_out > 1 else "",
            "a smaller training.canvas or training.backbone",
        ]
        height, width = settings.canvas
        raise TrainingError(
            f"the GPU is too small for {settings.batch} images of {height}x{width} on {settings.backbone}; "
            f"try, in this order: {', '.join(part for part in advice if part)}"
        ) from error
