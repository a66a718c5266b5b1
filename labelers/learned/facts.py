"""What has to be known of a box segmenter beside its graph: how its crops are made, what its output means."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from spotlabel.labelers.base import Settings
from spotlabel.labelers.errors import LabelerError, invalid_settings

FORMAT = "spotlabel-segmenter 1"
"""Value of the metadata entry ``format`` of files that describe themselves."""

Triple = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]


class Facts(Settings):
    """How a crop becomes the network's input, and its output a probability.

    Stored as entries of the ONNX file's metadata, each a JSON value, beside ``format``.
    """

    size: int = Field(ge=8, le=2048)
    """Side of the network's input and output, px; a crop is stretched to it whatever its shape."""
    margin: float = Field(ge=0, le=4)
    """So much of a box's side is added around it, on either end."""
    channels: Literal["RGB", "BGR"]
    """Order of the input's colours."""
    scaling: Literal["maximum", "255"]
    """What the colours of a crop are divided by: its own largest value, or 255."""
    mean: Triple
    """Taken off the scaled colours, in the order of ``channels``."""
    deviation: tuple[Positive, Positive, Positive]
    """What they are then divided by."""
    output: Literal["probability", "min-max"]
    """Whether the first output is a probability, or has to be stretched from its least and largest value."""
    evidence: bool = False
    """The network is given two planes more: where the box is (1 in it, 0 around it, -1 outside the image),
    and what another labeler says (1 foreground, -1 background, 0 not known). A box then has one crop, black
    outside the image, in place of mirror images."""


U2NET = Facts(
    size=320,
    margin=0.3,
    channels="RGB",
    scaling="maximum",
    mean=(0.485, 0.456, 0.406),
    deviation=(0.229, 0.224, 0.225),
    output="min-max",
)
"""U2-Net for salient objects (Qin et al., Pattern Recognition 106, 2020) as its authors use it; the margin of
30 % is measured (docs/learned.md)."""
KNOWN = {"8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491": U2NET}
"""Files that do not describe themselves, by the SHA-256 of their content."""


def read_facts(content: bytes, metadata: Mapping[str, str]) -> Facts:
    """The facts of a segmenter file.

    Args:
        content: the file.
        metadata: its metadata entries.

    Raises:
        LabelerError: the file neither describes itself nor is known, or its description cannot be used.
    """
    if metadata.get("format") != FORMAT:
        known = KNOWN.get(hashlib.sha256(content).hexdigest())
        if known is None:
            raise LabelerError(
                f"network: an ONNX file without the metadata of a box segmenter (format: {FORMAT}), and not "
                "U2-Net's u2net.onnx either; docs/learned.md says what has to stand there"
            )
        return known
    try:
        entries = {key: json.loads(metadata[key]) for key in Facts.model_fields if key in metadata}
    except ValueError as error:
        raise LabelerError(f"network: its metadata are not JSON values: {error}") from error
    try:
        return Facts.model_validate(entries)
    except ValidationError as error:
        raise invalid_settings("network: its metadata", error) from error
