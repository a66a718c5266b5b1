"""What a dataset reader is, and the options every reader has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from spotlabel.labelers.base import Settings
from spotlabel.pipeline.datasets.annotated import AnnotatedOption, with_option
from spotlabel.pipeline.frames.options import FrameOptions
from spotlabel.pipeline.sequence import Sequence


class ReaderOptions(Settings):
    """Options every reader has (recipe section ``dataset``); readers add their own."""

    beyond: Literal["refuse", "drop"] = "refuse"
    """Boxes of frame numbers that have no image: an error, or left out."""
    annotated: AnnotatedOption = None
    """Frames in which somebody looked for objects; the others are unknown and not trained on: `all`, `listed`
    (those with rows, elements or images in the annotation file), `every-N`, or a file of frame numbers,
    relative to the root (`{sequence}` in its name stands for the sequence's). If not set, COCO goes by its
    images, all other formats take all frames."""
    bad_boxes: Literal["drop", "fail"] = "drop"
    """Boxes of width or height 0, or without any numbers: left out, counted and told, or an error."""
    repeated_tracks: Literal["untrack", "fail"] = "untrack"
    """A track that is in a frame more than once: copies of a box are left out and boxes that differ have no
    track in that frame, counted and told, or an error."""

    later: ClassVar[tuple[str, ...]] = ("bad_boxes", "repeated_tracks")
    """Options of this class, not of those that it extends, which came after stores had been made: a store
    depends on them only where they are set."""

    def deciding(self) -> dict[str, Any]:
        """What decides boxes, for what a store depends on: no paths, and no new option that is not set.

        Where files lie decides nothing (their content does). Which frames were annotated is no matter of
        boxes: :func:`spotlabel.pipeline.upkeep.freshness.annotated_fingerprint`.
        """
        default = type(self).model_construct()
        left_out = {"annotated", *(name for name, value in self if isinstance(value, Path))}
        new = {name for each in type(self).__mro__ for name in each.__dict__.get("later", ())}
        left_out |= {name for name in new if getattr(self, name) == getattr(default, name)}
        return self.model_dump(mode="json", exclude=left_out)


@dataclass(frozen=True)
class Reader:
    """A dataset reader; entry points of the group ``spotlabel.datasets`` name such objects.

    Attributes:
        name: as written in a recipe's ``dataset.reader``.
        version: changes whenever the same files would give other boxes or frames.
        options_type: the reader's own options, a subclass of :class:`ReaderOptions`.
        sequences: lists the sequences under a root folder in natural order of their names, without reading
            pixels or parsing whole annotation files; raises :class:`spotlabel.pipeline.errors.DatasetError`.
    """

    name: str
    version: int
    options_type: type[ReaderOptions]
    sequences: Callable[..., list[Sequence]]
    finds_one: bool = False
    """True if ``sequences`` takes a fourth argument, the name of the only sequence that is wanted, and then
    does not look into the folders of the others: with 10,000 videos that is what a child process spends."""

    def listed(
        self, root: Path, options: ReaderOptions, frames: FrameOptions, only: str | None = None
    ) -> list[Sequence]:
        """All sequences, or at least the one called ``only`` if there is one; errors as ``sequences``."""
        asked = (only,) if only is not None and self.finds_one else ()
        listed = self.sequences(root, options, frames, *asked)
        return [with_option(sequence, root, options.annotated) for sequence in listed]
