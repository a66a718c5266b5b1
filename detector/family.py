"""A family of detectors, as training and model files see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from spotlabel.detector.checkpoint import CheckpointError, ImportReport, import_public, public_name
from spotlabel.detector.contract import Detector


class Options(BaseModel):
    """Settings of a family's own; families add fields, each with a docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Recognised(NamedTuple):
    """What the names and shapes of a public checkpoint tell.

    Attributes:
        preset: the detector; of those that share all names and shapes, the one that was published.
        backbone: what it stands on; empty if it is none of the family's.
        tensors: the weights, by the names of the file, without classes that stand for nothing.
        classes: number of classes.
        class_names: what they are called, where that is known; else empty.
        sides: as in :class:`spotlabel.detector.model.ModelSpec`.
    """

    preset: str
    backbone: str
    tensors: Mapping[str, Tensor]
    classes: int
    class_names: tuple[str, ...] = ()
    sides: tuple[int, int] | None = None


class Family(ABC):
    """Presets that are built, trained and started from public weights in one way.

    Attributes:
        presets: names of its detectors; no two families share one.
        backbones: names of the backbones that all of its presets stand on.
        weights: factors of its loss terms (``training.weights``).
        options: what else it wants to be told (``training.options``); stands in model files.
        bases: settings of training to start from, by name (``training.base``).
        idle: what names begin with of tensors that public checkpoints hold and their networks never use.
    """

    presets: tuple[str, ...]
    backbones: tuple[str, ...]
    weights: type[Options] = Options
    options: type[Options] = Options
    bases: Mapping[str, Mapping[str, object]] = {}
    idle: tuple[str, ...] = ()

    def defaults(self, preset: str, backbone: str | None) -> Mapping[str, object]:
        """Settings of training that hold unless a base or the user says otherwise.

        Args:
            preset: one of :attr:`presets`.
            backbone: the one that was said, if it was; it may be none of :attr:`backbones`.
        """
        return {}

    def settled(self, preset: str, backbone: str, options: Options) -> Options:
        """Options with nothing left open: what was not said is as the preset and its backbone want it.

        Args:
            preset: one of :attr:`presets`.
            backbone: one of :attr:`backbones`.
            options: of the type :attr:`options`; ``model_fields_set`` names what was said.

        Returns:
            Options of the same type, which come back unchanged when they are given here again.
        """
        return options

    @abstractmethod
    def build(
        self, preset: str, backbone: str, classes: int, options: Options, weights: Options | None = None
    ) -> Detector:
        """A detector with random weights, drawn from torch's default generator.

        Args:
            preset: one of :attr:`presets`.
            backbone: one of :attr:`backbones`.
            classes: number of object classes.
            options: settled ones, of the type :attr:`options`.
            weights: factors of the loss terms, of the type :attr:`weights`; its defaults if not given.
        """

    def recognise(self, tensors: Mapping[str, Tensor], named: bool) -> Recognised | None:
        """What detector public weights are of.

        Args:
            tensors: by name, as the file has them.
            named: all classes of the file will be given names, so that none is left out.

        Returns:
            None if the weights are none of this family's.
        """
        return None

    def load_public(self, network: Detector, tensors: Mapping[str, Tensor]) -> ImportReport:
        """Copy what fits of a detector's weights, ours or public ones; what does not fit stays as it is.

        Args:
            network: built by this family.
            tensors: by name, as the file has them.

        Raises:
            CheckpointError: nothing fits.
        """
        return import_public(network, {public_name(name): value for name, value in tensors.items()})

    def load_imagenet(self, network: Detector, backbone: str, file: Path | None) -> ImportReport:
        """Start a detector's backbone from ImageNet weights.

        Args:
            network: built by this family.
            backbone: its backbone's name.
            file: of the weights; None downloads them.

        Raises:
            CheckpointError: the backbone has none, or they cannot be had.
        """
        raise CheckpointError(f"training.init: there are no ImageNet weights of {backbone}")
