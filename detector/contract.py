"""What training, prediction, evaluation and the commands know of a detector; families of detectors fulfil it.

A family (``centernet/``, ``regions/``) is free in how it finds objects. What it is given and what it gives
back is written here, in one coordinate system: pixels of the canvas, the picture that the network sees.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

from torch import Tensor, nn

from spotlabel.detector.data.colour import CENTERNET_COLOURS, Colours

MAX_DETECTIONS = 100
"""Boxes of a picture, unless someone asks for another number."""
Share = Callable[[Tensor], Tensor]
"""Averages a count over the processes that train together; alone, the count itself."""


def alone(count: Tensor) -> Tensor:
    """The :data:`Share` of a process that trains alone."""
    return count


class Batch(TypedDict):
    """A training batch of B pictures on one canvas of H x W, on the device; K slots for objects.

    Attributes:
        image: float32 [B, 3, H, W] BGR, normalised with the family's own :attr:`Detector.colours`.
        extent: int64 [B, 2], height and width of the canvas that hold picture; the rest is padding.
        boxes: float32 [B, K, 4], x0, y0, x1, y1 in canvas pixels (edges, half-open); each has a part on the
            canvas and may reach off it; 0 where there is no object.
        classes: int64 [B, K], index into the model's class names; 0 where there is no object.
        present: bool [B, K], which slots hold an object.
        mask: float32 [B, 1, H, W] in [0, 1], foreground, soft at its edges.
        known: float32 [B, 1, H, W], 0 where the mask is unknown, else 1.
        labelled: float32 [B, 1, H, W], 0 where objects may stand that nobody annotated (unknown pixels
            outside all boxes, ignore regions), else 1.
    """

    image: Tensor
    extent: Tensor
    boxes: Tensor
    classes: Tensor
    present: Tensor
    mask: Tensor
    known: Tensor
    labelled: Tensor


class Found(NamedTuple):
    """What a detector finds in B pictures, best first, filled up to K rows with score 0.

    Attributes:
        boxes: float32 [B, K, 4], x0, y0, x1, y1 in canvas pixels.
        scores: float32 [B, K] in [0, 1].
        classes: int64 [B, K].
        attention: maps by name, float32 [B, H, W] on the canvas; empty unless asked for.
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor
    attention: dict[str, Tensor]


@dataclass(frozen=True)
class Attention:
    """An attention map that a detector can show.

    Attributes:
        title: as pictures and tables call it.
        logits: values are logits (drawn through a sigmoid); else they lie in [0, 1].
        foreground: learns the foreground masks; validation compares it with them.
        regions: belongs to the boxes that were found, 0 elsewhere; pictures outline them.
    """

    title: str
    logits: bool = False
    foreground: bool = False
    regions: bool = False


class Detector(nn.Module, ABC):
    """Finds objects in pictures, and tells how wrong it is on annotated ones.

    Attributes:
        multiple: height and width of a canvas must be multiples of this.
        colours: how a picture becomes the network's input.
        static_graph: every step uses every parameter in the same way, whatever is in the pictures, so that
            processes that train together need not look for those without a gradient.
        attentions: attention maps that :meth:`find` can return, by name; empty if there are none.
        share: what :meth:`losses` pass a count through before they divide by it; set by whoever trains.
    """

    multiple: int
    colours: Colours = CENTERNET_COLOURS
    static_graph: bool = False
    attentions: Mapping[str, Attention]
    share: Share

    def __init__(self) -> None:
        super().__init__()
        self.share = alone

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The losses: computed inside ``forward``, where wrappers for several processes see them."""
        return self.losses(batch)

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name, unweighted, and their weighted sum ``total``.

        The network runs under whatever autocast is on; losses are summed in single precision or better.
        What is random is drawn from torch's default generators: training seeds them anew for every step.
        """

    @abstractmethod
    def find(
        self,
        image: Tensor,
        count: int,
        *,
        extent: Tensor | None = None,
        flip: bool = False,
        attention: bool = False,
    ) -> Found:
        """The ``count`` best boxes of each picture.

        Args:
            image: float32 [B, 3, H, W] BGR, normalised.
            count: rows of the result.
            extent: int64 [B, 2], as in :class:`Batch`; None if the whole canvas is picture.
            flip: look at the mirrored pictures, too, and join both as the family does.
            attention: return the maps of :attr:`attentions`.
        """

    def graph(self, count: int) -> nn.Module | None:
        """A network that can be traced as a whole, for programs that know nothing of us.

        Args:
            count: boxes per picture.

        Returns:
            A module from ``image`` (see :meth:`find`) to ``boxes``, ``scores``, ``classes`` and the maps of
            :attr:`attentions` in their order, as in :class:`Found`; None if the family has none.
        """
        return None
