"""What is written down of a run: one JSON object a line, and the same for TensorBoard where it is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spotlabel.detector.errors import TrainingError
from spotlabel.pipeline.atomic import write_atomically


class Log:
    """Metrics of a run by step.

    Args:
        folder: folder of the run.
        step: steps done; entries after it (of a run that was killed) are dropped.
        validated: epochs whose validation counts; entries of later ones are dropped.
    """

    def __init__(self, folder: Path, step: int = 0, validated: int = 0) -> None:
        self.path = folder / "metrics.jsonl"
        kept = [line for line in self._lines() if step and _counts(json.loads(line), step, validated)]
        write_atomically(self.path, "".join(f"{line}\n" for line in kept).encode())
        self._file = self.path.open("a", encoding="utf-8")
        if not step:
            shutil.rmtree(folder / "tensorboard", ignore_errors=True)
        self.board = _tensorboard(folder / "tensorboard", step)
        """TensorBoard's writer; None where it is not installed."""

    def _lines(self) -> list[str]:
        """Whole lines of the file; a last one that was cut short is left out."""
        if not self.path.exists():
            return []
        *lines, _cut = self.path.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines, 1):
            try:
                json.loads(line)["step"]
            except (ValueError, KeyError, TypeError) as error:
                raise TrainingError(
                    f"{self.path}: line {number}: not a line of metrics; delete the file"
                ) from error
        return lines

    def add(self, kind: str, step: int, values: Mapping[str, float | int | str]) -> None:
        """Write one entry.

        Args:
            kind: ``train`` or ``held_out``.
            step: steps done.
            values: figures by name.
        """
        entry: dict[str, Any] = {"kind": kind, "step": step, **values}
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
        if self.board is not None:
            for name, value in values.items():
                if isinstance(value, (float, int)):
                    self.board.add_scalar(f"{kind}/{name}", value, step)

    def picture(self, name: str, step: int, image: Any) -> None:
        """Show a picture, uint8 (H, W, 3) BGR, in TensorBoard."""
        if self.board is not None:
            self.board.add_image(name, image[:, :, ::-1].copy(), step, dataformats="HWC")

    def close(self) -> None:
        """Write out what is left."""
        self._file.close()
        if self.board is not None:
            self.board.close()


def _counts(entry: dict[str, Any], step: int, validated: int) -> bool:
    """Whether an entry belongs to the part of a run that its state holds."""
    return int(entry["step"]) <= step and int(entry.get("epoch", 0)) <= validated


def _tensorboard(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra that may be absent
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
