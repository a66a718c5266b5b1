"""What a run learns from and is validated on, whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from spotlabel.detector.contract import Batch, Detector
from spotlabel.detector.data.labelled import Held, RawFrame
from spotlabel.detector.model import ModelSpec
from spotlabel.detector.training.distributed import Group


class BatchSource(Protocol):
    """Batches of an epoch on the device, and held-out pictures from the same loader processes.

    Attributes:
        waited: seconds spent waiting for them; set to 0 by whoever counts.
    """

    waited: float

    @property
    def pictures(self) -> int:
        """Number of pictures that an epoch draws from."""

    def __len__(self) -> int:
        """Batches of a whole epoch."""

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Batches ``first`` to the last of an epoch.

        Raises:
            SpotlabelError: a picture cannot be used.
        """

    def held_out(self, indices: Sequence[int], batch: int) -> Iterator[list[RawFrame]]:
        """Held-out pictures in the order of their indices, ``batch`` at a time, read ahead.

        Raises:
            SpotlabelError: a picture cannot be used.
        """


class Material(Protocol):
    """Pictures to train on and pictures held out, opened and checked."""

    @property
    def spec(self) -> ModelSpec:
        """The detector that is trained on them."""

    @property
    def count(self) -> int:
        """Number of pictures to train on."""

    @property
    def held_out(self) -> Held:
        """Pictures to validate on."""

    def split(self) -> dict[str, Any]:
        """What was held out, and why, as plain data."""

    def identity(self) -> Mapping[str, Any]:
        """Plain data that differs where another content is learnt from."""

    def notes(self, network: Detector) -> list[str]:
        """What a user should know before the network is trained, a line each."""

    def check(self, network: Detector) -> None:
        """See whether the network can look at such pictures.

        Raises:
            TrainingError: it cannot.
        """

    def batches(self, network: Detector, group: Group) -> BatchSource:
        """Batches to train on, of the process's own share, with the held-out pictures."""
